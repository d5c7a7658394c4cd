#!/bin/sh
# Builds the double-click program into dist/zemosaic (Linux, macOS; there also dist/ZeMosaic.app).
# Environment: PYTHON chooses the interpreter; BUILD_VENV an existing virtual environment that has what a build needs (and no pytest).
set -eu
cd "$(dirname "$0")/.."

if [ -z "${BUILD_VENV:-}" ]; then
  BUILD_VENV=build/venv
  [ -x "$BUILD_VENV/bin/python" ] || "${PYTHON:-python3}" -m venv "$BUILD_VENV"
  "$BUILD_VENV/bin/python" -m pip install -q ".[build]"
  "$BUILD_VENV/bin/python" -m pip uninstall -q -y zemosaic # the program is built from this folder, not from a copy
  "$BUILD_VENV/bin/python" -m pip install -q "PySide6-Essentials>=6.6" ||
    echo "PySide6 cannot be had for this Python: the program will have the Tk window alone"
fi
"$BUILD_VENV/bin/python" -c 'import tkinter' ||
  { echo "This Python has no tkinter, which the default window needs (Debian, Ubuntu: python3-tk)" >&2; exit 1; }

"$BUILD_VENV/bin/python" -m PyInstaller --noconfirm --clean --distpath dist --workpath build/pyinstaller compile/zemosaic.spec
dist/zemosaic/zemosaic --version
echo "Built: $PWD/dist/zemosaic/zemosaic"

#!/bin/sh
# Builds the double-click program into dist/zemosaic (Linux, macOS; there also dist/ZeMosaic.app).
# Environment: PYTHON chooses the interpreter; BUILD_VENV an existing virtual environment that has what a build needs (and no pytest).
set -eu
cd "$(dirname "$0")/.."

if [ -z "${BUILD_VENV:-}" ]; then
  BUILD_VENV=build/venv
  [ -x "$BUILD_VENV/bin/python" ] || "${PYTHON:-python3}" -m venv "$BUILD_VENV"
  "$BUILD_VENV/bin/python" -m pip install -q ".[build]"
  "$BUILD_VENV/bin/python" -m pip install -q ".[qt]" ||
    echo "PySide6 cannot be had for this Python: the program will have the Tk window alone"
  "$BUILD_VENV/bin/python" -m pip uninstall -q -y zemosaic # the program is built from this folder, not from a copy
fi
"$BUILD_VENV/bin/python" -c 'import tkinter' ||
  { echo "This Python has no tkinter, which the default window needs (Debian, Ubuntu: python3-tk)" >&2; exit 1; }
# What Qt loads from the system has to be here to be packed: without it the program's Qt window opens nowhere.
if [ "$(uname)" = Linux ] && qt=$("$BUILD_VENV/bin/python" -c 'import PySide6; print(PySide6.__path__[0])' 2>/dev/null); then
  missing=$(ldd "$qt/Qt/plugins/platforms/libqxcb.so" | awk '/not found/ { print $1 }' | sort -u | tr '\n' ' ')
  [ -z "$missing" ] || {
    echo "The Qt window needs libraries that are not on this machine: $missing" >&2
    echo "Install them (Debian, Ubuntu: libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1) and start this script again," >&2
    echo "or take PySide6 out of $BUILD_VENV for a program with the Tk window alone." >&2
    exit 1
  }
fi

"$BUILD_VENV/bin/python" -m PyInstaller --noconfirm --clean --distpath dist --workpath build/pyinstaller compile/zemosaic.spec
dist/zemosaic/zemosaic --version
echo "Built: $PWD/dist/zemosaic/zemosaic"

#!/bin/sh
# Puts ZeMosaic into the menu of applications of this user (Linux); --remove takes it out again.
# The entry starts COMMAND if that is set, else the program built into dist/, the checkout's .venv, or `zemosaic` on the PATH.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
share=${XDG_DATA_HOME:-$HOME/.local/share}
entry=$share/applications/zemosaic.desktop
icon=$share/icons/hicolor/256x256/apps/zemosaic.png

if [ "${1:-}" = --remove ]; then
  rm -f "$entry" "$icon"
  echo "Removed: $entry"
  exit 0
fi

# An argument with blanks stands in double quotes, where these characters are escaped; then every backslash is, as in
# all values of a desktop entry.
quoted() { printf '"%s"' "$(printf '%s' "$1" | sed -e 's/["`$\]/\\&/g' -e 's/\\/\\\\/g' -e 's/%/%%/g')"; }

if [ -n "${COMMAND:-}" ]; then
  command=$(quoted "$COMMAND")
elif [ -x "$here/dist/zemosaic/zemosaic" ]; then
  command=$(quoted "$here/dist/zemosaic/zemosaic")
elif [ -x "$here/.venv/bin/python" ]; then
  command="$(quoted "$here/.venv/bin/python") $(quoted "$here/run_zemosaic.py")"
elif command -v zemosaic >/dev/null; then
  command=$(quoted "$(command -v zemosaic)")
else
  echo "No ZeMosaic was found to start: set it up as the README tells, or name it: COMMAND=/path/to/zemosaic $0" >&2
  exit 1
fi

mkdir -p "$(dirname "$entry")" "$(dirname "$icon")"
while IFS= read -r line; do
  case $line in
    Exec=*) printf 'Exec=%s\n' "$command" ;;
    *) printf '%s\n' "$line" ;;
  esac
done <"$here/compile/zemosaic.desktop" >"$entry"
cp "$here/icon/zemosaic.png" "$icon"
if command -v update-desktop-database >/dev/null; then update-desktop-database -q "$(dirname "$entry")" || true; fi
echo "Installed: $entry"

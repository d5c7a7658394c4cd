@echo off
rem Builds the double-click program into dist\zemosaic: zemosaic.exe opens the window, zemosaic-cli.exe is for scripts.
rem Environment: PYTHON chooses the interpreter; BUILD_VENV an existing virtual environment that has what a build needs (and no pytest).
setlocal
cd /d "%~dp0.."

if not defined PYTHON set "PYTHON=py"
if defined BUILD_VENV goto build
set "BUILD_VENV=build\venv"
if not exist "%BUILD_VENV%\Scripts\python.exe" "%PYTHON%" -m venv "%BUILD_VENV%" || goto failed
"%BUILD_VENV%\Scripts\python.exe" -m pip install -q ".[build]" || goto failed
"%BUILD_VENV%\Scripts\python.exe" -m pip install -q ".[qt]" || echo PySide6 cannot be had for this Python: the program will have the Tk window alone
rem The program is built from this folder, not from a copy.
"%BUILD_VENV%\Scripts\python.exe" -m pip uninstall -q -y zemosaic || goto failed

:build
"%BUILD_VENV%\Scripts\python.exe" -c "import tkinter" || goto failed
"%BUILD_VENV%\Scripts\python.exe" -m PyInstaller --noconfirm --clean --distpath dist --workpath build\pyinstaller compile\zemosaic.spec || goto failed
dist\zemosaic\zemosaic-cli.exe --version || goto failed
echo Built: %CD%\dist\zemosaic\zemosaic.exe
call :wait
exit /b 0

:failed
echo The program was not built: see the lines above. 1>&2
call :wait
exit /b 1

rem Started by a double click the window would close at once; `cmd /c` is how the Explorer starts it. CI sets CI.
:wait
if defined CI exit /b 0
echo %CMDCMDLINE% | find /i "/c" >nul && pause
exit /b 0

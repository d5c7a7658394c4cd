"""Scripts by which a shell completes the program's flags and their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["completion_script"]


def completion_script(shell: str, program: str, flags: Mapping[str, Sequence[str]]) -> str:
    """Return the script of a shell.

    Parameters
    ----------
    shell : {"bash", "zsh", "fish", "powershell"}
    program : str
        What the user types to start the program; a command, not a file of Python.
    flags : mapping
        Every flag and the values that can be offered for it; where there are none, files are.
    """
    return {"bash": _bash, "zsh": _zsh, "fish": _fish, "powershell": _powershell}[shell](program, flags)


def _bash(program: str, flags: Mapping[str, Sequence[str]]) -> str:
    cases = "\n".join(
        f'    {flag}) COMPREPLY=($(compgen -W "{" ".join(values)}" -- "$word")); return;;'
        for flag, values in flags.items()
        if values
    )
    return f"""_zemosaic() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}"
  case "${{COMP_WORDS[COMP_CWORD-1]}}" in
{cases}
  esac
  if [[ "$word" == -* ]]; then
    COMPREPLY=($(compgen -W "{" ".join(flags)}" -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}}
complete -o filenames -F _zemosaic {program}
"""


def _zsh(program: str, flags: Mapping[str, Sequence[str]]) -> str:
    # The shell brings what runs the completions of bash.
    return "autoload -Uz +X bashcompinit compinit\ncompinit\nbashcompinit\n" + _bash(program, flags)


def _fish(program: str, flags: Mapping[str, Sequence[str]]) -> str:
    lines = []
    for flag, values in flags.items():
        offered = f" -x -a '{' '.join(values)}'" if values else ""
        lines.append(f"complete -c {program} -l {flag.removeprefix('--')}{offered}")
    return "\n".join(lines) + "\n"


def _powershell(program: str, flags: Mapping[str, Sequence[str]]) -> str:
    rows = "\n".join(
        f"    '{flag}' = @({', '.join(repr(str(value)) for value in values)})" for flag, values in flags.items()
    )
    return f"""Register-ArgumentCompleter -Native -CommandName {program} -ScriptBlock {{
  param($word, $command, $position)
  $flags = @{{
{rows}
  }}
  $words = @($command.CommandElements | ForEach-Object {{ $_.ToString() }})
  $last = if ($word) {{ $words[-2] }} else {{ $words[-1] }}
  $offered = if ($flags[$last]) {{ $flags[$last] }} else {{ $flags.Keys | Sort-Object }}
  $offered | Where-Object {{ $_ -like "$word*" }} | ForEach-Object {{
    [System.Management.Automation.CompletionResult]::new($_)
  }}
}}
"""

"""The command line: every setting is a flag, progress on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from zemosaic.about import full_version
from zemosaic.errors import InputError, SettingsError, ZeMosaicError, message
from zemosaic.errors import RunCancelled as RunCancelledError
from zemosaic.events import Event, Logged, RunFailed, Warned
from zemosaic.gui.cli.completion import completion_script
from zemosaic.gui.cli.console import Console, Progress
from zemosaic.gui.cli.flags import ALL, Command, completable, help_text, parse, program_name
from zemosaic.gui.cli.following import ended, follow, json_line, plain
from zemosaic.gui.cli.pixel_answer import explained_pixel, story_dict, story_lines
from zemosaic.gui.cli.queued import jobs_of, run_queue
from zemosaic.gui.presenter.run.runs import DemoMaker, RunHandle, Starter
from zemosaic.gui.presenter.run.speed import speed_of
from zemosaic.gui.presenter.run.summary_text import forecast_lines
from zemosaic.gui.presenter.unattended.start_watch import start_watch
from zemosaic.i18n import Translator
from zemosaic.settings.load import (
    Reading,
    environment_name,
    read_settings,
    resolve_settings,
    shipped_settings_file,
    user_config_folder,
    user_settings_file,
)
from zemosaic.settings.schema import Settings, specs

__all__ = ["Engine", "run_cli", "translator_for"]

_DEMO_FOLDER = "zemosaic_demo"


@dataclass(frozen=True)
class Engine:
    """What the command line starts."""

    start: Starter
    make_demo: DemoMaker


def translator_for(argv: Sequence[str], environ: Mapping[str, str]) -> Translator:
    """Return the texts in the language of the flags, the environment or the user's file.

    Whatever is wrong with those is told later, in full; here it only means the system's language.

    Parameters
    ----------
    argv : sequence of str
        Words of the command line, without the program's name; ``--language`` counts wherever it stands.
    environ : mapping of str to str
        Names the user's file of settings and may set the language.
    """
    named = [value for word, value in pairwise(argv) if word == "--language"]
    named += [word.partition("=")[2] for word in argv if word.startswith("--language=")]
    flags = {"language": named[-1]} if named else {}
    try:
        files = (user_settings_file(environ), shipped_settings_file())
        language = resolve_settings(flags, environ, *files)["language"].value
    except ZeMosaicError:
        language = flags.get("language", environ.get(environment_name("language"), "auto"))
    return Translator(language, environ=environ)


def run_cli(argv: Sequence[str], environ: Mapping[str, str], engine: Engine) -> int:
    """Run one command and return its exit code (see `zemosaic.errors`; 0 is a mosaic).

    Parameters
    ----------
    argv : sequence of str
        Arguments without the program's name.
    environ : mapping
    engine : Engine
    """
    words = translator_for(argv, environ)
    console = Console(sys.stdout, sys.stderr)
    json_wanted = "--log-json" in argv
    try:
        return _do(parse(argv), environ, engine, words, console)
    except KeyboardInterrupt:
        console.error(words.text("cli.killed"))
        return RunCancelledError.exit_code
    except ZeMosaicError as fault:
        if json_wanted:
            console.out(json_line(RunFailed(fault.message, fault.exit_code, "")))
        console.error(words.text("cli.error", text=words.message(fault.message)))
        return fault.exit_code


def _do(command: Command, environ: Mapping[str, str], engine: Engine, words: Translator, console: Console) -> int:
    if (as_json := _said_at_once(command, environ, words, console)) is not None:
        console.out(as_json)
        return 0
    files = (Path(command.config) if command.config else user_settings_file(environ), shipped_settings_file())
    if command.config and not files[0].is_file():
        raise InputError("error.no_config_file", path=command.config)
    if command.list_settings or command.detect_astap or command.doctor:
        reading = _read(command, command.flags, environ, files, words, console)
        for line in _state_lines(command, reading, environ, words):
            console.out(line)
        return 0
    if command.measure_seams is not None:
        console.out("\n".join(_seam_lines(Path(command.measure_seams), command.footprints, words)))
        return 0
    if command.combine_bands is not None:
        settings = _read(command, command.flags, environ, files, words, console).settings
        return _combine(Path(command.combine_bands), settings, command.log_json, words, console)
    if command.explain_pixel:
        story = explained_pixel(command.explain_pixel)
        as_json = json.dumps(plain(story_dict(story, words)), allow_nan=False) if command.log_json else None
        console.out(as_json or "\n".join(story_lines(story, words)))
        return 0
    return _run(command, environ, engine, files, words, console)


def _run(
    command: Command,
    environ: Mapping[str, str],
    engine: Engine,
    files: tuple[Path, Path],
    words: Translator,
    console: Console,
) -> int:
    """Make what the command asks for, or say what would be made; returns the exit code."""
    flags = dict(command.flags)
    if command.demo is not None:
        flags = _with_demo(flags, command.demo, engine.make_demo, words, console)
    settings = _read(command, flags, environ, files, words, console).settings
    jobs = jobs_of(command.queue, command.targets_below, settings.output_dir)
    if jobs:
        if "input_dir" in flags or command.watch or command.until or command.dry_run:
            raise SettingsError("error.queue_and_single")
        config_folder = user_config_folder(environ)
        return run_queue(jobs, settings, engine.start, command.log_json, words, console, config_folder)
    for key in ("input_dir", "output_dir"):
        if not getattr(settings, key):
            raise InputError("error.folder_not_given", flag=f"--{key}")
    if command.dry_run:
        console.out("\n".join(_forecast_lines(settings, environ, words)))
        return 0
    if command.watch:
        run: RunHandle = start_watch(settings, engine.start)
        console.error(words.text("cli.watching", path=settings.input_dir))
    else:
        run = engine.start(settings) if command.until is None else engine.start(settings, command.until)
    state = follow(run, command.log_json, words, console, user_config_folder(environ))
    return ended(state, command.log_json, words, console)


def _said_at_once(command: Command, environ: Mapping[str, str], words: Translator, console: Console) -> str | None:
    """Return the answer to a command that needs no settings; None where it is another."""
    program = program_name(sys.argv[0])
    if command.help:
        return help_text(words, console.width, program, command.help == ALL, str(user_settings_file(environ)))
    if command.version:
        return f"ZeMosaic {full_version()}"
    if command.completion:
        return completion_script(command.completion, "zemosaic", completable()).rstrip("\n")
    return None


def _state_lines(command: Command, reading: Reading, environ: Mapping[str, str], words: Translator) -> Iterator[str]:
    """Return what a command tells of settings and machine."""
    if command.list_settings:
        return _setting_lines(reading, words)
    if command.detect_astap:
        return _astap_lines(reading.settings, words)
    # Imported here: it needs much of what the windows are made of.
    from zemosaic.gui.presenter.settings.doctor import doctor_lines

    return doctor_lines(reading.settings, environ, words)


def _forecast_lines(settings: Settings, environ: Mapping[str, str], words: Translator) -> list[str]:
    """Return what a run would do; nothing is written."""
    # Here for the reason told below.
    from zemosaic.forecast import CPU_S_PER_FRAME, forecast
    from zemosaic.frames.frame_files import scan_folder
    from zemosaic.frames.inventory import inventory, is_copy
    from zemosaic.phases.scan import wants_stacks

    exclude = [Path(settings.output_dir)]
    scanned = scan_folder(Path(settings.input_dir), exclude=exclude, stacks=wants_stacks(settings))
    speed = speed_of(user_config_folder(environ)) or CPU_S_PER_FRAME
    copies = sum(is_copy(item.reason) for item in scanned.dropped)
    outlook = forecast(settings, scanned.frames, len(scanned.dropped) - copies, speed, copies)
    lines = forecast_lines(outlook, words)
    lines += [words.message(line) for line in inventory(scanned.frames, scanned.dropped)]
    dropped = Counter(words.message(item.reason) for item in scanned.dropped)
    return [*lines, *(words.text("summary.drop", count=count, reason=reason) for reason, count in dropped.items())]


def _with_demo(
    flags: dict[str, str], demo: str, make_demo: DemoMaker, words: Translator, console: Console
) -> dict[str, str]:
    """Return the flags with the folders of the demo, whose frames are made."""
    if "input_dir" in flags:
        raise SettingsError("error.demo_and_input", input_dir=str(flags["input_dir"]))
    folder = Path(demo or _DEMO_FOLDER).absolute()
    console.error(words.text("cli.demo", path=str(folder)))
    with Progress(console, words) as progress:
        raw = make_demo(folder, lambda done, total: progress.step(words.text("phase.demo"), done, total))
    return {"input_dir": str(raw), "output_dir": str(folder / "mosaic")} | flags


def _read(
    command: Command,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    files: tuple[Path, Path],
    words: Translator,
    console: Console,
) -> Reading:
    """Return the settings; tell on standard error, once each, what of their sources was not taken over as it stands."""
    reading = read_settings(flags, environ, *files)
    language = reading.settings.language
    notes = list(reading.notes)
    if not words.knows(language):
        notes.append(message("note.language_unknown", language=language, languages=", ".join(words.languages())))
    for note in notes:
        if command.log_json:
            console.out(json_line(Warned(note)))
        console.error(words.text("cli.note", text=words.message(note)))
    return reading


def _setting_lines(reading: Reading, words: Translator) -> Iterator[str]:
    """Yield each setting, its value and where it came from."""
    resolved = reading.sourced
    shipped = str(shipped_settings_file())
    width = max(len(spec.key) for spec in specs())
    for spec in specs():
        value, source = resolved[spec.key].value, resolved[spec.key].source
        origin = words.text("cli.default") if source in ("", shipped) else source
        shown = json.dumps(value, ensure_ascii=False)
        yield f"{spec.key:{width}}  {shown:24}  {spec.allowed}  [{origin}]"


def _astap_lines(settings: Settings, words: Translator) -> Iterator[str]:
    """Yield what a run would find of ASTAP."""
    # Here, because it takes the numerical libraries, which no other command of the front end needs.
    from zemosaic.solving.solvers.astap_find import detect_astap_installation

    installation = detect_astap_installation(settings.astap_executable_path, settings.astap_data_directory_path)
    if installation is None:
        yield words.text("cli.astap_none")
        return
    yield words.text("cli.astap_program", path=str(installation.executable))
    if installation.data_dir is None:
        yield words.text("cli.astap_no_stars")
    else:
        yield words.text("cli.astap_stars", name=installation.catalogue.upper(), folder=str(installation.data_dir))


def _seam_lines(mosaic: Path, footprints: str | None, words: Translator) -> Iterator[str]:
    """Yield what is known of a mosaic's seams."""
    # Here for the same reason as above.
    from zemosaic.qa.seam_files import measure_seams_of_file

    seams = measure_seams_of_file(mosaic, Path(footprints) if footprints else None)
    report = seams.report
    yield words.text("cli.seams.edges", frames=seams.frames, pieces=len(report.seams), known=len(report.trusted))
    if report.trusted:
        yield words.text("cli.seams.level", rms=report.level_rms)
        yield words.text("cli.seams.worst", worst=report.worst)
    yield words.text(f"report.seams.{report.verdict}")
    yield words.text("cli.seams.map", path=str(seams.map))


def _combine(folder: Path, settings: Settings, log_json: bool, words: Translator, console: Console) -> int:
    """Make what the settings ask for of the mosaics in a folder, and name the files."""
    # Here for the same reason as above.
    from zemosaic.phases.outputs.folder_bands import make_bands_of_folder

    def tell(event: Event) -> None:
        if log_json:
            console.out(json_line(event))
        elif isinstance(event, Logged | Warned):
            console.error(words.message(event.text))

    for path in make_bands_of_folder(folder, settings, tell):
        (console.error if log_json else console.out)(words.text("summary.mosaic", path=str(path)))
    return 0

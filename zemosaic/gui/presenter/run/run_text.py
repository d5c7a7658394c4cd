"""What both windows say while a run goes on, word for word the same."""

from __future__ import annotations

from dataclasses import dataclass

from zemosaic.gui.presenter.run.eta import about_text, coarse_text, duration_text, exposure_text
from zemosaic.gui.presenter.run.run_folders import FOLDERS
from zemosaic.gui.presenter.run.run_state import LogLine, Phase, PhaseStatus, RunState, Status
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.run.summary_text import (
    phase_name,
    plan_text,
    size_text,
    speed_text,
    summary_lines,
    watch_text,
)
from zemosaic.gui.presenter.settings.equipment import Equipment
from zemosaic.gui.presenter.settings.form import choice_text, shown_value, unit_text, with_labels
from zemosaic.i18n import Translator
from zemosaic.settings.schema import Spec

__all__ = [
    "LEVELS",
    "PhaseCells",
    "caption_text",
    "default_text",
    "ending_notice",
    "equipment_text",
    "facts_text",
    "known_level",
    "log_line",
    "phase_cells",
    "start_key",
    "status_text",
    "time_text",
    "welcome_line",
    "window_title",
]  # fmt: skip

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_SIGNS = {
    PhaseStatus.WAITING: "○",
    PhaseStatus.RUNNING: "▶",
    PhaseStatus.DONE: "✓",
    PhaseStatus.FAILED: "✗",
    PhaseStatus.STOPPED: "■",
}


@dataclass(frozen=True)
class PhaseCells:
    """What the row of a phase shows."""

    sign: str
    name: str
    status: PhaseStatus
    fraction: float
    count: str
    time: str


def phase_cells(phase: Phase, state: RunState, words: Translator) -> PhaseCells:
    """Return the row of a phase.

    Parameters
    ----------
    phase : Phase
        One of those of the state.
    state : RunState
        Once its run is over no speed is told.
    words : Translator
    """
    count = ""
    if phase.status is not PhaseStatus.WAITING and phase.total:
        count = "/".join(words.number(number, ",") for number in (phase.done, phase.total))
    time = ""
    if phase.status is PhaseStatus.DONE:
        time = duration_text(phase.wall_s)
    elif phase.status is PhaseStatus.RUNNING and not state.status.over:
        # The time left is one number, that of the whole run.
        time = speed_text(phase, words)
    name = phase_name(phase.name, words)
    return PhaseCells(_SIGNS[phase.status], name, phase.status, phase.fraction or 0.0, count, time)


def time_text(state: RunState, now: float, words: Translator) -> str:
    """Return the time taken and left; empty before a run, and after one that made no mosaic.

    Parameters
    ----------
    state : RunState
    now : float
        Seconds of the monotonic clock that the state's times are of.
    words : Translator
    """
    if state.result is not None:
        return duration_text(state.result.wall_s)
    if not (state.status.under_way or state.status is Status.STOPPING):
        return ""
    elapsed = duration_text(state.elapsed_s(now))
    left = state.left_s(now)
    return elapsed if left is None else words.text("run.elapsed_left", elapsed=elapsed, left=coarse_text(left))


def facts_text(state: RunState, words: Translator) -> str:
    """Return what was found, what will be made, and what it takes, in lines.

    Parameters
    ----------
    state : RunState
        The load of the computer is told only while its run goes on.
    words : Translator
    """
    lines = []
    if state.found is not None:
        exposure = exposure_text(state.found.total_exposure_s, words)
        cameras = ", ".join(state.found.instruments)
        values = {"frames": state.found.frames, "nights": state.found.nights, "exposure": exposure, "cameras": cameras}
        lines.append(words.text("run.found", **values))
    if state.plan is not None:
        lines.append(plan_text(state, words))
    if state.sample is not None and not state.status.over:
        memory, disk = (size_text(n, words) for n in (state.sample.rss_bytes, state.sample.disk_free_bytes))
        lines.append(words.text("run.load", memory=memory, disk=disk, cpu=state.sample.cpu_percent))
        if state.sample.gpu:
            used, total = (size_text(n, words) for n in (state.sample.gpu_used_bytes, state.sample.gpu_total_bytes))
            gpu_values = {"name": state.sample.gpu, "used": used, "total": total, "load": state.sample.gpu_percent}
            lines.append(words.text("run.load_gpu", **gpu_values))
    if state.dropped:
        lines.append(words.text("run.dropped", count=state.dropped))
    return "\n".join(lines)


def caption_text(state: RunState, words: Translator) -> str:
    """Return what the growing picture has to be told with it; empty for stacked pixels.

    Parameters
    ----------
    state : RunState
        Its preview says how many frames were laid on it quickly, before they are stacked.
    words : Translator
    """
    quick = 0 if state.preview is None else state.preview.quick_frames
    if not quick:
        return ""
    return words.text("run.quick_below" if state.tiles else "run.quick_look", count=quick)


def status_text(session: Session) -> tuple[str, bool]:
    """Return the line at the foot of the window, and whether it tells of a problem."""
    words, state = session.words, session.state
    if session.problem is not None:
        return "⚠ " + with_labels(words.message(session.problem), words), True
    if session.demo.under_way:
        news = session.demo_news
        done, total = (0, 0) if news is None else (news.done, news.total)
        return words.text("window.demo_progress", done=done, total=total), False
    if state.status is Status.FAILED and state.error is not None and not session.is_failure_told:
        return "⚠ " + with_labels(words.message(state.error.error), words), True
    if state.status is Status.RUNNING and state.watch is not None and state.watch.finishing and state.current is None:
        return watch_text(state.watch, words), False
    if state.status is Status.RUNNING and session.watching and state.watch is not None:
        phase = state.phase(state.current) if state.current else None
        name = "" if phase is None else f" · {phase_name(phase.name, words)}"
        return watch_text(state.watch, words) + name, False
    if state.status is not Status.RUNNING:
        return words.text(f"window.status.{_resting_key(session)}"), False
    phase = state.phase(state.current) if state.current else None
    name = words.text("run.status.running") if phase is None else phase_name(phase.name, words)
    left = state.left_s(session.clock())
    return (name if left is None else f"{name} · {words.text('cli.left', time=about_text(left, words))}"), False


def start_key(is_watching: bool, resumes: bool) -> str:
    """Return which words the button has that starts a run.

    Parameters
    ----------
    is_watching : bool
        Whether a folder is watched, of which it makes the mosaic.
    resumes : bool
        Whether an earlier run left finished work.
    """
    if is_watching:
        return "window.finish"
    return "window.start_resume" if resumes else "window.start"


def window_title(session: Session, fraction: float) -> str:
    """Return the title of the window, how far a run is before its name.

    Parameters
    ----------
    session : Session
    fraction : float
        Part of the run that is done, from 0 to 1.
    """
    state, words = session.state, session.words
    if session.watching and state.watch is not None:
        return f"{words.text('watch.title', count=state.watch.frames)} · ZeMosaic"
    if session.running:
        return f"{words.number(fraction, '.0%')} · ZeMosaic"
    signs = {} if session.has_moved_on else {Status.FINISHED: "✓ ", Status.FAILED: "⚠ "}
    return f"{signs.get(state.status, '')}ZeMosaic"


def ending_notice(session: Session) -> tuple[str, str, str]:
    """Return how the desktop is told of a run's end: a title, a text and a thumbnail's path."""
    state, words = session.state, session.words
    preview = state.result.preview if state.result is not None else ""
    lines = summary_lines(state, words)
    return f"ZeMosaic: {words.text(f'run.status.{state.status.value}')}", lines[0] if lines else "", preview


def _resting_key(session: Session) -> str:
    """Return which sentence tells that the window waits for its user, and for what."""
    state = session.state
    if session.has_moved_on:
        return _ready_key(session)
    if state.status is Status.FINISHED and state.prepared is not None:
        return f"prepared_{state.prepared.until}"
    if state.status not in (Status.IDLE, Status.FAILED):
        return state.status.value
    return _ready_key(session)


def _ready_key(session: Session) -> str:
    """Return which sentence tells what is lacking before a run can be started."""
    lacking = [key for key in FOLDERS if not session.form.row(key).text]
    return "ready" if not lacking else "idle" if len(lacking) > 1 else f"lacks_{lacking[0]}"


def known_level(level: str) -> str:
    """Return a level of the log; an unknown one counts as information."""
    return level if level in LEVELS else "INFO"


def log_line(line: LogLine, state: RunState, words: Translator) -> str:
    """Return a line of the log with its time since the start.

    Parameters
    ----------
    line : LogLine
    state : RunState
        Of the run that the line belongs to; the time is counted from its start, and pauses count.
    words : Translator
    """
    return f"{duration_text(max(line.at_s - state.started_s, 0.0)):>7}  {with_labels(words.message(line.text), words)}"


def default_text(spec: Spec, words: Translator) -> str:
    """Return the default of a setting as people read it.

    Parameters
    ----------
    spec : Spec
        The setting; a number has its unit, and an empty default is a dash.
    words : Translator
    """
    if spec.kind == "choice":
        return choice_text(spec, str(spec.default), words)
    if spec.kind == "bool":
        return words.text("settings.on" if spec.default else "settings.off")
    return f"{shown_value(spec.default, words)} {unit_text(spec, words)}".strip() or "–"


def equipment_text(equipment: Equipment, name: str) -> tuple[str, bool]:
    """Return what was found of a piece of equipment, and whether it is good news.

    Parameters
    ----------
    equipment : Equipment
        What was found so far; what the settings do not ask for is never bad news.
    name : str
        One of `EQUIPMENT`.
    """
    words, finding = equipment.session.words, equipment.finding(name)
    text, is_good = words.message(finding.text), finding.good or not equipment.needs(name)
    if not finding.good:
        text = words.text("equipment.not_needed", text=text) if is_good else f"⚠ {text}"
    return words.text("equipment.line", name=words.text(f"equipment.{name}"), text=text), is_good


def welcome_line(equipment: Equipment, name: str) -> str:
    """Return what was found of a piece of equipment, behind a tick where it is there.

    Parameters
    ----------
    equipment : Equipment
        What was found so far; what was not looked for yet has no tick.
    name : str
        One of `EQUIPMENT`.
    """
    text, good = equipment_text(equipment, name)
    is_found = good and equipment.finding(name).good and equipment.finding(name).is_known
    return f"{'✓' if is_found else '•'} {text}"

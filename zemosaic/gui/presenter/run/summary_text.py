"""Sentences both windows and the command line say about a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zemosaic.events import PreparationFinished, Watching
from zemosaic.gui.presenter.run.eta import about_text, duration_text, exposure_text
from zemosaic.gui.presenter.run.run_state import Drops, Phase, RunState, WarningCount
from zemosaic.i18n import Translator

if TYPE_CHECKING:
    from zemosaic.forecast import Forecast

__all__ = [
    "drop_text",
    "forecast_card",
    "forecast_lines",
    "phase_name",
    "plan_text",
    "size_text",
    "speed_text",
    "summary_lines",
    "warning_text",
    "watch_text",
]


def phase_name(name: str, words: Translator) -> str:
    """Return the name of a phase.

    Parameters
    ----------
    name : str
        Of one of `PHASES`; another one is returned as it is.
    words : Translator
    """
    key = f"phase.{name}"
    return words.text(key) if words.has(key) else name


def size_text(count: int, words: Translator) -> str:
    """Return a number of bytes as megabytes or gigabytes.

    Parameters
    ----------
    count : int
        Bytes; 10^6 of them are a megabyte, and from 10^9 on they are told in gigabytes.
    words : Translator
    """
    if count < 1_000_000_000:
        return words.text("unit.megabytes", value=count / 1e6)
    return words.text("unit.gigabytes", value=count / 1e9)


def speed_text(phase: Phase, words: Translator) -> str:
    """Return steps per second, or seconds per step where that reads better; empty while unknown.

    Parameters
    ----------
    phase : Phase
        The speed is that of its latest steps.
    words : Translator
    """
    per_s = phase.speed.per_s
    if per_s is None:
        return ""
    if per_s >= 1:
        return words.text("unit.per_second", value=per_s)
    return words.text("unit.seconds_each", value=1 / per_s)


def plan_text(state: RunState, words: Translator) -> str:
    """Return what will be made and what it needs; empty before the plan is known.

    Parameters
    ----------
    state : RunState
        Its plan tells the size in pixels, the scale in arcseconds per pixel, and the memory and disk that are needed.
    words : Translator
    """
    plan = state.plan
    if plan is None:
        return ""
    return words.text(
        "run.plan",
        width=plan.width,
        height=plan.height,
        scale=plan.scale_arcsec,
        tiles=plan.tiles,
        frames=plan.frames,
        memory=size_text(plan.memory_bytes, words),
        disk=size_text(plan.disk_bytes, words),
    )


def forecast_lines(outlook: Forecast, words: Translator) -> list[str]:
    """Return what a run would do in lines, the first one short enough to stand alone.

    Parameters
    ----------
    outlook : Forecast
        A problem that would keep the run from starting is told in the last line.
    words : Translator
    """
    parts = []
    if outlook.width:
        parts.append(words.text("forecast.size", width=outlook.width, height=outlook.height, depth=outlook.depth))
    if outlook.fields > 1:
        parts.append(words.text("forecast.fields", count=outlook.fields))
    if outlook.filters > 1:
        parts.append(words.text("forecast.filters", count=outlook.filters))
    parts.append(words.text("forecast.disk", disk=size_text(outlook.disk_bytes, words)))
    parts.append(about_text(outlook.seconds, words))
    lines = [" · ".join(parts)]
    cameras = ", ".join(outlook.cameras) or words.text("frames.unknown_telescope")
    lines.append(
        words.text(
            "forecast.frames",
            frames=outlook.frames,
            nights=outlook.nights,
            exposure=exposure_text(3600.0 * outlook.hours, words),
            cameras=cameras,
        )
    )
    if outlook.unplaced:
        lines.append(words.text("forecast.unplaced", count=outlook.unplaced))
    if outlook.copies:
        lines.append(words.text("forecast.copies", count=outlook.copies))
    if outlook.left_out:
        lines.append(words.text("forecast.left_out", count=outlook.left_out))
    memory, free = size_text(outlook.memory_bytes, words), size_text(outlook.disk_free_bytes, words)
    lines.append(words.text("forecast.room", memory=memory, free=free))
    lines.append(words.message(outlook.mode))
    if outlook.resumes:
        lines.append(words.text("forecast.resumes"))
    if outlook.problem is not None:
        lines.append("⚠ " + words.message(outlook.problem))
    return lines


def forecast_card(outlook: Forecast, words: Translator) -> str:
    """Return what stands beside Start: what is made of what, and what that takes; or why it would be refused.

    Parameters
    ----------
    outlook : Forecast
        Where it has a problem nothing else of it is told.
    words : Translator
    """
    if outlook.problem is not None:
        return "⚠ " + words.message(outlook.problem)
    parts = [words.text("forecast.card", frames=outlook.frames)]
    if outlook.width:
        parts[0] += " → " + words.text("forecast.card_size", width=outlook.width, height=outlook.height)
    parts.append(size_text(outlook.disk_bytes, words))
    parts.append(about_text(outlook.seconds, words))
    if outlook.fields > 1:
        parts.append(words.text("forecast.fields", count=outlook.fields))
    if outlook.copies:
        parts.append(words.text("forecast.copies", count=outlook.copies))
    if outlook.left_out:
        parts.append(words.text("forecast.left_out", count=outlook.left_out))
    if outlook.resumes:
        parts.append(words.text("forecast.resumes"))
    return " · ".join(part.rstrip(".") for part in parts)


def drop_text(drops: Drops, words: Translator) -> str:
    """Return how many frames fell out and why.

    Parameters
    ----------
    drops : Drops
        Where their sentences differ the first frame's is told as an example.
    words : Translator
    """
    key = "summary.drop" if drops.same else "summary.drop_example"
    return words.text(key, count=drops.count, reason=words.message(drops.reason))


def warning_text(warning: WarningCount, words: Translator) -> str:
    """Return a warning and, where it came again, how often.

    Parameters
    ----------
    warning : WarningCount
        How often it came is told from the second time on.
    words : Translator
    """
    text = words.message(warning.text)
    return text if warning.count == 1 else words.text("summary.repeated", text=text, count=warning.count)


def watch_text(watch: Watching, words: Translator) -> str:
    """Return how a folder stands to which frames are still being added.

    Parameters
    ----------
    watch : Watching
        Once the mosaic is being made, only the files that are still being written are told.
    words : Translator
    """
    if watch.finishing:
        return words.text("watch.finishing", count=watch.unfinished)
    parts = [words.text("watch.frames", count=watch.frames)]
    if watch.fresh:
        parts.append(words.text("watch.fresh", count=watch.fresh))
    if watch.unfinished:
        parts.append(words.text("watch.unfinished", count=watch.unfinished))
    return " · ".join(parts)


def summary_lines(state: RunState, words: Translator, with_report: bool = True) -> list[str]:
    """Return the end of a run in lines: what was made, of what, and what was left out and why.

    Nothing is returned while the run goes on, and after one that was stopped.

    Parameters
    ----------
    state : RunState
        Of a run that failed the error and its log are told, of one that only prepared what it measured and solved.
    words : Translator
    with_report : bool
        Whether the path of the report is told, which a window has a button for.
    """
    if state.error is not None:
        log = state.error.log_path
        return [words.message(state.error.error), *([words.text("summary.log", path=log)] if log else [])]
    if state.prepared is not None:
        return _prepared_lines(state.prepared, state, words)
    result = state.result
    if result is None:
        return []
    lines = [
        *(words.text("summary.mosaic", path=path) for path in result.mosaics or (result.mosaic,)),
        words.text("summary.frames", used=result.frames_used, dropped=result.frames_dropped),
    ]
    lines += _remarks(state, words)
    lines.append(
        words.text(
            "summary.cost",
            time=duration_text(result.wall_s),
            cpu=duration_text(result.cpu_s),
            memory=size_text(state.peak_rss_bytes, words),
        )
    )
    if result.report_html and with_report:
        lines.append(words.text("summary.report", path=str(Path(result.report_html))))
    return lines


def _prepared_lines(prepared: PreparationFinished, state: RunState, words: Translator) -> list[str]:
    counts = {"measured": prepared.measured, "solved": prepared.solved, "dropped": prepared.dropped}
    cost = {"time": duration_text(prepared.wall_s), "cpu": duration_text(prepared.cpu_s)}
    memory = size_text(state.peak_rss_bytes, words)
    return [
        words.text(f"summary.prepared.{prepared.until}", **counts),
        *_remarks(state, words),
        words.text("summary.cost", memory=memory, **cost),
    ]


def _remarks(state: RunState, words: Translator) -> list[str]:
    """Return what was left out, the most frequent reason first, and what was warned of."""
    drops = ["  " + drop_text(drops, words) for drops in sorted(state.drops, key=lambda drops: -drops.count)]
    return drops + [words.text("summary.warning", text=warning_text(warning, words)) for warning in state.warnings]

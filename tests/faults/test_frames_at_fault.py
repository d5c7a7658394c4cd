"""One rule for every task of every phase: a frame that raises costs itself, and nothing else is blamed on a frame."""

from __future__ import annotations

import errno
from concurrent.futures import Executor, Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from zemosaic.compute.budget import Budget
from zemosaic.compute.executors import SerialExecutor, TaskKilled
from zemosaic.errors import FrameError, Message, NothingUsable, ResourceError, WorkerDied, message
from zemosaic.model import FrameStatus, TileSpec
from zemosaic.phases import measure, stack
from zemosaic.phases.context import RunContext, make_context
from zemosaic.phases.parts.unreadable import all_read, while_readable
from zemosaic.phases.run.workers import Workers, frame_fault
from zemosaic.settings.schema import Settings

WORK = Path("/out/.zemosaic_work")


def context_of(executor: Executor | None = None) -> RunContext:
    return make_context(
        settings=Settings(),
        emit=lambda event: None,
        workers=Workers(executor or SerialExecutor(), Budget(1 << 30, 2, 1 << 28), lambda: False, WORK),
        journal=SimpleNamespace(),
        monitor=SimpleNamespace(),
    )


def frame(number: int) -> Any:
    path = f"/in/light_{number}.fit"
    return SimpleNamespace(frame_id=number, path=path, frame=SimpleNamespace(frame_id=number, path=path))


FAULTS = {
    1: FrameError("reason.vanished", file="light_1.fit"),
    2: ValueError("bad tile\nand more"),
    3: OSError(errno.EIO, "Input/output error", "/in/light_3.fit"),
    4: TaskKilled("exit code -11"),
    5: RecursionError("too deep"),
}


def read(one: Any) -> str | Message:
    if one.frame_id in FAULTS:
        raise FAULTS[one.frame_id]
    return one.path


def test_a_frame_that_raises_costs_itself() -> None:
    frames = [frame(number) for number in range(7)]
    answers = list(context_of().workers.map_frames(read, frames, lambda one: one.frame))
    keys = [answer.key if isinstance(answer, Message) else answer for answer in answers]
    assert keys[:2] == ["/in/light_0.fit", "reason.vanished"] and keys[6] == "/in/light_6.fit"
    assert keys[2:6] == ["reason.task_failed", "reason.task_failed", "reason.killed_workers", "reason.task_failed"]
    assert answers[2].params == {"file": "light_2.fit", "detail": "ValueError: bad tile"}
    assert answers[4].params == {"file": "light_4.fit", "detail": "exit code -11"}


@pytest.mark.parametrize(
    "fault",
    [
        MemoryError(),
        OSError(errno.ENOSPC, "No space left on device", "/elsewhere"),
        FileNotFoundError(errno.ENOENT, "No such file", str(WORK / "scratch" / "camera_0.npz")),
        ResourceError("error.scratch_write", path="/out", detail="?"),
        KeyboardInterrupt(),
    ],
)
def test_what_is_not_the_frames_fault_is_not_blamed_on_it(fault: BaseException) -> None:
    with pytest.raises(type(fault)):
        frame_fault(frame(0).frame, fault, WORK)


def test_a_joint_solution_is_made_again_without_the_frames_that_go() -> None:
    context, tried = context_of(), []

    def solve(frames: Any) -> list[Any]:
        tried.append([solved_frame.frame_id for solved_frame in frames])
        answers = context.workers.map_frames(read, frames, lambda one: one.frame)
        return list(all_read("calibrate", frames, answers))

    frames = [frame(number) for number in range(4)]
    assert while_readable(context, frames, solve) == ["/in/light_0.fit"]
    assert tried == [[0, 1, 2, 3], [0]]
    assert [(drop.frame_id, drop.phase, drop.status) for drop in context.reporter.dropped] == [
        (number, "calibrate", FrameStatus.UNREADABLE) for number in (1, 2, 3)
    ]
    with pytest.raises(NothingUsable):
        while_readable(context_of(), frames[1:], solve)


class _Deadly(Executor):
    """Kills whoever looks at one frame together with others, or at all."""

    def __init__(self, deadly: int) -> None:
        self.deadly = deadly
        self.samples: list[list[int]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        function, task = args
        future: Future[Any] = Future()
        if function is measure.find_group_defects:
            ids = [one.frame_id for part in task.parts for one in part]
            self.samples.append(ids)
        else:
            ids = [task[0].frame_id]
        if self.deadly in ids:
            future.set_exception(TaskKilled("exit code -8"))
        else:
            future.set_result((len(ids), "mark") if function is measure.find_group_defects else None)
        return future


def test_a_camera_is_looked_at_again_without_the_frame_that_kills_workers() -> None:
    executor = _Deadly(2)
    sample = tuple(frame(number) for number in range(4))
    task = measure._DefectTask((sample,), measure.CameraCalibrationFrames(), WORK, WORK / "camera_0.npz")
    assert list(measure._answers(context_of(executor), [task])) == [(3, "mark")]
    assert executor.samples == [[0, 1, 2, 3], [0, 1, 3]]


def test_defects_are_found_without_a_frame_that_goes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Source:
        shape = (4, 4)

        def __init__(self, one: Any) -> None:
            self.number, self.reads = one.frame_id, 0

        def read(self, *window: int) -> int:
            self.reads += 1
            if self.number == 1 and self.reads > 1:
                raise FrameError("reason.vanished", file="light_1.fit")
            return self.number

    def find(sources: Any, first: Any) -> Any:
        return measure.np.array([source.read(0, 4, 0, 4) for source in sources])

    monkeypatch.setattr(measure, "open_pixels", lambda one, scratch: Source(one))
    monkeypatch.setattr(measure, "find_defects", find)
    task = measure._DefectTask(
        (tuple(map(frame, range(3))),), measure.CameraCalibrationFrames(), tmp_path, tmp_path / "camera.npz"
    )
    assert measure.find_group_defects(task)[0] == 2


def test_a_tile_that_workers_die_of_is_named() -> None:
    tile = SimpleNamespace(tile=TileSpec(17, (0, 1, 0, 1), (0, 1, 0, 1), ()), frames=(1, 2))
    with pytest.raises(WorkerDied) as caught:
        stack._tile_lost(tile, TaskKilled("exit code -9"))
    assert caught.value.message == message("error.tile_killed", tile=17, frames=2, detail="exit code -9")
    with pytest.raises(KeyError):
        stack._tile_lost(tile, KeyError("own"))

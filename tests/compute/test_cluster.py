"""A Dask cluster, a real one of two processes, behind the contract of every executor."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path
from typing import Any

import pytest
import tasks
from test_executors import ExecutorContract

from zemosaic.about import part_versions
from zemosaic.compute import cluster
from zemosaic.compute.cluster import join_cluster
from zemosaic.compute.executors import map_ordered
from zemosaic.errors import SettingsError, WorkerDied

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")


def started(**told: Any) -> Any:
    values = {"threads_per_worker": 1, "dashboard_address": ":0", "memory_limit": "2GB"} | told
    return distributed.LocalCluster(n_workers=2, **values)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with started() as running:
        yield running.scheduler_address


class TestCluster(ExecutorContract):
    @pytest.fixture
    def executor(self, scheduler: str, tmp_path: Path) -> Iterator[Executor]:
        with join_cluster(scheduler, [tmp_path]) as (executor, budget):
            assert budget.workers == 2
            yield executor


def test_a_task_that_kills_its_workers_ends_the_run(tmp_path: Path) -> None:
    with started() as running, join_cluster(running.scheduler_address, [tmp_path]) as (executor, _):
        running.scheduler.allowed_failures = 0
        with pytest.raises(WorkerDied):
            list(map_ordered(executor, tasks.die, range(4), ahead=2))


def test_a_lost_scheduler_ends_the_run(tmp_path: Path) -> None:
    with started() as running, join_cluster(running.scheduler_address, [tmp_path]) as (executor, _):
        results = map_ordered(executor, tasks.mark_and_wait, [(str(tmp_path), n, 0.3) for n in range(50)], ahead=4)
        next(results)
        running.close()
        with pytest.raises(WorkerDied):
            list(results)


def test_workers_that_go_for_good_are_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ABANDONED_S", 0.6)
    with started() as running, join_cluster(running.scheduler_address, [tmp_path]) as (executor, _):
        running.scale(0)
        with pytest.raises(WorkerDied):
            list(map_ordered(executor, abs, range(50), ahead=4))
            list(map_ordered(executor, abs, range(50), ahead=4, cancelled=lambda: False))


class _NoScheduler:
    """A client whose scheduler is gone: asking for its workers fails, or it has closed itself."""

    def __init__(self, status: str) -> None:
        self.status = status

    def get_executor(self, pure: bool) -> Executor:
        return _NeverAnswers()

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        raise RuntimeError("no connection")


class _NeverAnswers(Executor):
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Future()


@pytest.mark.parametrize("status", ["running", "closed"])
def test_nobody_waits_for_a_scheduler_that_cannot_be_asked(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ABANDONED_S", 0.12)
    client = _NoScheduler(status)
    executor = cluster.ClusterExecutor(client)
    waiting = executor.submit(abs, -1)
    watch = threading.Thread(target=cluster._watch, args=(client, executor, threading.Event()))
    watch.start()
    watch.join()
    assert isinstance(waiting.exception(timeout=0), BrokenExecutor)
    with pytest.raises(BrokenExecutor):
        executor.submit(abs, -1)


def test_a_result_that_is_lost_on_its_way_is_a_dead_worker_and_a_fault_of_the_task_is_its_own() -> None:
    cfexecutor = pytest.importorskip("distributed.cfexecutor")

    class Lost:
        status = "lost"

        async def _result(self, raiseit: bool) -> int:
            return 3

    sent: Future[int] = Future()

    async def cascade() -> None:
        await cfexecutor._cascade_future(Lost(), sent)

    asyncio.run(cascade())
    own: Future[int] = Future()
    own.set_exception(TypeError("of the task"))
    answers = [cluster._Answer(one) for one in (sent, own)]
    for answer in answers:
        answer.take(answer.sent)
    assert [type(answer.exception()) for answer in answers] == [BrokenExecutor, TypeError]


@pytest.mark.parametrize(
    ("told", "key"),
    [({"threads_per_worker": 2}, "error.cluster_threads"), ({"n_workers": 0}, "error.cluster_empty")],
)
def test_a_cluster_that_does_not_serve_is_refused(tmp_path: Path, told: dict[str, int], key: str) -> None:
    values = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": ":0"} | told
    with distributed.LocalCluster(processes=False, **values) as running:
        joined = join_cluster(running.scheduler_address, [tmp_path])
        with pytest.raises(SettingsError) as caught, joined:
            pass
    assert caught.value.message.key == key


def test_a_worker_that_cannot_do_the_tasks_is_named(scheduler: str, tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(SettingsError) as caught, join_cluster(scheduler, [tmp_path / "nowhere"]):
        pass
    assert caught.value.message.key == "error.cluster_folder"
    assert caught.value.message.params["folder"].endswith("nowhere")
    for part in ("zemosaic", "numpy", "numba", "code"):
        with monkeypatch.context() as patch:
            patch.setattr(cluster, "part_versions", lambda part=part: part_versions() | {part: "9.9"})
            with pytest.raises(SettingsError) as caught, join_cluster(scheduler, [tmp_path]):
                pass
        told = caught.value.message.params
        assert (told["part"], told["theirs"], told["ours"]) == (part, part_versions()[part], "9.9")
    assert str(caught.value.message.params["worker"]).startswith("tcp://")


def test_a_scheduler_with_another_version_is_refused(scheduler: str, tmp_path: Path, monkeypatch: Any) -> None:
    asked = distributed.Client.get_versions

    def other(self: Any, check: bool = False) -> Any:
        told = asked(self, check=check)
        told["scheduler"]["packages"]["distributed"] = "2020.1.0"
        return told

    monkeypatch.setattr(distributed.Client, "get_versions", other)
    with pytest.raises(SettingsError) as caught, join_cluster(scheduler, [tmp_path]):
        pass
    assert caught.value.message.key == "error.scheduler_version"
    assert caught.value.message.params["theirs"] == "2020.1.0"


def test_nobody_at_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense"):
        with pytest.raises(SettingsError) as caught, join_cluster(address, [tmp_path]):
            pass
        assert caught.value.message.key == "error.cluster_unreachable"
        del caught
        gc.collect()  # a client that never connected must not be cleared away while another starts: Dask would hang

"""Backends, the share of the workers, and one thread per worker."""

from __future__ import annotations

import array_api_strict
import numpy as np
import pytest
import tasks

from zemosaic.compute.backend import CupyBackend, NumpyBackend, open_backend
from zemosaic.compute.budget import MAX_TASK_BYTES, MIB, Budget, stack_share
from zemosaic.compute.executors import make_executor
from zemosaic.errors import ResourceError


class BackendContract:
    """What the stacking asks of any backend."""

    @pytest.fixture
    def backend(self):
        raise NotImplementedError

    def test_there_and_back(self, backend):
        array = np.arange(12, dtype=np.float32).reshape(3, 4)
        there = backend.to_device(array)
        doubled = backend.to_host(there + there)
        assert doubled.dtype == np.float32
        np.testing.assert_array_equal(doubled, 2 * array)

    def test_namespace_and_memory(self, backend):
        total = backend.xp.sum(backend.to_device(np.ones(5, np.float32)))
        assert float(total) == 5.0
        assert backend.free_bytes() > MIB
        assert all(issubclass(kind, Exception) for kind in backend.errors)


class TestNumpy(BackendContract):
    @pytest.fixture
    def backend(self):
        return open_backend("numpy")


class TestStrict(BackendContract):
    @pytest.fixture
    def backend(self):
        return NumpyBackend(array_api_strict)


@pytest.mark.gpu
class TestCupy(BackendContract):
    @pytest.fixture
    def backend(self):
        try:
            return CupyBackend(0)
        except ResourceError as error:
            pytest.skip(str(error))


def test_a_missing_device_is_told_with_its_reason():
    with pytest.raises(ResourceError) as told:
        open_backend("cupy", 63)
    assert told.value.message.key == "error.gpu_unusable"
    assert told.value.message.params["device"] == 63 and told.value.message.params["detail"]


def test_fewer_tiles_at_a_time_get_more_memory_each():
    budget = Budget(8 << 30, 4, 100 * MIB)
    assert stack_share(budget, 0) == stack_share(budget, 4) == stack_share(budget, 9)
    assert stack_share(budget, 0).ahead == 8 and stack_share(budget, 0).task_bytes == 100 * MIB
    two = stack_share(budget, 2)
    assert (two.ahead, two.task_bytes) == (2, 200 * MIB)
    for limit in range(1, 5):
        share = stack_share(budget, limit)
        assert min(share.ahead, 4) * share.task_bytes <= 4 * budget.task_bytes
    assert stack_share(Budget(99 << 30, 8, 600 * MIB), 1).task_bytes == MAX_TASK_BYTES


def test_a_worker_uses_one_thread_whatever_it_calls():
    with make_executor(2) as executor:
        opencv, numba, busy = executor.submit(tasks.threads_at_work, 0.5).result()
    assert opencv == 1 and numba == 1
    assert busy < 1.3, "CPU time over wall time of large matrix products"

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The newest item wins, and nothing stops the thread."""

import threading

from hybrid_features_ros.nodes.worker import NewestWins


class Gate:
    """Work that waits until it is let through."""

    def __init__(self):
        self.done = []
        self.open = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)

    def work(self, item):
        self.entered.release()
        assert self.open.acquire(timeout=5)
        if item == "bad":
            raise ValueError(item)
        self.done.append(item)


def test_items_that_waited_too_long_are_dropped_oldest_first():
    gate = Gate()
    worker = NewestWins(gate.work, failed=lambda error: None, capacity=2)
    worker.submit(0)
    assert gate.entered.acquire(timeout=5)
    for item in (1, 2, 3, 4):
        worker.submit(item)
    for _ in range(3):
        gate.open.release()
    for _ in range(2):
        assert gate.entered.acquire(timeout=5)
    worker.stop()
    assert gate.done == [0, 3, 4]
    assert worker.dropped == 2


def test_a_failure_is_told_and_the_next_item_is_worked_on():
    gate, failures = Gate(), []
    worker = NewestWins(gate.work, failed=failures.append)
    for item in ("bad", "good"):
        gate.open.release()
        worker.submit(item)
        assert gate.entered.acquire(timeout=5)
    worker.stop()
    assert [str(f) for f in failures] == ["bad"]
    assert gate.done == ["good"]


def test_stop_ends_the_thread():
    worker = NewestWins(lambda item: None, failed=lambda error: None)
    worker.stop()
    assert not worker._thread.is_alive()

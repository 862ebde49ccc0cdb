# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A thread that always works on the newest item, so that slow work never blocks the executor."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from hybrid_features_ros.core.threads import name_thread

Item = TypeVar("Item")


class NewestWins(Generic[Item]):
    """Hand items to ``work`` one after another on one thread; when it falls behind, the oldest are dropped.

    Args:
        work: called with every item; what it raises goes to ``failed`` and the thread goes on.
        failed: told of every exception.
        capacity: items that may wait.
        name: of the thread.
    """

    def __init__(
        self,
        work: Callable[[Item], None],
        failed: Callable[[Exception], None],
        capacity: int = 1,
        name: str = "worker",
    ) -> None:
        self._work = work
        self._failed = failed
        self._capacity = capacity
        self._waiting: deque[Item] = deque()
        self._condition = threading.Condition()
        self._running = True
        self.dropped = 0
        self._name = name
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> None:
        """Queue an item and return at once."""
        with self._condition:
            if len(self._waiting) == self._capacity:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(item)
            self._condition.notify()

    def stop(self) -> None:
        """Finish the item in work, forget the waiting ones and end the thread."""
        with self._condition:
            self._running = False
            self._waiting.clear()
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        name_thread(self._name)
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting or not self._running)
                if not self._running:
                    return
                item = self._waiting.popleft()
            try:
                self._work(item)
            except Exception as error:  # noqa: BLE001  the node must outlive any message
                self._failed(error)

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""No callback ends a node: what it raises is logged, counted and reported."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from functools import wraps
from time import monotonic
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.nodes.diagnostics import Meter, Report

REPORTED_S = 5.0  # how long a failure stays in the diagnostics
AGAIN_S = 3.0  # least time between two lines about a failure whose traceback was logged before


class Failures:
    """The failures of one node; may be used from several threads.

    Bad input is one line in the log, at most once a second. Anything else is a bug: its traceback is logged
    once, its repetitions are counted.

    Args:
        node: logs.
        meter: says when an input was last answered.
    """

    def __init__(self, node: Node, meter: Meter) -> None:
        self._node, self._meter = node, meter
        self._lock = threading.Lock()
        self._logged: set[tuple[str, str]] = set()  # kind and place of the bugs whose traceback is in the log
        self._count = 0  # since an input was last answered
        self._since = self._newest = -REPORTED_S
        self._text, self._is_bug = "", False

    def guard(
        self, callback: Callable[..., Any], answer: Callable[..., Any] | None = None
    ) -> Callable[..., Any]:
        """The callback, kept from raising.

        Args:
            callback: of a subscription, timer, service or parameter.
            answer: called with the exception and the callback's arguments, it makes what is returned
                instead; it also tells the caller about bad input, which then is not logged.
        """

        @wraps(callback)
        def guarded(*arguments: Any) -> Any:
            try:
                return callback(*arguments)
            except Exception as error:  # noqa: BLE001  the node must outlive any callback
                if answer is None or not isinstance(error, InputError):
                    self.tell(error)
                return answer(error, *arguments) if answer else None

        return guarded

    def tell(self, error: Exception) -> None:
        """Log an exception and remember it for the diagnostics."""
        if not self._node.context.ok():
            return  # the process is ending: what was in work could not be published any more
        is_bug, is_new = not isinstance(error, InputError), self._remember(error)
        logger = self._node.get_logger()
        if not is_bug:
            logger.error(str(error), throttle_duration_sec=1.0)
        elif is_new:
            logger.error("".join(traceback.format_exception(error)))
        else:
            logger.error(f"{self._count} times by now: {describe(error)}", throttle_duration_sec=AGAIN_S)

    def report(self) -> Report | None:
        """What the diagnostics say about failures of the last seconds; None: nothing."""
        with self._lock:
            if monotonic() - self._newest > REPORTED_S:
                return None
            alone = self._meter.answered < self._since
            level = DiagnosticStatus.ERROR if alone or self._is_bug else DiagnosticStatus.WARN
            share = "every input fails" if alone else "not every input can be used"
            return Report(level, f"{share} ({self._count} in a row): {self._text}")

    def _remember(self, error: Exception) -> bool:
        """Count a failure; whether it is the first of its kind and place."""
        place = traceback.extract_tb(error.__traceback__)[-1:]
        kind = (type(error).__name__, str(place[0])) if place else (type(error).__name__, "")
        with self._lock:
            now = monotonic()
            if self._meter.answered >= self._since:  # something worked in between
                self._count, self._since, self._is_bug = 0, now, False
            self._count += 1
            self._newest, self._text = now, describe(error)
            self._is_bug |= not isinstance(error, InputError)
            is_new = kind not in self._logged
            self._logged.add(kind)
        return is_new


def describe(error: Exception) -> str:
    """An exception in one line; the kind of one that is no :class:`InputError` stands before it."""
    text = " ".join(str(error).split())
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}".rstrip(": ")


def refuse_request(error: Exception, _request: Any, response: Any) -> Any:
    """A service's answer where its callback raised: no, and why."""
    if hasattr(response, "success"):
        response.success = False
    if hasattr(response, "message"):
        response.message = describe(error)
    return response

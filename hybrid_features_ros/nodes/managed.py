# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What both nodes are: lifecycle nodes that start by themselves, take changes and report on themselves."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import PublisherEventCallbacks  # event_handler, in Humble qos_event
from rclpy.qos_overriding_options import QoSOverridingOptions
from std_msgs.msg import Header

from hybrid_features_ros.core.config import Config
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.nodes.diagnostics import Meter, Report
from hybrid_features_ros.nodes.failures import Failures, describe, refuse_request
from hybrid_features_ros.nodes.parameters import declare, follow

OVERRIDABLE = QoSOverridingOptions.with_default_policies()
DIAGNOSTICS_S = 1.0
TELL_EVERY = 5  # reports between two messages about dropped images


class ManagedNode(LifecycleNode):
    """A lifecycle node: ``configure`` loads, ``activate`` subscribes, ``deactivate`` lets go.

    Subclasses say how in ``load``, ``start``, ``stop`` and ``forget``, what they are in ``report``, and
    take run-time changes in ``change``. Publishes ``/diagnostics`` once a second in every state. Whatever
    callback they create, it cannot end the node: see :mod:`hybrid_features_ros.nodes.failures`.

    Args:
        name: of the node.
        sections: of the configuration that become its parameters.

    Raises:
        InputError: a parameter has the wrong type or lies out of range.
    """

    def __init__(self, name: str, *sections: str, **options: Any) -> None:
        self.meter = Meter()
        self.failures = Failures(self, self.meter)  # first: Node itself creates services and callbacks
        try:
            super().__init__(name, **options)
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise InputError(
                f"{' '.join(str(error).split())}: give use_sim_time as true or false without quotes"
            ) from None
        for service in self.services:  # those of the lifecycle are made in another way
            service.callback = self.failures.guard(service.callback, refuse_request)
        self.config: Config = declare(self, *sections)
        self._problem: InputError | None = None
        self._dropped_told = self._reports = 0
        follow(self, self.config, self._follow)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(DIAGNOSTICS_S, self._report, clock=steady)

    @property
    def dropped(self) -> int:
        """Inputs skipped because a newer one had arrived."""
        raise NotImplementedError

    def load(self) -> None:
        """Make everything that activation needs; what lasts long happens here."""
        raise NotImplementedError

    def start(self) -> None:
        """Subscribe and work."""
        raise NotImplementedError

    def stop(self) -> None:
        """Undo ``start`` and release the accelerator; what is known about the world stays."""
        raise NotImplementedError

    def forget(self) -> None:
        """Undo ``load``."""
        raise NotImplementedError

    def report(self) -> Report:
        """How the node is while it is active."""
        raise NotImplementedError

    def change(self, config: Config) -> None:
        """Take a new configuration; an InputError refuses it."""
        raise NotImplementedError

    def create_subscription(self, kind: Any, topic: str, callback: Any, *args: Any, **options: Any) -> Any:
        """As in rclpy; the callback cannot end the node."""
        return super().create_subscription(kind, topic, self.failures.guard(callback), *args, **options)

    def create_lifecycle_publisher(self, *args: Any, **options: Any) -> Any:
        """As in rclpy, but for its log lines about subscribers that ask for another quality of service: those
        log it themselves, and each handler of such events makes every wait of the executor longer.
        """
        quiet = PublisherEventCallbacks(use_default_callbacks=False)
        return super().create_lifecycle_publisher(*args, event_callbacks=quiet, **options)

    def create_timer(self, period: float, callback: Any, *args: Any, **options: Any) -> Any:
        """As in rclpy; the callback cannot end the node."""
        return super().create_timer(period, self.failures.guard(callback), *args, **options)

    def create_service(self, kind: Any, name: str, callback: Any, *args: Any, **options: Any) -> Any:
        """As in rclpy; where the callback raises, the answer is ``success: false`` with the reason."""
        guarded = self.failures.guard(callback, refuse_request)
        return super().create_service(kind, name, guarded, *args, **options)

    def add_on_set_parameters_callback(self, callback: Any) -> None:
        """As in rclpy; where the callback raises, the request is refused with the reason."""

        def refuse(error: Exception, _: Any) -> SetParametersResult:
            return SetParametersResult(successful=False, reason=describe(error))

        super().add_on_set_parameters_callback(self.failures.guard(callback, refuse))

    def autostart(self) -> None:
        """Configure and activate, unless a lifecycle manager is to do it.

        Raises:
            InputError: the configuration cannot work.
        """
        if not self.config.autostart:
            self.get_logger().info("unconfigured: waiting for a lifecycle manager (autostart is false)")
            return
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise self._problem or InputError(f"{self.get_name()} could not start; see its log")

    @property
    def active(self) -> bool:
        """Whether the node is in the lifecycle state active."""
        return bool(self._state_machine.current_state[1] == "active")

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load."""
        return self._attempt(self.load, super().on_configure, state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start."""
        return self._attempt(self.start, super().on_activate, state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop."""
        return self._attempt(self.stop, super().on_deactivate, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget."""
        return self._attempt(self.forget, super().on_cleanup, state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and forget, whatever the state was."""
        return self._attempt(self._end, super().on_shutdown, state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured, so that a manager may try again."""
        return self._attempt(self._end, super().on_error, state)

    def destroy_node(self) -> None:
        """Stop the work, then the node."""
        self.stop()
        super().destroy_node()

    def _attempt(
        self,
        step: Callable[[], Any],
        managed: Callable[[LifecycleState], TransitionCallbackReturn],
        state: LifecycleState,
    ) -> TransitionCallbackReturn:
        """Run one transition; rclpy would swallow what it raises."""
        try:
            step()
        except InputError as error:
            self._problem = error
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # noqa: BLE001  a bug must not pass unseen
            self.get_logger().error("".join(traceback.format_exception(error)))
            return TransitionCallbackReturn.ERROR
        return managed(state)

    def _end(self) -> None:
        self.stop()
        self.forget()

    def _follow(self, config: Config) -> None:
        self.change(config)
        self.config = config

    def _report(self) -> None:
        self._tell_dropped()
        name = self.get_fully_qualified_name().lstrip("/")
        label = self._state_machine.current_state[1]
        report = Report(DiagnosticStatus.OK, label)
        if self.active:
            report = self.report()
            failed = self.failures.report()
            report = replace(failed, values=report.values) if failed else report
        status = report.to_msg(name, {"lifecycle": label, **self.meter.values()})
        now = Header(stamp=self.get_clock().now().to_msg())
        self._diagnostics.publish(DiagnosticArray(header=now, status=[status]))

    def _tell_dropped(self) -> None:
        fresh = self.dropped - self._dropped_told
        if fresh and self._reports % TELL_EVERY == 0:
            self._dropped_told = self.dropped
            self.get_logger().warning(
                f"{fresh} images dropped since the last such message, {self.dropped} in all: they come "
                "faster than they are worked on; lower features.max_keypoints or the camera's rate"
            )
        self._reports += 1

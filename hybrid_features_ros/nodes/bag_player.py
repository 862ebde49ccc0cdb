# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Replay a bag over DDS where rosbag2 is not installed, or in lock-step where results must repeat."""

from __future__ import annotations

import argparse
import importlib
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.utilities import remove_ros_args
from rosgraph_msgs.msg import Clock

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.source import Choice, Notes
from hybrid_features_ros.msg import OdometryStatus
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.diagnostics import endpoints
from hybrid_features_ros.nodes.spin import initialise

if TYPE_CHECKING:
    from hybrid_features_ros.io.bags import BagMessage

LISTENER_S = 30.0  # how long to wait for somebody to subscribe to the images
SETTLED_S = 1.0  # nobody has joined in for so long: all nodes that were just started are there
ANSWER_S = 5.0  # how long to wait for the odometry of one image in lock-step
LAST_WORDS_S = 0.3  # what else is said of the last image arrives after its status
WAITING_TRIES, WAITING_S = 20, 0.05  # how often, and after which pause
CAMERA_INFO_TYPE = "sensor_msgs/msg/CameraInfo"
IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


class BagPlayer(Node):
    """Publishes the messages of a bag as they are, byte for byte, at the pace of their stamps; of topics that
    nobody reads, only what later readers get, too.

    Args:
        path: a rosbag2 folder or a ROS 1 file.
        clock: publish ``/clock``.
        image: in lock-step, the image topic whose odometry is awaited; default: told by what it is.
    """

    def __init__(self, path: Path, clock: bool = False, image: str = "", **options: Any) -> None:
        from hybrid_features_ros.io.bag_topics import choose_image, image_topics  # needs the extra `bags`
        from hybrid_features_ros.io.bags import topics

        super().__init__("bag_player", **options)
        self._path = path
        names = topics(path)
        made = {name: self._publisher_for(name, kind) for name, kind in names.items()}
        self._outputs = {name: publisher for name, publisher in made.items() if publisher}
        notes = Notes()
        self.image = choose_image(path, image_topics(path), Choice(image=image), notes).name
        if self.image not in self._outputs:
            raise InputError(f"{path}: {self.image} has a type that is not installed: {names[self.image]}")
        for line in notes.assumed.values():
            self.get_logger().info(line)
        self._calibrations = {name for name, kind in names.items() if kind == CAMERA_INFO_TYPE}
        self._newest_calibrations: dict[str, BagMessage] = {}
        self._pictures = {name for name, kind in names.items() if kind in IMAGE_TYPES}
        self._awaited: BagMessage | None = None  # the image whose answer comes next
        self._shown: list[BagMessage] = []  # images of all topics since the one before it
        self._clock_publisher = self.create_publisher(Clock, "/clock", 10) if clock else None
        self._answers: dict[int, int] = {}
        self.unanswered = 0
        self.create_subscription(OdometryStatus, "status", self._on_status, 10)

    def play(self, rate: float = 1.0, lock_step: bool = False) -> None:
        """Publish every message once.

        Args:
            rate: speed as a multiple of real time; ignored in lock-step.
            lock_step: instead of the time wait for the odometry's status of each image, once all that belongs
                to it was published: before the next image of its topic.
        """
        from hybrid_features_ros.io.bags import read_messages

        self._await_listeners()
        begin, first = monotonic(), None
        for message in read_messages(self._path):
            first = message.stamp if first is None else first
            if not lock_step:
                self._pause_until(begin + (message.stamp - first) * 1e-9 / rate)
            if lock_step and message.topic == self.image:
                self._await_answer()
                self._awaited = message
            self._publish(message)
        if lock_step:
            self._await_answer()
            self._await(lambda: False, LAST_WORDS_S)

    @property
    def reliability(self) -> str:
        """How the images awaited in lock-step are asked for: ``reliable`` by all that listen, or not."""
        asked = {s.qos_profile.reliability for s in self.get_subscriptions_info_by_topic(self.image)}
        return "reliable" if asked == {ReliabilityPolicy.RELIABLE} else "best_effort"

    def _publisher_for(self, topic: str, kind: str) -> Publisher | None:
        package, _, name = kind.split("/")
        try:
            message_type = getattr(importlib.import_module(f"{package}.msg"), name)
        except (ImportError, AttributeError):
            self.get_logger().warning(f"{topic} is left out: its type {kind} is not installed")
            return None
        qos = QoSProfile(
            depth=100,
            reliability=ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if _is_latched(topic) else DurabilityPolicy.VOLATILE,
        )
        return self.create_publisher(message_type, topic, qos)

    def _await_listeners(self) -> None:
        """Wait for a subscriber to the images, then until no more join in, on whatever topic."""
        if not self._await(lambda: self._outputs[self.image].get_subscription_count() > 0, LISTENER_S):
            self.get_logger().warning(f"nobody has subscribed to {self.image} in {LISTENER_S:g} s")
            return
        count, since = 0, monotonic()

        def settled() -> bool:
            nonlocal count, since
            now = sum(publisher.get_subscription_count() for publisher in self._outputs.values())
            if now != count:
                count, since = now, monotonic()
            return monotonic() - since >= SETTLED_S

        self._await(settled, LISTENER_S)
        listeners = endpoints(self.get_subscriptions_info_by_topic(self.image))
        self.get_logger().info(f"{self.image} is read by {', '.join(listeners)}")

    def _publish(self, message: BagMessage) -> None:
        if self._clock_publisher:
            self._clock_publisher.publish(Clock(clock=conversions.to_time(message.stamp)))
        output = self._outputs.get(message.topic)
        if output and (output.get_subscription_count() or _is_latched(message.topic)):
            output.publish(message.data)
        if message.topic in self._calibrations:
            self._newest_calibrations[message.topic] = message
        if self._awaited and message.topic in self._pictures:
            self._shown.append(message)

    def _await_answer(self) -> None:
        """Wait for the newest image's status; while the odometry waits, show it again with what it needs."""
        message, self._awaited = self._awaited, None
        if message is None:
            return
        shown, self._shown = self._shown, []
        kind = self._outputs[message.topic].msg_type
        stamp = conversions.to_ns(deserialize_message(message.data, kind).header.stamp)
        for _ in range(WAITING_TRIES):
            if not self._await(lambda: stamp in self._answers, ANSWER_S):
                self.unanswered += 1
                self.get_logger().warning(f"no status for the image at {stamp} ns in {ANSWER_S} s")
                return
            if self._answers.pop(stamp) != OdometryStatus.STATE_WAITING:
                return
            for calibration in self._newest_calibrations.values():
                self._outputs[calibration.topic].publish(calibration.data)
            self._await(lambda: False, WAITING_S)
            for picture in shown:
                self._outputs[picture.topic].publish(picture.data)

    def _await(self, ready: Callable[[], bool], seconds: float) -> bool:
        deadline = monotonic() + seconds
        while not ready():
            if monotonic() > deadline:
                return False
            self.spin_once()
        return True

    def spin_once(self) -> None:
        """Let callbacks run for a moment."""
        rclpy.spin_once(self, timeout_sec=0.05)

    def _pause_until(self, instant: float) -> None:
        sleep(max(0.0, instant - monotonic()))

    def _on_status(self, msg: OdometryStatus) -> None:
        self._answers[conversions.to_ns(msg.header.stamp)] = msg.state


def _is_latched(topic: str) -> bool:
    return topic.endswith("tf_static")


def main(args: Sequence[str] | None = None) -> None:
    """Play a bag from the command line."""
    initialise(args)
    parser = argparse.ArgumentParser(prog="bag_player", description=__doc__)
    parser.add_argument("bag", type=Path, help="rosbag2 folder or ROS 1 file")
    parser.add_argument("--clock", action="store_true", help="publish /clock")
    parser.add_argument("--rate", type=float, default=1.0, help="multiple of real time (default 1)")
    parser.add_argument("--loop", action="store_true", help="start again at the end, until interrupted")
    parser.add_argument(
        "--lock-step", action="store_true", help="wait for the odometry of every image, so that runs repeat"
    )
    parser.add_argument(
        "--image", default="", help="image topic awaited in lock-step (default: chosen by what it is)"
    )
    given = parser.parse_args(remove_ros_args(sys.argv if args is None else args)[1:])
    if not 0 < given.rate < math.inf:
        parser.error(f"--rate {given.rate:g}: give a number above 0")
    try:
        player = BagPlayer(given.bag, given.clock, given.image)
        player.play(given.rate, given.lock_step)
        while given.loop:
            player.play(given.rate, given.lock_step)
    except InputError as error:
        sys.exit(f"error: {error}")
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RuntimeError:  # rclpy's, of a message that was on its way out when the process was told to end
        if rclpy.ok():
            raise
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()

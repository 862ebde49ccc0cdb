# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A recording at its own rate through the composed nodes: what a robot would get, and what it would cost."""

from __future__ import annotations

import os
import struct
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import numpy as np
import rclpy
from nav_msgs.msg import Odometry as OdometryMsg
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.bag_player import BagPlayer
from hybrid_features_ros.nodes.composition import visual_odometry

if TYPE_CHECKING:
    from hybrid_features_ros.io.bags import BagMessage

LAST_WORDS_S = 1.0  # how long the last odometry is waited for
_STAMP = struct.Struct("<iI")  # of a header, after the four bytes that say how a message is encoded


@dataclass(frozen=True)
class Usage:
    """What a process has used so far: processor time [s], threads, resident memory [MB]."""

    cpu_s: float
    threads: int
    rss_mb: float

    @staticmethod
    def of(pid: int) -> Usage:
        """Of a running process, from ``/proc``."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
        cpu = (int(fields[11]) + int(fields[12])) / ticks
        return Usage(cpu, int(fields[17]), int(fields[21]) * page / 1e6)


class TimedPlayer(BagPlayer):
    """A player that notes when each image went out."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.sent: dict[int, float] = {}
        self.on_first: Callable[[], None] = lambda: None

    def _publish(self, message: BagMessage) -> None:
        if message.topic == self.image:
            if not self.sent:
                self.on_first()
            seconds, nanoseconds = _STAMP.unpack_from(message.data, 4)
            self.sent[seconds * 1_000_000_000 + nanoseconds] = monotonic()
        super()._publish(message)


class Listener:
    """Notes when the odometry of each image arrives, on a thread of its own."""

    def __init__(self) -> None:
        self.arrived: dict[int, float] = {}
        self._node = Node("bench_realtime")
        self._node.create_subscription(OdometryMsg, "odom", self._on_odom, 1000)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and the node."""
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()

    def _on_odom(self, msg: OdometryMsg) -> None:
        self.arrived.setdefault(conversions.to_ns(msg.header.stamp), monotonic())


def bench_realtime(recording: Path) -> dict[str, Any]:
    """Rate, drops, latency and cost of the composed nodes, as the JSON of the command.

    Args:
        recording: a bag, or a sequence, of which a bag is made for the time being.

    Raises:
        InputError: it has no images, or the nodes published no odometry.
    """
    if (recording / "metadata.yaml").exists() or recording.suffix == ".bag":
        return _replay(recording)
    from hybrid_features_ros.io.bags import make_bag
    from hybrid_features_ros.io.sources import open_source

    with tempfile.TemporaryDirectory() as folder:
        bag = Path(folder) / "bag"
        make_bag(open_source(recording), bag)
        return _replay(bag)


def _replay(bag: Path) -> dict[str, Any]:
    owner = not rclpy.ok()
    if owner:
        rclpy.init()
    player, listener = TimedPlayer(bag), Listener()
    usage: list[Usage] = []
    try:
        with visual_odometry(player.image) as process:
            player.on_first = lambda: usage.append(Usage.of(process.pid))
            player.play()
            sleep(LAST_WORDS_S)
            usage.append(Usage.of(process.pid))
    finally:
        listener.stop()
        player.destroy_node()
        if owner:
            rclpy.try_shutdown()
    return _report(bag, player.sent, listener.arrived, usage)


def _report(
    bag: Path, sent: dict[int, float], arrived: dict[int, float], usage: list[Usage]
) -> dict[str, Any]:
    answered = [stamp for stamp in sent if stamp in arrived]
    if not answered:
        raise InputError(
            f"{bag}: the nodes published no odometry for {len(sent)} images; see their log above"
        )
    lasted = max(sent.values()) - min(sent.values())
    latency = [1e3 * (arrived[stamp] - sent[stamp]) for stamp in answered]
    median, p95, p99 = (float(v) for v in np.percentile(latency, [50, 95, 99]))
    first, last = usage
    return {
        "protocol": {
            "seconds": lasted,
            "images_hz": (len(sent) - 1) / max(lasted, 1e-9),
            "cores": os.cpu_count(),
            "latency_ms": "from publishing an image to receiving its odometry, both by one clock",
            "cpu_share": "processor time of the composed nodes over time; 1 = one core",
        },
        "images": len(sent),
        "odometry": len(answered),
        "dropped": len(sent) - len(answered),
        "hz": len(answered) / max(lasted, 1e-9),
        "latency_ms": {"median": median, "p95": p95, "p99": p99},
        "cpu_share": (last.cpu_s - first.cpu_s) / max(lasted + LAST_WORDS_S, 1e-9),
        "threads": last.threads,
        "rss_mb": last.rss_mb,
    }

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A recording at its own rate through the composed nodes: what a robot would get, and what it would cost."""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
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

THREADS = ("features", "odometry", "bundle")  # of the composed nodes, by their names
BEGIN_S = 1.0  # how long the nodes may take to get going: images dropped later count apart
LAST_WORDS_S = 1.0  # how long the last odometry is waited for
_STAMP = struct.Struct("<iI")  # of a header, after the four bytes that say how a message is encoded


@dataclass(frozen=True)
class Usage:
    """What a process and those that it started have used so far.

    Attributes:
        cpu_s: processor time [s].
        threads: their number.
        rss_mb: resident memory [MB].
        by_thread: processor time [s] of the threads that this package made, by name, of the ``executor``
            (the main thread), and of the ``middleware`` (all others).
    """

    cpu_s: float
    threads: int
    rss_mb: float
    by_thread: Mapping[str, float]

    @staticmethod
    def of(pid: int) -> Usage:
        """Of a running process, from ``/proc``; of its children, too, which compute features."""
        cpu, fields = _processor_time(Path(f"/proc/{pid}"))
        by_thread = dict.fromkeys(("executor", *THREADS, "middleware"), 0.0)
        children = [Usage.of(int(child)) for child in _children(pid)]
        by_thread["features"] += sum(child.cpu_s for child in children)
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):  # it has just ended
                name = (thread / "comm").read_text().strip()
                known = "executor" if thread.name == str(pid) else name if name in THREADS else "middleware"
                by_thread[known] += _processor_time(thread)[0]
        rss_mb = int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        return Usage(
            cpu + sum(child.cpu_s for child in children),
            int(fields[17]) + sum(child.threads for child in children),
            rss_mb + sum(child.rss_mb for child in children),
            by_thread,
        )


def _children(pid: int) -> list[str]:
    """Identifiers of the processes that this one started."""
    return " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()


def _processor_time(folder: Path) -> tuple[float, list[str]]:
    """Of a process or a thread [s]; and the fields of its ``stat`` from the state on."""
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), fields


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


def bench_realtime(recording: Path, cores: int = 0, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Rate, drops, latency and cost of the composed nodes, as the JSON of the command.

    Args:
        recording: a bag, or a sequence, of which a bag is made for the time being.
        cores: that the nodes may use, the player none of them if it can; 0 = all for all.
        settings: of the nodes' parameters, as NAME=VALUE.

    Raises:
        InputError: it has no images, the nodes published no odometry, or there are not as many cores.
    """
    if (recording / "metadata.yaml").exists() or recording.suffix == ".bag":
        return _replay(recording, cores, settings)
    from hybrid_features_ros.io.bags import make_bag
    from hybrid_features_ros.io.sources import open_source

    with tempfile.TemporaryDirectory() as folder:
        bag = Path(folder) / "bag"
        make_bag(open_source(recording), bag)
        return _replay(bag, cores, settings)


def _replay(bag: Path, cores: int, settings: Sequence[str]) -> dict[str, Any]:
    here = sorted(os.sched_getaffinity(0))
    if cores > len(here):
        raise InputError(f"--cores {cores}: this process may use {len(here)}")
    theirs = here[:cores] or here
    busy = os.getloadavg()[0]
    owner = not rclpy.ok()
    if owner:
        rclpy.init()
    player, listener = TimedPlayer(bag), Listener()
    usage: list[Usage] = []
    try:
        os.sched_setaffinity(0, theirs)  # what is started now inherits it
        with visual_odometry(player.image, settings) as process:
            os.sched_setaffinity(0, set(here) - set(theirs) or here)
            player.on_first = lambda: usage.append(Usage.of(process.pid))
            player.play()
            sleep(LAST_WORDS_S)
            usage.append(Usage.of(process.pid))
            reliability = player.reliability
    finally:
        os.sched_setaffinity(0, here)
        listener.stop()
        player.destroy_node()
        if owner:
            rclpy.try_shutdown()
    report = _report(bag, player.sent, listener.arrived, usage)
    report["protocol"] |= {"cores": len(theirs), "load_before": busy, "set": list(settings)}
    report["protocol"]["reliability"] = reliability
    return report


def _report(
    bag: Path, sent: dict[int, float], arrived: dict[int, float], usage: list[Usage]
) -> dict[str, Any]:
    answered = [stamp for stamp in sent if stamp in arrived]
    if not answered:
        raise InputError(
            f"{bag}: the nodes published no odometry for {len(sent)} images; see their log above"
        )
    begin = min(sent.values())
    lasted = max(sent.values()) - begin
    late = [stamp for stamp, when in sent.items() if when > begin + BEGIN_S]
    latency = [1e3 * (arrived[stamp] - sent[stamp]) for stamp in answered]
    median, p95, p99 = (float(v) for v in np.percentile(latency, [50, 95, 99]))
    first, last = usage
    spent = {name: s - first.by_thread[name] for name, s in last.by_thread.items()}
    return {
        "protocol": {
            "seconds": lasted,
            "images_hz": (len(sent) - 1) / max(lasted, 1e-9),
            "dropped": "by the nodes, and where `reliability` is best_effort also by the middleware",
            "latency_ms": "from publishing an image to receiving its odometry, both by one clock",
            "cpu_share": "processor time of the composed nodes over time; 1 = one core",
            "cpu_ms": "processor time of their threads per odometry message; the executor also receives "
            "the images that are dropped",
        },
        "images": len(sent),
        "odometry": len(answered),
        "dropped": len(sent) - len(answered),
        "dropped_later": sum(stamp not in arrived for stamp in late),
        "hz": len(answered) / max(lasted, 1e-9),
        "latency_ms": {"median": median, "p95": p95, "p99": p99},
        "cpu_share": (last.cpu_s - first.cpu_s) / max(lasted + LAST_WORDS_S, 1e-9),
        "cpu_ms": {name: 1e3 * s / len(answered) for name, s in spent.items()},
        "threads": last.threads,
        "rss_mb": last.rss_mb,
    }

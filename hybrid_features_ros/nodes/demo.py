# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The main job from end to end: a sequence becomes a bag, the bag is replayed through the real nodes over
DDS, and their odometry is measured against the truth and drawn.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from nav_msgs.msg import Odometry as OdometryMsg
from rclpy.utilities import remove_ros_args

from hybrid_features_ros.core.config import Config
from hybrid_features_ros.core.errors import InputError, extra
from hybrid_features_ros.core.types import Features, State, Trajectory
from hybrid_features_ros.evaluation.metrics import evaluate_trajectory
from hybrid_features_ros.evaluation.results import make_folder
from hybrid_features_ros.io.sources import Source, open_source
from hybrid_features_ros.io.trajectory import write_tum
from hybrid_features_ros.msg import FeatureArray, FeatureMatches, OdometryStatus
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.bag_player import BagPlayer
from hybrid_features_ros.nodes.bench_realtime import bench_realtime
from hybrid_features_ros.nodes.composition import visual_odometry
from hybrid_features_ros.simulation.render import render_sequence


class Recorder:
    """Keeps what the nodes said, and the features of one frame for the picture.

    Args:
        node: subscribes on its behalf.
        showcase: stamp of the frame whose features are kept [ns].
    """

    def __init__(self, node: BagPlayer, showcase: int) -> None:
        self._showcase = showcase
        self.poses: dict[int, Any] = {}
        self.states: dict[int, State] = {}
        self.resets = 0
        self.features: Features | None = None
        self.inliers: np.ndarray[Any, np.dtype[np.int32]] | None = None
        node.create_subscription(OdometryMsg, "odom", self._on_odom, 100)
        node.create_subscription(OdometryStatus, "status", self._on_status, 100)
        node.create_subscription(FeatureArray, "features", self._on_features, 100)
        node.create_subscription(FeatureMatches, "matches", self._on_matches, 100)

    @property
    def trajectory(self) -> Trajectory:
        """Poses of the child frame (the camera) in odom."""
        stamps = sorted(self.poses)
        poses = np.array([self.poses[s] for s in stamps]).reshape(-1, 4, 4)
        return Trajectory(np.array(stamps, dtype=np.int64), poses)

    def _on_odom(self, msg: OdometryMsg) -> None:
        self.poses[conversions.to_ns(msg.header.stamp)] = conversions.pose_from_msg(msg.pose.pose)

    def _on_status(self, msg: OdometryStatus) -> None:
        self.states[conversions.to_ns(msg.header.stamp)] = State(msg.state)
        self.resets = msg.reset_counter

    def _on_features(self, msg: FeatureArray) -> None:
        if conversions.to_ns(msg.header.stamp) == self._showcase:
            self.features = conversions.features_from_msg(msg)

    def _on_matches(self, msg: FeatureMatches) -> None:
        if conversions.to_ns(msg.stamp_b) == self._showcase:
            self.inliers = np.array(msg.index_b, np.int32)[np.array(msg.inlier, np.bool_)]


def demo(data: Path | None, out: Path, image: str = "") -> None:
    """Run everything and leave ``trajectory.tum`` and ``summary.png`` in ``out``.

    Args:
        data: a sequence or bag; None renders one.
        out: folder for all that is made; a bag that is there already is used again.
        image: topic or list of the images; empty: chosen by what it is.
    """
    with extra("eval"):  # before the replay, not after it
        import matplotlib  # noqa: F401
    make_folder(out)
    source = open_source(data if data else render_sequence(out / "sequence"), image)
    bag = data if data and (data / "metadata.yaml").exists() else _bag_of(source, out)
    showcase = int(source.stamps[len(source) * 2 // 5])
    rclpy.init()
    player = BagPlayer(bag, image=image if bag == data else "")
    with visual_odometry(player.image, ["input.reliability=reliable"]):  # lock-step waits for every image
        recorder = Recorder(player, showcase)
        print(
            f"replaying {len(source)} frames of {source.name} through the nodes, one by one ...", flush=True
        )
        player.play(lock_step=True)
    player.destroy_node()
    realtime = bench_realtime(bag)
    rclpy.try_shutdown()
    _report(source, recorder, showcase, out)
    print(
        f"at its own rate: {realtime['odometry']} of {realtime['images']} images, {realtime['hz']:.1f} Hz, "
        f"latency {realtime['latency_ms']['median']:.0f} ms, {realtime['cpu_share']:.2f} of a core; images "
        f"fed {realtime['protocol']['reliability']}"
    )


def _bag_of(source: Source, out: Path) -> Path:
    from hybrid_features_ros.io.bags import make_bag

    bag = out / f"{source.name}_bag"
    if not bag.exists():
        print(f"writing {bag} ...", flush=True)
        make_bag(source, bag)
    return bag


def _report(source: Source, recorder: Recorder, showcase: int, out: Path) -> None:
    from hybrid_features_ros.visualization.figures import RunSummary, TrackedImage, draw_summary

    estimate = recorder.trajectory
    if len(estimate) < 2:
        raise InputError(f"{source.name}: the nodes published {len(estimate)} poses; see their log above")
    write_tum(out / "trajectory.tum", estimate)
    count = {s.name: list(recorder.states.values()).count(s) for s in State}
    lines = [
        f"frames {len(source)}, with odometry {len(estimate)}, resets {recorder.resets}",
        "states " + ", ".join(f"{name} {n}" for name, n in count.items() if n),
    ]
    if source.ground_truth is not None:
        metrics = evaluate_trajectory(estimate, source.ground_truth, alignment="sim3")
        lines += [
            f"ATE {metrics.ate_rmse_m:.3f} m rmse (Sim3-aligned: one camera has no scale)",
            f"rotation error over 30 frames: median {metrics.rot_rpe_30f_median_deg:.2f} deg, "
            f"95 % {metrics.rot_rpe_30f_p95_deg:.2f} deg",
        ]
    image = next(f.image for f in source if f.stamp == showcase)
    shown = TrackedImage(image, recorder.features, recorder.inliers)
    run = RunSummary(estimate, source.ground_truth, sorted(recorder.states.items()), shown)
    title = f"{source.name}: monocular odometry of the {Config().features.extractor} node graph"
    draw_summary(out / "summary.png", run, title, lines)
    print("\n".join([*lines, f"picture: {out / 'summary.png'}"]))


def main() -> None:
    """Command line of ``make demo``."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--data", type=Path, help="sequence folder or bag (default: render one)")
    parser.add_argument("--out", type=Path, default=Path("results/demo"), help="folder for the results")
    parser.add_argument("--image", default="", help="image topic (default: chosen by what it is)")
    given = parser.parse_args(remove_ros_args(sys.argv)[1:])  # launch adds --ros-args
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if os.environ.get("ROS_DISTRO") == "humble":  # which knows only the older name
        os.environ.setdefault("ROS_LOCALHOST_ONLY", "1")
    try:
        demo(given.data, given.out, given.image)
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

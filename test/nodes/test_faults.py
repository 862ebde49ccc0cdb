# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever comes, however fast, and whoever dies: no crash, no NaN, no silence."""

import os
import signal
import subprocess
import sys
from time import monotonic

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nav_msgs.msg import Odometry as OdometryMsg
from robot import BEGIN, Robot, compose, rolled
from ros_graph import header, image_msg, info_msg
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import State
from hybrid_features_ros.msg import FeatureArray
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.conversions import to_time
from hybrid_features_ros.nodes.diagnostics import Upstream
from hybrid_features_ros.nodes.feature_node import Item

EXAMPLES = int(os.environ.get("FAULT_EXAMPLES", "1500"))
ENCODINGS = (
    *("mono8", "mono16", "bgr8", "rgb8", "bgra8", "rgba8", "bayer_rggb8", "bayer_gbrg16", "yuv422"),
    *("yuv422_yuy2", "8UC1", "16UC1", "32FC1", "64FC3", "", "jpeg", "nonsense"),
)
sizes = st.sampled_from([0, 1, 2, 3, 16, 31, 32])
stamps = st.one_of(st.just(0), st.integers(0, 4 * 10**9), st.just(2**31 * 10**9 - 1))
numbers = st.one_of(st.floats(width=32), st.sampled_from([0.0, 1.0, 30.0, 15.5]))
frames = st.sampled_from(["camera_optical_frame", "", "/cam", "other"])


@st.composite
def images(draw):
    width, height = draw(sizes), draw(sizes)
    step = draw(st.one_of(st.just(width), st.sampled_from([0, width * 2, width * 3, width * 4, 129])))
    length = draw(st.one_of(st.just(step * height), st.integers(0, 300)))
    seed = draw(st.integers(0, 255))
    return Image(
        header=header(draw(stamps), draw(frames)), width=width, height=height, step=step,
        encoding=draw(st.sampled_from(ENCODINGS)), is_bigendian=draw(st.integers(0, 1)),
        data=np.random.default_rng(seed).integers(0, 255, length, dtype=np.uint8).tobytes(),
    )  # fmt: skip


@st.composite
def calibrations(draw):
    if draw(st.booleans()):
        return info_msg(0, draw(st.sampled_from([32, 16])), 32, 30.0)
    return CameraInfo(
        width=draw(sizes), height=draw(sizes), k=[draw(numbers) for _ in range(9)],
        distortion_model=draw(st.sampled_from(["", "plumb_bob", "equidistant", "what"])),
        d=draw(st.lists(numbers, max_size=6)), binning_x=draw(st.integers(0, 3)),
        roi=RegionOfInterest(x_offset=draw(sizes), width=draw(sizes), height=draw(sizes)),
    )  # fmt: skip


@st.composite
def feature_arrays(draw):
    n, dim = draw(st.integers(0, 30)), draw(st.sampled_from([0, 4, 128]))
    lengths = [draw(st.one_of(st.just(n), st.integers(0, 5))) if draw(st.booleans()) else n for _ in range(6)]
    rng = np.random.default_rng(draw(st.integers(0, 255)))
    x, y, score, scale, angle, sigma = (rng.uniform(0, 32, k).astype(np.float32).tolist() for k in lengths)
    length = draw(st.sampled_from([n * dim, 4 * n * dim, 7]))
    if n and draw(st.booleans()):
        sigma[:1], x[:1] = [draw(numbers)], [draw(numbers)]
    return FeatureArray(
        header=header(draw(stamps), draw(frames)), width=32, height=32, x=x, y=y, score=score, scale=scale,
        angle=angle, sigma=sigma, descriptor_dtype=draw(st.integers(0, 2)), descriptor_dim=dim,
        descriptor_metric=draw(st.integers(0, 2)),
        descriptors=rng.integers(0, 255, length, dtype=np.uint8).tobytes(),
    )  # fmt: skip


def test_random_messages_change_nothing_but_the_log(graph):
    """Straight into the callbacks and the workers' functions: only refusals in one line may come out."""
    features, odometry = compose(graph)
    features._sink = lambda head, found, upstream: odometry._process((0.0, head, found, upstream))
    published = []
    odometry._publisher._odom.publish = published.append
    used, refused = [], []

    @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
    @given(st.one_of(images(), calibrations(), feature_arrays()))
    def feed(msg):
        try:
            if isinstance(msg, Image):
                features._extract(Item(0.0, msg))
            elif isinstance(msg, CameraInfo):
                odometry._calibration._on_info(msg)
            else:
                odometry._process((0.0, msg.header, msg, Upstream()))
            used.append(type(msg))
        except InputError:
            refused.append(type(msg))

    feed()
    assert {Image, CameraInfo, FeatureArray} <= set(used), "some of each kind were valid"
    assert {Image, FeatureArray} <= set(refused), "and some were not"
    assert all(conversions.is_finite(m) for m in published)


def test_the_image_may_change_its_size_with_its_calibration(graph, photograph):
    compose(graph)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    robot.roll(3)
    half = np.ascontiguousarray(photograph[::2, ::2])
    asked = len(robot.status)
    assert robot.show(half) is None, "an image that contradicts its calibration is refused"
    assert len(robot.status) == asked
    robot.info.publish(info_msg(robot.stamp, 160, 120, 150.0))
    graph.spin_until(lambda: False, 0.2)
    assert robot.show(half) is not None
    assert robot.show(np.ascontiguousarray(rolled(photograph, 3)[::2, ::2])) is not None


@pytest.mark.parametrize(("rate", "frames"), [(1, 3), (120, 240)])
def test_slow_and_fast_cameras(graph, photograph, rate, frames):
    odom = graph.listen(OdometryMsg, "odom")
    features, odometry = compose(graph)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    shown = [rolled(photograph, 0.25 * i) for i in range(12)]
    for i in range(frames):
        robot.images.publish(image_msg(shown[i % 12], BEGIN + int((i + 1) * 1e9 / rate)))
        graph.spin_until(lambda: False, 1 / rate)
    assert graph.spin_until(
        lambda: odom and odom[-1].header.stamp.sec == (BEGIN + frames * 10**9 // rate) // 10**9
    )
    assert all(conversions.is_finite(m) for m in odom)
    assert len(odom) <= features.meter.received <= frames
    assert len(odometry._publisher._poses) <= odometry.config.frames.path_length
    assert features._worker is not None and len(features._worker._waiting) <= 1


class Process:
    """A node in a process of its own."""

    def __init__(self, name):
        self.command = [sys.executable, "-m", f"hybrid_features_ros.nodes.{name}"]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)


@pytest.mark.parametrize("victim", ["feature_node", "odometry_node"])
def test_a_killed_node_comes_back_and_the_other_goes_on(graph, photograph, victim):
    nodes = {name: Process(name) for name in ("feature_node", "odometry_node")}
    try:
        robot = Robot(graph, photograph)

        def answered():
            robot.calibrate()
            answer = robot.show(rolled(photograph, 3.0 * (len(robot.status) % 8)))
            return answer is not None and answer.state != State.WAITING

        assert graph.spin_until(answered, 40.0)
        assert graph.spin_until(lambda: answered() and robot.status[-1].inliers > 50, 20.0)
        nodes[victim].kill()
        nodes[victim].start()
        before = len(robot.status)
        assert graph.spin_until(lambda: answered() and len(robot.status) > before + 3, 40.0)
        assert robot.status[-1].inliers > 50
    finally:
        for node in nodes.values():
            node.kill()


def resident_kib():
    """Memory that this process holds now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def test_memory_does_not_grow(graph, photograph):
    """At full speed for SOAK_S seconds (`SOAK_S=3600` is the long run), after a tenth of it to settle.

    A starved machine may answer late, and images may be lost before they reach the node; but one that
    reached it is answered.
    """
    seconds = float(os.environ.get("SOAK_S", "15"))
    features, odometry = compose(graph, frames__path_length=50, frames__trajectory_length=1000)
    robot = Robot(graph, photograph)
    robot.connect()
    robot.calibrate()
    shown = [rolled(photograph, 3.0 * i) for i in range(120)]
    begin, settled, frames, late, lost = monotonic(), 0, 0, 0, 0
    while monotonic() < begin + seconds:
        reached = features.meter.received
        if robot.show(shown[frames % 120]) is None:
            late += 1
            newest = to_time(robot.stamp)
            if not graph.spin_until(
                lambda stamp=newest: robot.status and robot.status[-1].header.stamp == stamp, 30.0
            ):
                assert features.meter.received == reached, "silent stop"
                lost += 1
        robot.status[:-1] = []
        frames += 1
        if not settled and monotonic() > begin + max(seconds / 10, 5):
            settled = resident_kib()
    print(
        f"{frames} frames in {seconds:g} s, {late} late, {lost} of them lost on the way: "
        f"{settled} KiB settled, {resident_kib()} KiB at the end"
    )
    assert lost <= 2 + frames // 1000
    assert len(odometry.log) <= 1000
    assert resident_kib() - settled < 20_000

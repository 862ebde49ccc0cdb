# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags reach the nodes as they are, at their pace or in lock-step."""

from time import monotonic

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from nav_msgs.msg import Odometry as OdometryMsg
from robot import texts_of
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.bags import make_bag
from hybrid_features_ros.io.folders import FolderSource
from hybrid_features_ros.msg import OdometryStatus
from hybrid_features_ros.nodes import bag_player, conversions
from hybrid_features_ros.nodes.bag_player import BagPlayer
from hybrid_features_ros.nodes.feature_node import FeatureNode
from hybrid_features_ros.nodes.odometry_node import OdometryNode

STAMPS = 1_700_000_000_000_000_001 + 50_000_000 * np.arange(6)


@pytest.fixture
def bag(tmp_path, photograph):
    """Six images of a camera that rolls by 3 degrees a frame."""
    images = []
    for i in range(6):
        turn = cv2.getRotationMatrix2D((159.5, 119.5), 3.0 * i, 1)
        images.append(tmp_path / f"{i}.png")
        cv2.imwrite(
            str(images[-1]), cv2.warpAffine(photograph, turn, (320, 240), borderMode=cv2.BORDER_REFLECT)
        )
    source = FolderSource("roll", Camera(320, 240, 300, 300, 159.5, 119.5), STAMPS, images)
    make_bag(source, tmp_path / "bag")
    return tmp_path / "bag"


@pytest.fixture
def player(graph, bag):
    """Plays the bag into the graph, whose callbacks run while it waits."""
    player = graph.add(BagPlayer(bag))
    player.spin_once = lambda: graph.executor.spin_once(timeout_sec=0.02)
    return player


def test_lock_step_answers_every_image(graph, player, monkeypatch):
    remap = ["--ros-args", "-r", "image:=/camera/image_raw", "-r", "camera_info:=/camera/camera_info"]
    remap += ["-p", "qos_overrides./camera/image_raw.subscription.reliability:=reliable"]
    odometry = graph.add(OdometryNode(composed=True, cli_args=remap))
    graph.add(FeatureNode(sink=odometry.submit, cli_args=remap))
    odom = graph.listen(OdometryMsg, "odom")
    texts = texts_of(player, monkeypatch)
    player.play(lock_step=True)
    assert player.unanswered == 0
    assert player.reliability == "reliable"
    assert any(
        "/camera/image_raw is read by /feature_node (sensor_msgs/msg/Image, reliable" in t for t in texts
    )
    assert graph.spin_until(lambda: len(odom) == 6)
    assert [conversions.to_ns(m.header.stamp) for m in odom] == STAMPS.tolist()


@pytest.mark.parametrize("partner", ["depth", "stereo"])
def test_lock_step_waits_for_an_image_once_its_partner_is_there(graph, tmp_path, photograph, partner):
    """In a bag the image comes first: waiting for it alone would be in vain."""
    images, partners = ([tmp_path / f"{kind}{i}.png" for i in range(4)] for kind in "ab")
    depth = np.full((240, 320), 2.5 * 5000, np.uint16)
    for image, other in zip(images, partners, strict=True):
        cv2.imwrite(str(image), photograph)
        cv2.imwrite(str(other), depth if partner == "depth" else np.roll(photograph, -12, axis=1))
    camera, stamps = Camera(320, 240, 300, 300, 159.5, 119.5), STAMPS[:4]
    extra = {"depths": partners}
    if partner == "stereo":
        extra = {"right": FolderSource("right", camera, stamps, partners), "baseline": 0.1}
    make_bag(FolderSource("pair", camera, stamps, images, **extra), tmp_path / "bag")
    player = graph.add(BagPlayer(tmp_path / "bag", image="/camera/image_raw"))
    player.spin_once = lambda: graph.executor.spin_once(timeout_sec=0.02)
    names = {"image": "/camera/image_raw", "camera_info": "/camera/camera_info"}
    names |= {"depth/image": "/camera/depth/image_raw"}
    names |= {"left/image_rect": "/camera/image_raw", "left/camera_info": "/camera/camera_info"}
    names |= {"right/image_rect": "/right/image_raw", "right/camera_info": "/right/camera_info"}
    remap = ["--ros-args", *(word for a, b in names.items() for word in ("-r", f"{a}:={b}"))]
    for topic in ("/camera/image_raw", "/camera/depth/image_raw", "/right/image_raw"):
        remap += ["-p", f"qos_overrides.{topic}.subscription.reliability:=reliable"]
    remap += ["-p", f"input.{partner}:=true", "-p", "input.queue:=10"]
    odometry = graph.add(OdometryNode(composed=True, cli_args=remap))
    graph.add(FeatureNode(sink=odometry.submit, cli_args=remap))
    odom = graph.listen(OdometryMsg, "odom")
    player.play(lock_step=True)
    assert player.unanswered == 0
    assert graph.spin_until(lambda: len(odom) == 4)


def test_what_nobody_reads_is_not_sent(graph, player, monkeypatch):
    sent = []
    for topic, output in player._outputs.items():
        monkeypatch.setattr(output, "publish", lambda _, topic=topic: sent.append(topic))
    graph.listen(Image, "/camera/image_raw")
    player.play(rate=100)
    assert {"/camera/image_raw"} <= set(sent) <= {"/camera/image_raw", "/tf_static"}
    assert "/camera/camera_info" in player._outputs


def test_nothing_is_played_before_the_last_listener_has_joined(graph, player):
    graph.listen(Image, "/camera/image_raw")
    infos = []

    def join():
        timer.cancel()
        graph.tester.create_subscription(CameraInfo, "/camera/camera_info", infos.append, 10)

    timer = graph.tester.create_timer(0.4, join)
    player.play(rate=100)
    assert graph.spin_until(lambda: len(infos) == 6)


def test_lock_step_shows_calibration_and_image_again_to_a_waiting_odometry(graph, player):
    """This one hears of the calibration only after the first image, when the first message of it is lost."""
    status = graph.tester.create_publisher(OdometryStatus, "status", 10)
    infos, states = [], {}

    def on_image(msg):
        if not states:
            graph.tester.create_subscription(CameraInfo, "/camera/camera_info", infos.append, 10)
        state = OdometryStatus.STATE_TRACKING if infos else OdometryStatus.STATE_WAITING
        states.setdefault(conversions.to_ns(msg.header.stamp), []).append(state)
        status.publish(OdometryStatus(header=msg.header, state=state))

    graph.tester.create_subscription(Image, "/camera/image_raw", on_image, 10)
    player.play(lock_step=True)
    assert player.unanswered == 0
    assert list(states) == STAMPS.tolist()
    assert states[STAMPS[0]][0] == OdometryStatus.STATE_WAITING
    assert {answers[-1] for answers in states.values()} == {OdometryStatus.STATE_TRACKING}


def test_messages_arrive_unchanged_in_order_and_in_time(graph, bag, monkeypatch):
    monkeypatch.setattr(bag_player, "SETTLED_S", 0.0)
    images = graph.listen(Image, "/camera/image_raw")
    infos = graph.listen(CameraInfo, "/camera/camera_info")
    clock = graph.listen(Clock, "/clock")
    player = BagPlayer(bag, clock=True)
    assert graph.spin_until(lambda: player.count_subscribers("/camera/image_raw"))
    begin = monotonic()
    player.play(rate=2.0)
    lasted = monotonic() - begin
    assert graph.spin_until(lambda: len(images) == len(infos) == 6 and len(clock) == 12)
    assert 0.11 < lasted < 2.0, "six images 50 ms apart at twice the speed"
    assert [conversions.to_ns(m.header.stamp) for m in images] == STAMPS.tolist()
    assert [conversions.to_ns(m.clock) for m in clock] == sorted(STAMPS.tolist() * 2)
    assert infos[0].k[0] == 300
    player.destroy_node()


def test_a_bag_without_the_wanted_images(graph, bag):
    with pytest.raises(InputError, match="no image topic /front; the bag has /camera/camera_info"):
        BagPlayer(bag, image="/front")

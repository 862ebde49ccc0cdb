# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What SLAM stacks and filters take from us: keyframes, images with features for RTAB-Map, ekf.yaml."""

import importlib
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

from nav_msgs.msg import Odometry as OdometryMsg
from robot import FRAME_NS, Robot, compose
from ros_graph import header, image_msg, info_msg
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from synthetic import CAMERA, World, turn

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.config import Config
from hybrid_features_ros.core.types import DescriptorFormat, Features, Metric, equal
from hybrid_features_ros.msg import FeatureArray, Keyframe, OdometryStatus
from hybrid_features_ros.nodes import conversions, rtabmap
from hybrid_features_ros.nodes.odometry_node import OdometryNode


def test_an_image_that_becomes_a_keyframe_late_is_published_too(graph):
    """After a jump to the side the image before it is what the map needs."""
    graph.add(OdometryNode())
    publisher = graph.tester.create_publisher(FeatureArray, "features", 5)
    info = graph.tester.create_publisher(CameraInfo, "camera_info", 5)
    keyframes, status = graph.listen(Keyframe, "keyframes"), graph.listen(OdometryStatus, "status")
    assert graph.spin_until(lambda: publisher.get_subscription_count() and info.get_subscription_count())
    info.publish(info_msg(1))
    graph.spin_until(lambda: False, 0.2)
    for i, angle in enumerate((0.0, 8.0, 16.0, 60.0)):
        seen = World.random().seen_from(turn(y=angle), noise_px=0.3, seed=i)
        publisher.publish(conversions.features_to_msg(seen, header(10**9 + i * FRAME_NS)))
        assert graph.spin_until(lambda n=i: len(status) == n + 1)
    assert graph.spin_until(lambda: len(keyframes) == status[-1].keyframes)
    assert [k.number for k in keyframes] == list(range(1, len(keyframes) + 1))
    assert conversions.to_ns(keyframes[1].header.stamp) == 10**9 + 2 * FRAME_NS


def test_keyframes_carry_their_features_and_lie_on_the_odometrys_path(graph):
    """A camera passes through a room with measured depth: each keyframe is an image of the odometry's."""
    graph.add(OdometryNode())
    publisher = graph.tester.create_publisher(FeatureArray, "features", 5)
    info = graph.tester.create_publisher(CameraInfo, "camera_info", 5)
    keyframes, odom = graph.listen(Keyframe, "keyframes"), graph.listen(OdometryMsg, "odom")
    status = graph.listen(OdometryStatus, "status")
    assert graph.spin_until(lambda: publisher.get_subscription_count() and info.get_subscription_count())
    info.publish(info_msg(1))
    graph.spin_until(lambda: False, 0.2)
    shown = []
    for i in range(30):
        T = se3.make(np.eye(3), [0.08 * i, 0, 0])
        shown.append(World.random().seen_from(T, with_depth=True, noise_px=0.2, seed=i))
        publisher.publish(conversions.features_to_msg(shown[-1], header(10**9 + i * FRAME_NS)))
        assert graph.spin_until(lambda n=i: len(status) == n + 1)
    assert graph.spin_until(lambda: len(odom) == 30 and len(keyframes) == status[-1].keyframes)
    assert 2 < len(keyframes) < 30
    points = {}  # of the scene, told by their descriptors
    for keyframe in keyframes:
        seen = conversions.features_from_msg(keyframe.features)
        for number, descriptor in zip(seen.track_ids.tolist(), seen.descriptors, strict=True):
            points.setdefault(number, set()).add(descriptor.tobytes())
    assert -1 not in points and sum(len(k.features.x) for k in keyframes) > 1.5 * len(points)
    assert np.mean([len(same) == 1 for same in points.values()]) > 0.99
    assert [k.number for k in keyframes] == list(range(1, len(keyframes) + 1))
    at = {conversions.to_ns(m.header.stamp): m for m in odom}
    for keyframe in keyframes:
        stamp = conversions.to_ns(keyframe.header.stamp)
        assert (keyframe.header.frame_id, keyframe.features.header.frame_id) == (
            "odom", "camera_optical_frame"
        )  # fmt: skip
        # Without a base the odometry's child frame is the camera itself.
        assert keyframe.pose == at[stamp].pose
        seen = conversions.features_from_msg(keyframe.features)
        assert equal(replace(seen, track_ids=None), shown[(stamp - 10**9) // FRAME_NS])
        assert seen.depths is not None
        right = 0.08 * (stamp - 10**9) / FRAME_NS  # the body's y axis points to the left
        place = conversions.pose_from_msg(keyframe.pose.pose)[:3, 3]
        assert np.allclose(place, [0, -right, 0], atol=0.02)
    assert right > 1


@dataclass
class Point2f:
    x: float
    y: float


@dataclass
class Point3f:
    x: float
    y: float
    z: float


@dataclass
class KeyPoint:
    pt: Point2f
    size: float
    angle: float
    response: float
    octave: int = 0
    class_id: int = 0


@dataclass
class RGBDImage:
    key_points: list[KeyPoint] = field(default_factory=list)
    points: list[Point3f] = field(default_factory=list)
    descriptors: Any = ()


try:
    MESSAGES = [importlib.import_module("rtabmap_msgs.msg")]
except ImportError:
    MESSAGES = []
# Where the package is missing: classes with the fields that rtabmap_msgs 0.22 declares.
NAMESAKES = SimpleNamespace(Point2f=Point2f, Point3f=Point3f, KeyPoint=KeyPoint, RGBDImage=RGBDImage)


def uncompressed(stream):
    """What rtabmap::uncompressData makes of a stream: the last three int32 are rows, columns and type."""
    data = bytes(stream)
    rows, columns, kind = np.frombuffer(data[-12:], np.int32)
    dtype = {0: np.uint8, 5: np.float32}[int(kind)]
    return np.frombuffer(zlib.decompressobj().decompress(data), dtype).reshape(rows, columns)


@pytest.mark.parametrize("types", [NAMESAKES, *MESSAGES], ids=lambda t: getattr(t, "__name__", "namesakes"))
@pytest.mark.parametrize(
    ("given", "wire"),
    [
        (DescriptorFormat("d", "float"), np.float32),
        (DescriptorFormat("d", "bytes", Metric.L2, 0.5, -1.0), np.float32),
        (DescriptorFormat("d", "bits", Metric.HAMMING), np.uint8),
    ],
)
def test_features_in_the_terms_of_rtabmap(types, given, wire):
    rng = np.random.default_rng(3)
    raw = rng.integers(0, 255, (4, 32), dtype=np.uint8)
    seen = World.random().seen_from(np.eye(4), with_depth=True)
    depths = seen.depths[:4].copy()
    depths[1] = np.nan
    features = Features(
        points=seen.points[:4], scores=seen.scores[:4], scales=np.float32([1, 2, 3, 4]),
        angles=np.float32([0, np.pi / 2, -np.pi / 2, np.nan]), sigmas=seen.sigmas[:4],
        descriptors=raw.astype(np.float32) if given.descriptor == "float" else raw,
        format=given, width=640, height=480, depths=depths,
    )  # fmt: skip
    msg = types.RGBDImage()
    rtabmap.fill(msg, types, features, CAMERA)
    assert np.array_equal([(k.pt.x, k.pt.y) for k in msg.key_points], features.points)
    assert [k.size for k in msg.key_points] == [2, 4, 6, 8], "a diameter in OpenCV"
    assert np.allclose([k.angle for k in msg.key_points], [0, 90, 270, -1], atol=1e-4)
    points = np.array([(p.x, p.y, p.z) for p in msg.points])
    assert np.allclose(CAMERA.project(points)[[0, 2, 3]], features.points[[0, 2, 3]], atol=1e-3)
    assert np.allclose(points[:, 2], depths, equal_nan=True)
    assert np.isnan(points[1]).all(), "RTAB-Map's mark of an unknown point"
    descriptors = uncompressed(msg.descriptors)
    assert descriptors.dtype == wire, "RTAB-Map takes bytes for bits"
    expected = raw * 0.5 - 1.0 if given.descriptor == "bytes" else raw
    assert np.array_equal(descriptors, expected)


def test_an_image_without_features_is_still_one():
    msg, nothing = RGBDImage(), np.zeros(0, np.float32)
    empty = Features(
        points=np.zeros((0, 2), np.float32), scores=nothing, scales=nothing, angles=nothing, sigmas=nothing,
        descriptors=np.zeros((0, 8), np.float32), format=DescriptorFormat("d", "e"), width=64, height=48,
        depths=nothing,
    )  # fmt: skip
    rtabmap.fill(msg, NAMESAKES, empty, CAMERA)
    assert (msg.key_points, msg.points, len(msg.descriptors)) == ([], [], 0)


def test_without_rtabmap_nothing_is_offered(graph, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rtabmap_msgs.msg", None)
    features, _ = compose(graph, input__depth=True)
    assert not features._rtabmap.wanted
    assert "/rgbd_image" not in dict(graph.tester.get_topic_names_and_types())


@pytest.mark.parametrize("stereo", [False, True], ids=["depth", "stereo"])
def test_rtabmap_hears_images_with_our_features(graph, photograph, stereo):
    messages = pytest.importorskip("rtabmap_msgs.msg", reason="rtabmap_msgs comes with RTAB-Map's packages")
    compose(graph, input__stereo=stereo, input__depth=not stereo, input__rectified=True)
    heard = graph.listen(messages.RGBDImage, "rgbd_image", 5)
    robot = Robot(graph, photograph, topic="left/image_rect" if stereo else "image")
    partners = graph.tester.create_publisher(Image, "right/image_rect" if stereo else "depth/image", 5)
    infos = [
        graph.tester.create_publisher(CameraInfo, f"{side}camera_info", 5)
        for side in (("left/", "right/") if stereo else ("",))
    ]
    robot.info = infos[0]
    robot.connect()
    wanted = [partners, *infos]
    assert graph.spin_until(lambda: all(p.get_subscription_count() > (p in infos) for p in wanted))
    info = info_msg(0, 320, 240, 300.0)
    robot.info.publish(info)
    info.p[3] = -30.0
    infos[-1].publish(info if stereo else info_msg(0, 320, 240, 300.0))
    graph.spin_until(lambda: False, 0.2)
    flat = np.full((240, 320), 2500, np.uint16)
    for _ in range(2):
        partner = image_msg(np.roll(photograph, -12, axis=1), robot.stamp + FRAME_NS)
        if not stereo:
            partner.encoding, partner.step, partner.data = "16UC1", 640, flat.tobytes()
        partners.publish(partner)
        answer = robot.show(photograph)
    assert graph.spin_until(lambda: len(heard) == 2)
    msg = heard[-1]
    assert msg.header == answer.header.__class__(stamp=answer.header.stamp, frame_id="camera_optical_frame")
    assert len(msg.key_points) == len(msg.points) == answer.keypoints == len(uncompressed(msg.descriptors))
    assert np.array_equal(conversions.image_from_msg(msg.rgb), photograph)
    depths = np.array([p.z for p in msg.points])
    assert np.nanmedian(depths) == pytest.approx(2.5, abs=0.01)
    assert msg.depth_camera_info.p[3] == (-30.0 if stereo else 0.0)


def test_compressed_pictures_are_handed_on_as_they_came():
    msg = SimpleNamespace()
    rtabmap._put(msg, "rgb", CompressedImage(header=header(7), format="bgr8; png compressed", data=b"abc"))
    assert bytes(msg.rgb_compressed.data) == b"abc"
    assert msg.rgb_compressed.format == "jpg", "RTAB-Map decodes others as depth"


def test_the_filters_file_fuses_our_pose_and_velocity():
    """robot_localization: 15 flags, x y z, roll pitch yaw, their velocities, accelerations."""
    page = yaml.safe_load((Path(__file__).parents[2] / "config" / "ekf.yaml").read_text())
    ((name, node),) = page.items()
    assert name.endswith("ekf_filter_node"), "the node's name if none is given"
    values = node["ros__parameters"]
    assert [len(values[f"odom{i}_config"]) for i in (0, 1)] == [15, 15]
    ours = np.array(values["odom0_config"]).reshape(5, 3)
    assert ours[[0, 1]].all(), "velocities alone, integrated at the camera's rate, lose degrees in turns"
    assert ours[[2, 3]].all()
    assert not ours[4].any(), "accelerations, which we have not"
    wheels = np.array(values["odom1_config"]).reshape(5, 3)
    assert not wheels[[0, 1]].any(), "one source of poses"
    assert not values["odom0_differential"]
    assert values["world_frame"] == values["odom_frame"] == Config().frames.odom
    assert values["base_link_frame"] == "base_link"
    assert values["publish_tf"]

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Sequences become bags and bags become the same sequences."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import sequences
import yaml
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_typestore

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.bags import make_bag, open_bag, read_messages, topics
from hybrid_features_ros.io.source import Imu
from hybrid_features_ros.io.sources import open_source


@pytest.fixture
def source(tmp_path):
    plain = open_source(
        sequences.plain(tmp_path / "walk", depth=True, colour=True, dist=[-0.2, 0.1, 0, 0, 0])
    )
    imu = Imu(sequences.stamps(), np.arange(15.0).reshape(5, 3), -np.arange(15.0).reshape(5, 3))
    return replace(plain, imu=imu, right=plain, baseline=0.25)


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
@pytest.mark.parametrize("compressed", [False, True])
def test_nothing_is_lost_on_the_way(source, tmp_path, storage, compressed):
    make_bag(source, tmp_path / "bag", compressed=compressed, storage=storage)
    again = open_source(tmp_path / "bag")
    assert again.camera == source.camera
    assert np.array_equal(again.stamps, source.stamps)
    for ours, theirs in zip(source, again, strict=True):
        assert ours.stamp == theirs.stamp
        assert np.array_equal(ours.image, theirs.image)
        assert np.array_equal(ours.depth, theirs.depth, equal_nan=True)
    assert np.array_equal(again.ground_truth.stamps, source.ground_truth.stamps)
    assert np.allclose(again.ground_truth.poses, source.ground_truth.poses, atol=1e-8)
    assert np.array_equal(again.imu.gyro, source.imu.gyro)
    assert np.array_equal(again.imu.accel, source.imu.accel)


def test_topics_and_order(source, tmp_path):
    make_bag(source, tmp_path / "bag")
    kinds = topics(tmp_path / "bag")
    assert kinds["/camera/image_raw"] == "sensor_msgs/msg/Image"
    assert set(kinds) == {
        "/camera/image_raw", "/camera/camera_info", "/camera/depth/image_raw", "/right/image_raw",
        "/right/camera_info", "/imu", "/ground_truth/pose", "/tf",
    }  # fmt: skip
    received = [(m.stamp, m.topic) for m in read_messages(tmp_path / "bag")]
    assert [stamp for stamp, _ in received] == sorted(stamp for stamp, _ in received)
    first = [topic for _, topic in received]
    assert first.index("/camera/camera_info") < first.index("/camera/image_raw")
    assert len(received) == 8 * len(source)


def test_right_camera_knows_its_baseline(source, tmp_path):
    make_bag(source, tmp_path / "bag")
    store = get_typestore(Stores.ROS2_JAZZY)
    infos = [m for m in read_messages(tmp_path / "bag") if m.topic == "/right/camera_info"]
    info = store.deserialize_cdr(infos[0].data, "sensor_msgs/msg/CameraInfo")
    assert info.p[3] == pytest.approx(-50.0 * 0.25)


def test_ros1_bags(source, tmp_path):
    """The same messages, written the old way."""
    make_bag(source, tmp_path / "bag")
    ros1 = get_typestore(Stores.ROS1_NOETIC)
    with Writer1(tmp_path / "old.bag") as writer:
        connections = {
            topic: writer.add_connection(topic, kind, typestore=ros1)
            for topic, kind in topics(tmp_path / "bag").items()
            if kind.startswith("sensor_msgs/msg/Im")
        }
        info = writer.add_connection("/camera/camera_info", "sensor_msgs/msg/CameraInfo", typestore=ros1)
        store = get_typestore(Stores.ROS2_JAZZY)
        for number, m in enumerate(read_messages(tmp_path / "bag")):
            if m.topic in connections:
                connection = connections[m.topic]
                new = store.deserialize_cdr(m.data, connection.msgtype)
                header = ros1.types["std_msgs/msg/Header"](number, new.header.stamp, new.header.frame_id)
                old = ros1.types[connection.msgtype](**{**vars(new), "header": header})
                writer.write(connection, m.stamp, ros1.serialize_ros1(old, connection.msgtype))
            elif m.topic == "/camera/camera_info":
                new = vars(store.deserialize_cdr(m.data, info.msgtype))
                header = ros1.types["std_msgs/msg/Header"](number, new["header"].stamp, "camera")
                upper = {k.upper() if k in "dkrp" else k: v for k, v in new.items()}
                old = ros1.types[info.msgtype](**{**upper, "header": header})
                writer.write(info, m.stamp, ros1.serialize_ros1(old, info.msgtype))
    again = open_source(tmp_path / "old.bag")
    assert again.camera == source.camera
    assert all(np.array_equal(a.image, b.image) for a, b in zip(source, again, strict=True))
    as_ros2 = [m for m in read_messages(tmp_path / "old.bag") if m.topic == "/camera/image_raw"]
    image = store.deserialize_cdr(as_ros2[0].data, "sensor_msgs/msg/Image")
    assert np.array_equal(image.data.reshape(48, 64, 3), sequences.image(0, colour=True))


def test_a_bag_without_images_is_refused(tmp_path):
    path = sequences.plain(tmp_path / "walk")
    for file in (path / "images").iterdir():
        file.write_bytes(b"")
    with pytest.raises(InputError, match=r"walk: no image could be read: .*images.0\.png"):
        make_bag(open_source(path), tmp_path / "bag")


def test_a_bag_is_never_overwritten(source, tmp_path):
    make_bag(source, tmp_path / "bag")
    with pytest.raises(InputError, match="exists; delete it or choose another name"):
        make_bag(source, tmp_path / "bag")


def bag_with(path, *kept, source):
    """A bag that has only some of the topics."""
    make_bag(source, path.with_name("full"))
    kinds = topics(path.with_name("full"))
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer2(path, version=9) as writer:
        connections = {t: writer.add_connection(t, kinds[t], typestore=store) for t in kept}
        for m in read_messages(path.with_name("full")):
            if m.topic in kept:
                writer.write(connections[m.topic], m.stamp, m.data)
    shutil.rmtree(path.with_name("full"))
    return path


def test_bags_that_cannot_serve(source, tmp_path):
    with pytest.raises(InputError, match="no image topic; the bag has /imu"):
        open_bag(bag_with(tmp_path / "a", "/imu", source=source))
    with pytest.raises(
        InputError, match="no /camera/camera_info for the images on /camera/image_raw; the bag has no"
    ):
        open_bag(bag_with(tmp_path / "b", "/camera/image_raw", source=source))
    make_bag(source, tmp_path / "c")
    with pytest.raises(InputError, match="no image topic /front; the bag has /camera"):
        open_source(tmp_path / "c", topic="/front")
    (tmp_path / "c" / "metadata.yaml").write_text("rosbag2_bagfile_information: nonsense")
    with pytest.raises(InputError, match="none: no such file or folder"):
        topics(tmp_path / "none")
    with pytest.raises(InputError, match=r"not a bag \(.bag, .mcap"):
        topics(tmp_path)
    with pytest.raises(InputError, match="not a bag that can be read"):
        open_source(tmp_path / "c")


def test_another_image_topic_may_be_chosen(source, tmp_path):
    make_bag(source, tmp_path / "bag")
    assert open_source(tmp_path / "bag", topic="/right/image_raw").topic == "/right/image_raw"


def test_humble_reads_the_metadata(tmp_path):
    """rosbag2 of Humble wants the offered quality of service as text; from version 9 on it is a list."""
    make_bag(open_source(sequences.plain(tmp_path / "walk")), tmp_path / "bag")
    content = yaml.safe_load((tmp_path / "bag" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert content["version"] <= 8
    offered = [t["topic_metadata"]["offered_qos_profiles"] for t in content["topics_with_message_count"]]
    assert len(offered) > 2 and all(isinstance(text, str) for text in offered)

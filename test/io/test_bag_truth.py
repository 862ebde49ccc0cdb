# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The true path in a bag, on topics of every type and of every frame."""

import bagmaker
import numpy as np
import pytest
import sequences
from bagmaker import header, info, new, static

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.bags import open_bag
from hybrid_features_ros.io.source import Choice

STAMPS = sequences.stamps().tolist()
POSES = sequences.truth().poses
T_BODY_CAMERA = se3.make([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], [0.1, 0.02, -0.3])
KINDS = {
    "PoseStamped": "geometry_msgs/msg/PoseStamped",
    "PoseWithCovarianceStamped": "geometry_msgs/msg/PoseWithCovarianceStamped",
    "TransformStamped": "geometry_msgs/msg/TransformStamped",
    "Odometry": "nav_msgs/msg/Odometry",
    "Path": "nav_msgs/msg/Path",
    "TFMessage": "tf2_msgs/msg/TFMessage",
}


def pose(T):
    x, y, z, w = se3.to_quaternion(T).tolist()
    return new(
        "geometry_msgs/msg/Pose",
        position=new("geometry_msgs/msg/Point", **dict(zip("xyz", T[:3, 3].tolist(), strict=True))),
        orientation=new("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w),
    )


def transform(stamp, T, parent="world", child="body"):
    p = pose(T)
    return new(
        KINDS["TransformStamped"], header=header(stamp, parent), child_frame_id=child,
        transform=new(
            "geometry_msgs/msg/Transform", rotation=p.orientation,
            translation=new("geometry_msgs/msg/Vector3", x=p.position.x, y=p.position.y, z=p.position.z),
        ),
    )  # fmt: skip


def truth(name, topic, poses=POSES):
    """Messages of a type; those with a child frame call it body."""
    entries, path = [], []
    nothing = new("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0)
    twist = new(
        "geometry_msgs/msg/TwistWithCovariance",
        twist=new("geometry_msgs/msg/Twist", linear=nothing, angular=nothing), covariance=np.zeros(36),
    )  # fmt: skip
    for stamp, T in zip(STAMPS, poses, strict=True):
        head = header(stamp, "world")
        doubt = new("geometry_msgs/msg/PoseWithCovariance", pose=pose(T), covariance=np.zeros(36))
        path.append(new(KINDS["PoseStamped"], header=head, pose=pose(T)))
        message = {
            "PoseStamped": lambda head=head, T=T: new(KINDS["PoseStamped"], header=head, pose=pose(T)),
            "PoseWithCovarianceStamped": lambda head=head, doubt=doubt: new(
                KINDS["PoseWithCovarianceStamped"], header=head, pose=doubt
            ),
            "TransformStamped": lambda stamp=stamp, T=T: transform(stamp, T),
            "Odometry": lambda head=head, doubt=doubt: new(
                KINDS["Odometry"], header=head, child_frame_id="body", pose=doubt, twist=twist
            ),
            "Path": lambda head=head: new(KINDS["Path"], header=head, poses=list(path)),
            "TFMessage": lambda stamp=stamp, T=T: new(KINDS["TFMessage"], transforms=[transform(stamp, T)]),
        }[name]()
        entries.append((topic, KINDS[name], stamp, message))
    return entries


def camera(changed=()):
    for i, stamp in enumerate(STAMPS):
        yield info("/camera_info", stamp, K=[[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]] if i in changed else
                   sequences.K)  # fmt: skip
        yield bagmaker.image("/image", stamp, sequences.image(i))


def bag(tmp_path, *entries):
    return bagmaker.write(tmp_path / "bag", [*camera(), *entries])


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("mounted", [False, True])
def test_every_type_tells_the_camera_s_path(tmp_path, name, mounted):
    """With the mounting of the body's camera, where the type names a body; else a word that none is known."""
    body = "TransformStamped", "Odometry", "TFMessage"
    entries = truth(name, "/vicon/body")
    if mounted or name == "TFMessage":
        entries.append(static("body", "cam", T_BODY_CAMERA))
    source = open_bag(bag(tmp_path, *entries), Choice(truth="/vicon/body"))
    moved = (mounted and name in body) or name == "TFMessage"
    expected = POSES @ T_BODY_CAMERA if moved else POSES
    assert np.allclose(source.ground_truth.poses, expected, atol=1e-9)
    assert source.ground_truth.stamps.tolist() == STAMPS
    assert ("taken for those of the camera" in source.notes.assumed.get("truth frame", "")) == (not moved)


@pytest.mark.parametrize(
    ("topic", "taken"),
    [("/ground_truth/pose", True), ("/vicon/drone/drone", True), ("/gt_pose", True), ("/mocap/pose", True),
     ("/odom", False), ("/length/pose", False)],
)  # fmt: skip
def test_truth_is_told_by_its_name(tmp_path, topic, taken):
    source = open_bag(bag(tmp_path, *truth("PoseStamped", topic)))
    assert (source.ground_truth is not None) == taken
    if not taken:
        assert f"{topic} (geometry_msgs/msg/PoseStamped); --truth chooses" in source.notes.missing["truth"]
    assert ("truth topic" in source.notes.assumed) == (taken and topic != "/ground_truth/pose")


def test_one_of_several_and_what_is_none(tmp_path):
    path = bag(tmp_path, *truth("Odometry", "/gt/a"), *truth("Odometry", "/gt/b", POSES[::-1]))
    assert open_bag(path).ground_truth is None
    assert np.allclose(open_bag(path, Choice(truth="/gt/b")).ground_truth.poses, POSES[::-1])
    with pytest.raises(InputError, match=r"--truth /image: topics with poses are /gt/a \(nav_msgs"):
        open_bag(path, Choice(truth="/image"))


def test_a_file_says_where_the_camera_is_on_the_body(tmp_path):
    calib = tmp_path / "sensor.yaml"
    K = f"[50, 50, {sequences.K[0][2]}, {sequences.K[1][2]}]"
    calib.write_text(
        f"T_BS:\n  data: {T_BODY_CAMERA.ravel().tolist()}\nresolution: [64, 48]\ncamera_model: pinhole\n"
        f"intrinsics: {K}\ndistortion_model: radtan\ndistortion_coefficients: [0, 0, 0, 0]\n"
    )
    source = open_bag(bag(tmp_path, *truth("TransformStamped", "/vicon/x")), Choice(calib=calib))
    assert np.allclose(source.ground_truth.poses, POSES @ T_BODY_CAMERA, atol=1e-9)


def test_transforms_that_do_not_say_one_path(tmp_path):
    path = bag(tmp_path, *truth("TFMessage", "/tf"))
    with pytest.raises(InputError, match="along cam, 0 transforms move"):
        _ = open_bag(path, Choice(truth="/tf")).ground_truth
    kind = KINDS["TFMessage"]
    inner = [transform(s, T, "body", "cam") for s, T in zip(STAMPS, POSES, strict=True)]
    inner = [("/tf", kind, s, new(kind, transforms=[t])) for s, t in zip(STAMPS, inner, strict=True)]
    path = bagmaker.write(tmp_path / "two", [*camera(), *truth("TFMessage", "/tf"), *inner])
    with pytest.raises(InputError, match="along world - body - cam, 2 transforms move"):
        _ = open_bag(path, Choice(truth="/tf")).ground_truth


def test_images_with_another_calibration_are_left_out_and_counted(tmp_path):
    source = open_bag(bagmaker.write(tmp_path / "bag", camera(changed=(2, 3))))
    assert source.stamps.tolist() == [STAMPS[0], STAMPS[1], STAMPS[4]] and source.camera.fx == 50
    assert "left out of 5 images: 2 whose calibration" in source.notes.assumed["calibration"]
    assert [f.stamp for f in source] == source.stamps.tolist()

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two cameras with different lenses, not quite side by side, become a rectified pair."""

import bagmaker
import cv2
import numpy as np
import pytest

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera, Distortion
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Trajectory
from hybrid_features_ros.io.folders import FolderSource
from hybrid_features_ros.io.rectified import rectify
from hybrid_features_ros.io.source import Choice, Frame, Imu
from hybrid_features_ros.io.sources import open_source

LEFT = Camera(160, 120, 110.0, 112.0, 82.0, 57.0, Distortion.RADTAN, (-0.28, 0.07, 0.001, -0.001))
RIGHT = Camera(160, 120, 105.0, 105.0, 77.0, 63.0, Distortion.EQUIDISTANT, (-0.01, 0.02, -0.01, 0.003))
T_LEFT_RIGHT = se3.exp([0.12, 0.004, -0.01, 0.02, 0.05, -0.03])
T_BODY_LEFT = se3.exp([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
WALL_M = 2.0
POSES = [se3.exp([0.05 * i, -0.02 * i, 0.03 * i, 0.01 * i, -0.02 * i, 0.03 * i]) for i in range(3)]
STAMPS = 1_700_000_000_000_000_000 + 50_000_000 * np.arange(3)
TEXTURE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (800, 800), dtype=np.uint8), (0, 0), 4)
TEXTURE = cv2.normalize(TEXTURE, None, 0, 255, cv2.NORM_MINMAX)


def view(camera, T_world_camera):
    """What a camera sees of a papered wall at z = WALL_M."""
    y, x = np.mgrid[: camera.height, : camera.width]
    rays = camera.bearings(np.stack([x.ravel(), y.ravel()], axis=1)) @ T_world_camera[:3, :3].T
    at = T_world_camera[:3, 3] + rays * ((WALL_M - T_world_camera[2, 3]) / rays[:, 2])[:, None]
    u, v = (150 * at[:, :2] + 400).astype(np.float32).T.reshape(2, *x.shape)
    return cv2.remap(TEXTURE, u, v, cv2.INTER_CUBIC)


class Seen(FolderSource):
    """A camera on its way along the wall."""

    def __iter__(self):
        for stamp, T in zip(self.stamps.tolist(), self.ground_truth.poses, strict=True):
            yield Frame(stamp, view(self.camera, T))


def seen(camera, T_left_camera=None):
    T_left_camera = np.eye(4) if T_left_camera is None else T_left_camera
    truth = Trajectory(STAMPS, np.array([T @ T_left_camera for T in POSES]))
    imu = Imu(STAMPS, np.tile([0.1, 0.2, 0.3], (3, 1)), np.tile([1.0, 2, 3], (3, 1)))
    return Seen(name="wall", camera=camera, stamps=STAMPS, images=[None] * 3, ground_truth=truth, imu=imu)


def difference(image, expected):
    """Where both show the wall, without a rim that only one of them may see."""
    return np.abs(image.astype(int) - expected)[12:-12, 12:-12].mean()


def test_a_pair_shows_what_pinholes_side_by_side_see():
    left = rectify(seen(LEFT), seen(RIGHT, T_LEFT_RIGHT), T_LEFT_RIGHT)
    right = left.right
    assert left.camera == right.camera and left.camera.distortion is Distortion.NONE
    assert left.baseline == pytest.approx(np.linalg.norm(T_LEFT_RIGHT[:3, 3]))
    between = se3.inverse(left.ground_truth.poses[1]) @ right.ground_truth.poses[1]
    assert np.allclose(between, se3.make(np.eye(3), [left.baseline, 0, 0]), atol=1e-12)
    for source in (left, right):
        for frame, T in zip(source, source.ground_truth.poses, strict=True):
            assert difference(frame.image, view(source.camera, T)) < 3.0
            assert difference(frame.image, view(source.camera, POSES[0])) > 10.0  # the measure tells
    turned = left.ground_truth.poses[0][:3, :3].T @ POSES[0][:3, :3]
    assert np.allclose(left.imu.gyro, turned @ [0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("T", "message"),
    [
        (se3.inverse(T_LEFT_RIGHT), "be to the right of the left one"),
        (np.eye(4), "the two cameras of the pair are at one place"),
        (se3.make(se3.exp([0, 0, 0, 0, 2.0, 0])[:3, :3], [0.1, 0, 0]), "look the same way"),
        (se3.make(np.eye(3), [0, 0.1, 0]), "be to the right of the left one"),
    ],
)
def test_what_is_no_pair(T, message):
    with pytest.raises(InputError, match=message):
        rectify(seen(LEFT), seen(RIGHT, T_LEFT_RIGHT), T)


@pytest.fixture
def drone(tmp_path):
    """The pair in EuRoC's layout, the right images 1 ms late."""
    for name, camera, T in (("cam0", LEFT, np.eye(4)), ("cam1", RIGHT, T_LEFT_RIGHT)):
        folder = tmp_path / "mav0" / name
        (folder / "data").mkdir(parents=True)
        rows = []
        for stamp, pose in zip((STAMPS + (name == "cam1") * 1_000_000).tolist(), POSES, strict=True):
            cv2.imwrite(str(folder / f"data/{stamp}.png"), view(camera, pose @ T))
            rows.append(f"{stamp},{stamp}.png")
        (folder / "data.csv").write_text("\n".join(rows))
        model = "radtan" if camera is LEFT else "equidistant"
        (folder / "sensor.yaml").write_text(
            f"T_BS:\n  data: {(T_BODY_LEFT @ T).ravel().tolist()}\nresolution: [160, 120]\n"
            f"intrinsics: {[camera.fx, camera.fy, camera.cx, camera.cy]}\ndistortion_model: {model}\n"
            f"distortion_coefficients: {list(camera.coefficients)}\n"
        )
    truth = tmp_path / "mav0" / "vicon0"
    truth.mkdir()
    rows = []
    for stamp, T in zip(STAMPS.tolist(), POSES @ se3.inverse(T_BODY_LEFT), strict=True):
        x, y, z, w = se3.to_quaternion(T)
        rows.append(",".join(map(str, [stamp, *T[:3, 3], w, x, y, z])))
    (truth / "data.csv").write_text("\n".join(rows))
    return tmp_path


@pytest.mark.parametrize("choice", [Choice(stereo=True), Choice(right="cam1")])
def test_a_pair_in_euroc_s_layout(drone, choice):
    source = open_source(drone, choice=choice)
    assert len(source) == len(source.right) == 3 and "pinholes of 105 px" in source.notes.assumed["right"]
    for frame, right, T in zip(source, source.right, source.ground_truth.poses, strict=True):
        assert frame.stamp == right.stamp
        beside = T @ se3.make(np.eye(3), [source.baseline, 0, 0])
        assert difference(frame.image, view(source.camera, T)) < 3.0
        assert difference(right.image, view(source.camera, beside)) < 3.0


def test_a_pair_without_its_mounting_or_without_a_partner(drone):
    assert open_source(drone).right is None and open_source(drone).camera == LEFT
    with pytest.raises(InputError, match=r"cam9.sensor\.yaml: no such file"):
        open_source(drone, choice=Choice(right="cam9"))
    file = drone / "mav0/cam1/sensor.yaml"
    file.write_text(file.read_text().partition("resolution")[1] + file.read_text().partition("resolution")[2])
    with pytest.raises(InputError, match="T_BS of cam0 and cam1 is needed"):
        open_source(drone, choice=Choice(stereo=True))


def test_one_image_of_another_size_is_left_out(drone):
    file = drone / f"mav0/cam0/data/{STAMPS[1]}.png"
    cv2.imwrite(str(file), cv2.imread(str(file))[:60])
    source = open_source(drone, choice=Choice(stereo=True))
    assert [f.stamp for f in source] == [STAMPS[0], STAMPS[2]] and len(source.notes.skipped) == 1


def entries(left="/l/image_raw", right="/r/image_raw", infos=True):
    """The pair as topics; R and P of the infos say how it is to be rectified."""
    pair = rectify(seen(LEFT), seen(RIGHT, T_LEFT_RIGHT), T_LEFT_RIGHT)
    focal, middle = pair.camera.fx, (pair.camera.cx, pair.camera.cy)
    for topic, camera, source, T, baseline in (
        (left, LEFT, pair, np.eye(4), 0.0), (right, RIGHT, pair.right, T_LEFT_RIGHT, pair.baseline)
    ):  # fmt: skip
        for stamp, pose in zip(STAMPS.tolist(), POSES, strict=True):
            yield bagmaker.image(topic, stamp, view(camera, pose @ T))
            if infos:
                entry = bagmaker.info(
                    topic.rpartition("/")[0] + "/camera_info", stamp, size=(160, 120), K=camera.K,
                    D=camera.coefficients, P=[[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]],
                    offset=-focal * baseline, model=camera.distortion.value,
                )  # fmt: skip
                entry[3].r = source.R_rectified_camera.ravel()
                yield entry


def shows_the_wall(source):
    """Whether both cameras of a pair see it as pinholes beside one another do; the left one is turned."""
    turn = se3.make(source.R_rectified_camera.T, np.zeros(3))
    for frame, right, T in zip(source, source.right, POSES @ turn, strict=True):
        beside = T @ se3.make(np.eye(3), [source.baseline, 0, 0])
        assert difference(frame.image, view(source.camera, T)) < 3.0
        assert difference(right.image, view(source.right.camera, beside)) < 3.0


def test_a_raw_pair_in_a_bag_is_rectified_where_it_is_asked_for(tmp_path):
    path = bagmaker.write(tmp_path / "bag", entries())
    source = open_source(path, choice=Choice(stereo=True))
    shows_the_wall(source)
    assert "by R and P" in source.notes.assumed["right"]
    assert open_source(path).camera == LEFT, "one camera alone stays as it is"


def chain(kind):
    text = ""
    T_imu = {"cam0": se3.exp([0.1, 0, 0, 0, 1.0, 0])}
    T_imu["cam1"] = se3.inverse(T_LEFT_RIGHT) @ T_imu["cam0"]
    for name, camera in (("cam0", LEFT), ("cam1", RIGHT)):
        model = "radtan" if camera is LEFT else "equidistant"
        text += (
            f"{name}:\n  camera_model: pinhole\n  resolution: [160, 120]\n  distortion_model: {model}\n"
            f"  intrinsics: {[camera.fx, camera.fy, camera.cx, camera.cy]}\n"
            f"  distortion_coeffs: {list(camera.coefficients)}\n  rostopic: /{name}/image_raw\n"
        )
        if kind == "T_cam_imu":
            text += f"  T_cam_imu: {T_imu[name].tolist()}\n"
        elif kind == "T_cn_cnm1" and name == "cam1":
            text += f"  T_cn_cnm1: {se3.inverse(T_LEFT_RIGHT).tolist()}\n"
    return text


@pytest.mark.parametrize("kind", ["T_cam_imu", "T_cn_cnm1"])
def test_a_bag_and_kalibr_s_chain(tmp_path, kind):
    path = bagmaker.write(tmp_path / "bag", entries("/cam0/image_raw", "/cam1/image_raw", infos=False))
    calib = tmp_path / "chain.yaml"
    calib.write_text(chain(kind))
    choice = Choice(image="/cam0/image_raw", right="/cam1/image_raw", calib=calib, stereo=True)
    shows_the_wall(open_source(path, choice=choice))
    calib.write_text(chain("none"))
    with pytest.raises(InputError, match="does not tell where the right camera is"):
        open_source(path, choice=choice)


def test_two_folders_and_kalibr_s_chain(tmp_path):
    for name, camera, T in (("left", LEFT, np.eye(4)), ("right", RIGHT, T_LEFT_RIGHT)):
        folder = tmp_path / f"wall_{name}"
        folder.mkdir()
        for stamp, pose in zip(STAMPS.tolist(), POSES, strict=True):
            cv2.imwrite(str(folder / f"{stamp}.png"), view(camera, pose @ T))
    calib = tmp_path / "chain.yaml"
    calib.write_text(chain("T_cn_cnm1"))
    shows_the_wall(open_source(tmp_path / "wall_left", choice=Choice(calib=calib, stereo=True)))

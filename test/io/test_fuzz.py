# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Recordings that were cut, swapped or overwritten end in a source or in one line, never in another error."""

import contextlib
import shutil

import bagmaker
import pytest
import sequences
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_layouts import kitti, tum_vi
from test_sources import euroc

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.bags import make_bag, read_messages
from hybrid_features_ros.io.sources import open_source

pytestmark = pytest.mark.slow

FEW = settings(max_examples=25, suppress_health_check=list(HealthCheck))


def read_everything(path):
    """Everything that a source gives, or an InputError."""
    with contextlib.suppress(InputError):
        source = open_source(path)
        _ = source.ground_truth, source.imu
        for frame in source:
            assert frame.image.ndim in (2, 3)
        if source.right is not None:
            list(source.right)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    base = tmp_path_factory.mktemp("whole")
    plain = sequences.plain(base / "plain", depth=True)
    (plain / "imu.csv").write_text(f"{sequences.BEGIN},1,2,3,4,5,6\n")
    make_bag(open_source(plain), base / "sqlite")
    make_bag(open_source(plain), base / "mcap", storage="mcap")
    return {
        "plain": plain, "euroc": euroc(base / "euroc"), "tum_vi": tum_vi(base / "tum_vi"),
        "kitti": kitti(base / "d/sequences/01"), "sqlite": base / "sqlite", "mcap": base / "mcap",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["plain", "euroc", "tum_vi", "kitti", "sqlite", "mcap"])
@FEW
@given(data=st.data())
def test_one_broken_file(recordings, tmp_path_factory, name, data):
    """One file cut off, overwritten in its middle, or replaced by another of the recording."""
    path = tmp_path_factory.mktemp("broken") / recordings[name].name
    shutil.copytree(recordings[name], path)
    files = sorted(p for p in path.rglob("*") if p.is_file())
    file, other = (data.draw(st.sampled_from(files)) for _ in range(2))
    content = bytearray(file.read_bytes())
    harm = data.draw(st.sampled_from(["cut", "overwrite", "swap", "line"]))
    if harm == "cut":
        del content[data.draw(st.integers(0, len(content))) :]
    elif harm == "overwrite":
        at = data.draw(st.integers(0, len(content)))
        content[at : at + 8] = data.draw(st.binary(max_size=8))
    elif harm == "swap":
        content = bytearray(other.read_bytes())
    else:
        lines = content.split(b"\n")
        lines[data.draw(st.integers(0, len(lines) - 1))] = data.draw(st.binary(max_size=40))
        content = bytearray(b"\n".join(lines))
    file.write_bytes(content)
    read_everything(path)
    shutil.rmtree(path)


@FEW
@given(data=st.data())
def test_messages_of_any_contents(tmp_path_factory, data):
    """Right types with wrong values: sizes, encodings, stamps, calibrations, poses, frames."""
    number, size = st.floats() | st.sampled_from([0.0, 50.0]), st.integers(0, 70)
    encodings = st.sampled_from(["mono8", "rgb8", "16UC1", "32FC1", "bayer_rggb8", "yuyv", "nv12", "", "\0x"])
    entries = []
    for i in range(data.draw(st.integers(1, 4))):
        stamp = data.draw(st.sampled_from([0, sequences.BEGIN + i, sequences.BEGIN + i * 10**15]))
        picture = bagmaker.image("/eye/image", stamp, sequences.image(i), data.draw(encodings))
        picture[3].height, picture[3].width = data.draw(size), data.draw(size)
        picture[3].step = data.draw(st.integers(0, 200))
        K = data.draw(st.lists(number, min_size=9, max_size=9))
        D = data.draw(st.lists(number, max_size=9))
        calibration = bagmaker.info(
            "/eye/camera_info", stamp, size=(data.draw(size), 48), K=[K[:3], K[3:6], K[6:]], D=D,
            model=data.draw(st.sampled_from(["plumb_bob", "", "equidistant", "x"])),
            binning=data.draw(st.integers(0, 3)), roi=(1, 2, data.draw(size), data.draw(size)),
        )  # fmt: skip
        numbers = data.draw(st.lists(number, min_size=7, max_size=7))
        truth = bagmaker.pose(stamp, numbers[:3], numbers[3:])
        entries += [picture, calibration, truth, bagmaker.imu("/imu", stamp, numbers[:3])]
    folder = tmp_path_factory.mktemp("any")
    read_everything(bagmaker.write(folder / "b", entries))
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("sqlite", "ros2 bag reindex -s sqlite3"), ("mcap", "ros2 bag reindex -s mcap")],
)
def test_a_cut_bag_names_a_command_that_repairs(recordings, tmp_path, name, remedy):
    path = shutil.copytree(recordings[name], tmp_path / name)
    storage = next(p for p in path.iterdir() if p.suffix in (".db3", ".mcap"))
    storage.write_bytes(storage.read_bytes()[: storage.stat().st_size // 2])
    with pytest.raises(InputError, match=remedy):
        for _ in read_messages(path):
            pass
    (path / "metadata.yaml").unlink()
    with pytest.raises(InputError, match=f"metadata.yaml is missing; try `{remedy}"):
        open_source(path)


@pytest.mark.parametrize(
    ("suffix", "remedy"),
    [(".bag", "rosbag reindex"), (".mcap", "mcap recover"), (".db3", "sqlite3 .*recover")],
)
def test_a_cut_file_names_a_command_that_repairs(tmp_path, suffix, remedy):
    (tmp_path / f"cut{suffix}").write_bytes(b"#ROSBAG V2.0\n" + bytes(100))
    with pytest.raises(InputError, match=remedy):
        open_source(tmp_path / f"cut{suffix}")

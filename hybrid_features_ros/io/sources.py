# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The one call that opens a recording, whatever its layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.euroc import open_euroc
from hybrid_features_ros.io.folders import FolderSource
from hybrid_features_ros.io.layouts import KITTI_PAIRS, open_kitti, open_plain, open_tartanair
from hybrid_features_ros.io.priors import read_prior
from hybrid_features_ros.io.rectified import RectifiedSource
from hybrid_features_ros.io.source import Choice, Frame, Imu, Notes, RecordedPrior, Source, is_bag

__all__ = ["Choice", "Frame", "Imu", "Notes", "Source", "open_source"]


def open_source(path: Path, topic: str = "", choice: Choice | None = None) -> Source:
    """Open a folder (plain, TUM RGB-D, EuRoC, TUM-VI, KITTI odometry, TartanAir) or a ROS 1 or ROS 2 bag.

    Args:
        path: of the recording; of a stereo pair, the left one.
        topic: image topic of a bag, as ``Choice(image=topic)``.
        choice: what is to be read, where it is said by hand.

    Raises:
        InputError: there is nothing at the path, it has no images or no calibration, or not what was chosen.
    """
    path, choice = Path(path), choice or Choice()
    if topic:
        choice = replace(choice, image=topic)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if is_bag(path):
        from hybrid_features_ros.io.bags import open_bag  # needs the extra `bags`

        return open_bag(path, choice)
    if not path.is_dir():
        raise InputError(
            f"{path}: neither a bag (.bag, .mcap, .db3 or a rosbag2 folder) nor a folder of images"
        )
    if choice.camera_info:
        raise InputError(
            f"--camera-info {choice.camera_info} names a topic of a bag; of a folder, give --calib"
        )
    path = path.resolve()
    source = _open_folder(path, choice)
    return _with_prior(source, read_prior(path / choice.prior, source.notes)) if choice.prior else source


def _open_folder(path: Path, choice: Choice) -> FolderSource | RectifiedSource:
    if (path / "calib.json").exists():
        return open_plain(path, choice)
    if (path / "mav0").is_dir() or (path / "cam0" / "sensor.yaml").exists():
        return open_euroc(path, choice)
    if any((path / name).is_dir() for pair in KITTI_PAIRS for name in pair):
        return open_kitti(path, choice)
    if (path / "image_left").is_dir():
        return open_tartanair(path, choice)
    if (path / "rgb.txt").exists() or choice.calib is not None:
        return open_plain(path, choice)
    raise InputError(
        f"{path}: no known layout; expected calib.json (images of your own; or --calib FILE), rgb.txt (TUM "
        "RGB-D), mav0 (EuRoC, TUM-VI), image_0 or image_2 (KITTI odometry), image_left (TartanAir) or "
        "metadata.yaml (rosbag2)"
    )


def _with_prior(
    source: FolderSource | RectifiedSource, prior: RecordedPrior
) -> FolderSource | RectifiedSource:
    """The source with a prior of its camera, not yet turned by rectification."""
    if isinstance(source, RectifiedSource):
        assert isinstance(source.source, (FolderSource, RectifiedSource))
        return replace(source, source=_with_prior(source.source, prior))
    return replace(source, prior=prior)

"""The one call that opens a recording, whatever its layout."""

from __future__ import annotations

from pathlib import Path

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.folders import (
    open_euroc,
    open_kitti,
    open_plain,
    open_tartanair,
    open_tum,
)
from hybrid_features_ros.io.source import Frame, Imu, Source, is_bag

__all__ = ["Frame", "Imu", "Source", "open_source"]


def open_source(path: Path, topic: str = "") -> Source:
    """Open a folder (plain, TUM RGB-D, EuRoC, KITTI odometry, TartanAir) or a ROS 1 or ROS 2 bag.

    Args:
        path: of the recording; of a stereo pair, the left one.
        topic: image topic of a bag; default: its first.

    Raises:
        InputError: there is nothing at the path, or it has no images or no calibration.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if is_bag(path):
        from hybrid_features_ros.io.bags import open_bag  # needs the extra `bags`

        return open_bag(path, topic)
    if not path.is_dir():
        raise InputError(
            f"{path}: neither a bag (.bag, .mcap, .db3 or a rosbag2 folder) nor a folder of images"
        )
    path = path.resolve()
    if (path / "calib.json").exists():
        return open_plain(path)
    if (path / "mav0").is_dir() or (path / "cam0" / "sensor.yaml").exists():
        return open_euroc(path)
    if (path / "image_0").is_dir():
        return open_kitti(path)
    if (path / "image_left").is_dir():
        return open_tartanair(path)
    if (path / "rgb.txt").exists():
        return open_tum(path)
    raise InputError(
        f"{path}: no known layout; expected calib.json (images of your own), rgb.txt (TUM RGB-D), "
        "mav0 (EuRoC), image_0 (KITTI odometry), image_left (TartanAir) or metadata.yaml (rosbag2)"
    )

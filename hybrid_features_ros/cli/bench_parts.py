# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the commands of ``hybrid-features bench`` call; imported when one of them runs."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

import cv2

from hybrid_features_ros.benchmarks.bench import (
    Report,
    bench_all,
    contestants,
    homography_part,
    odometry_part,
    rotation_part,
    signed,
    speed_part,
)
from hybrid_features_ros.benchmarks.blur import bench_blur
from hybrid_features_ros.benchmarks.consistency import bench_consistency
from hybrid_features_ros.benchmarks.endurance import RATE_HZ, endure
from hybrid_features_ros.benchmarks.pose import bench_pose
from hybrid_features_ros.benchmarks.rotation import photographs as image_files
from hybrid_features_ros.benchmarks.zoom import bench_zoom
from hybrid_features_ros.cli.options import NODES_ONLY, check_writable, config_of
from hybrid_features_ros.core.config import Config, with_options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import UInt8
from hybrid_features_ros.features import Extractor
from hybrid_features_ros.io.images import read_image
from hybrid_features_ros.io.pairs import read_pairs
from hybrid_features_ros.simulation.scene import photographs as shipped_photographs
from hybrid_features_ros.simulation.two_views import SEEDS, blurred_pairs, wide_pairs, zoomed_pairs


def run_all(given: argparse.Namespace) -> None:
    """Run the benchmarks of ``given.parts``, and write their figures and tables."""
    parts = {name: partial(PARTS[name], given) for name in given.parts}
    for name, reason in bench_all(parts, given.out)["skipped"].items():
        print(f"skipped {name}: {reason}", file=sys.stderr)
    print(f"figures: {given.out / 'bench.json'}, tables: {given.out / 'bench.md'}")


def run_one(given: argparse.Namespace) -> None:
    """Run the benchmark ``given.part`` and print its figures."""
    check_writable("--json", given.json)
    text = json.dumps(PARTS[given.part](given), indent=1)
    if given.json:
        given.json.write_text(text + "\n")
    print(text)


def _bench_rotation(given: argparse.Namespace) -> Report:
    return rotation_part(_asked(given.images, "--images"), given.extractor, given.yardsticks, given.plugins)


def _bench_homography(given: argparse.Namespace) -> Report:
    return homography_part(_asked(given.dataset, "--dataset"), given.extractor, given.yardsticks)


def _bench_pose(given: argparse.Namespace) -> Report:
    pairs = read_pairs(given.pairs, given.most) if given.pairs else wide_pairs(*_scenes(given))
    # More than are kept: those at the rim of a rolled image do not count.
    found = _contestants(given, 3 * given.keypoints // 2)
    return signed(bench_pose(found, pairs, given.keypoints), given.extractor)


def _bench_blur(given: argparse.Namespace) -> Report:
    pairs = partial(blurred_pairs, *_scenes(given))
    return signed(bench_blur(_contestants(given, given.keypoints), pairs, given.keypoints), given.extractor)


def _bench_zoom(given: argparse.Namespace) -> Report:
    pairs = partial(zoomed_pairs, *_scenes(given))
    return signed(bench_zoom(_contestants(given, given.keypoints), pairs, given.keypoints), given.extractor)


def _contestants(given: argparse.Namespace, budget: int) -> dict[str, Extractor]:
    return contestants(given.extractor, given.yardsticks, budget, given.plugins)


def _scenes(given: argparse.Namespace) -> tuple[list[UInt8], int, int]:
    """Textures, number and first seed of the rendered scenes."""
    if given.textures:
        textures = [read_image(path) for path in image_files(given.textures)]
    else:
        textures = shipped_photographs()
    return textures, given.scenes, SEEDS[given.split]


def _bench_speed(given: argparse.Namespace) -> Report:
    photos = [given.image] if given.image else image_files(_asked(given.images, "--images"))[:3]
    grays = [cv2.cvtColor(read_image(photo), cv2.COLOR_BGR2GRAY) for photo in photos]
    return speed_part(grays, given.extractor, given.threads)


def _bench_odometry(given: argparse.Namespace) -> Report:
    config = with_options(Config(), {"features.extractor": given.extractor})
    return odometry_part(given.out / "room", config, given.every)


def _bench_consistency(given: argparse.Namespace) -> Report:
    return bench_consistency(range(given.first, given.first + given.rooms), given.frames, Config())


def _bench_endurance(given: argparse.Namespace) -> Report:
    if given.picture:  # needs Matplotlib: said before the hour, not after it
        import hybrid_features_ros.visualization.figures  # noqa: F401
    minutes = endure(given.minutes, Config().odometry)
    if given.picture:
        from hybrid_features_ros.visualization.figures import draw_endurance

        draw_endurance(given.picture, [m.milliseconds for m in minutes], [m.landmarks for m in minutes])
    return {"protocol": {"rate_hz": RATE_HZ}, "minutes": [asdict(m) for m in minutes]}


def _bench_messages(given: argparse.Namespace) -> Report:
    try:
        from hybrid_features_ros.nodes.bench_messages import bench_messages
    except ModuleNotFoundError as error:
        raise InputError(f"messages need ROS 2 ({error.name} is not installed)") from None
    return bench_messages()


def _bench_realtime(given: argparse.Namespace) -> Report:
    try:
        from hybrid_features_ros.nodes.bench_realtime import bench_realtime
    except ModuleNotFoundError as error:
        raise InputError(f"realtime needs ROS 2 ({error.name} is not installed)") from None
    asked = argparse.Namespace(set=given.set, extractor=None)
    config_of(asked, acting=("", *NODES_ONLY))  # refuses what there is not
    return bench_realtime(given.recording, given.cores, given.set)


def _asked(path: Path | None, option: str) -> Path:
    if path is None:
        raise InputError(f"needs {option} DIR")
    return path


PARTS = {
    "rotation": _bench_rotation,
    "homography": _bench_homography,
    "pose": _bench_pose,
    "blur": _bench_blur,
    "zoom": _bench_zoom,
    "speed": _bench_speed,
    "odometry": _bench_odometry,
    "consistency": _bench_consistency,
    "endurance": _bench_endurance,
    "messages": _bench_messages,
    "realtime": _bench_realtime,
}

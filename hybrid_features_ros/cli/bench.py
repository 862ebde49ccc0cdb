"""The benchmarks of ``hybrid-features bench``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import cv2

from hybrid_features_ros.benchmarks.baselines import NAMES as YARDSTICKS
from hybrid_features_ros.benchmarks.bench import (
    Report,
    bench_all,
    homography_part,
    odometry_part,
    rotation_part,
    speed_part,
)
from hybrid_features_ros.benchmarks.consistency import bench_consistency
from hybrid_features_ros.benchmarks.endurance import RATE_HZ, draw_endurance, endure
from hybrid_features_ros.benchmarks.rotation import photographs
from hybrid_features_ros.cli.recordings import recordings_commands
from hybrid_features_ros.core.config import Config, FeatureConfig, with_options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features.image import read_image

EXTRACTORS = FeatureConfig.__dataclass_fields__["extractor"].metadata["choices"]


def _bench_rotation(given: argparse.Namespace) -> Report:
    return rotation_part(_asked(given.images, "--images"), given.extractor, given.yardsticks)


def _bench_homography(given: argparse.Namespace) -> Report:
    return homography_part(_asked(given.dataset, "--dataset"), given.extractor, given.yardsticks)


def _bench_speed(given: argparse.Namespace) -> Report:
    photo = given.image or photographs(_asked(given.images, "--images"))[0]
    gray = cv2.cvtColor(read_image(photo), cv2.COLOR_BGR2GRAY)
    return speed_part(gray, given.extractor, given.threads)


def _bench_odometry(given: argparse.Namespace) -> Report:
    config = with_options(Config(), {"features.extractor": given.extractor})
    return odometry_part(given.out / "room", config, given.every)


def _bench_consistency(given: argparse.Namespace) -> Report:
    return bench_consistency(range(given.first, given.first + given.rooms), given.frames, Config())


def _bench_endurance(given: argparse.Namespace) -> Report:
    minutes = endure(given.minutes, Config().odometry)
    if given.picture:
        draw_endurance(given.picture, minutes)
    return {"protocol": {"rate_hz": RATE_HZ}, "minutes": [asdict(m) for m in minutes]}


def _bench_messages(given: argparse.Namespace) -> Report:
    try:
        from hybrid_features_ros.nodes.bench_messages import bench_messages
    except ModuleNotFoundError as error:
        raise InputError(f"messages need ROS 2 ({error.name} is not installed)") from None
    return bench_messages()


_PARTS = {
    "rotation": _bench_rotation, "homography": _bench_homography, "speed": _bench_speed,
    "odometry": _bench_odometry, "messages": _bench_messages,
}  # fmt: skip


_ALONE = {"consistency": _bench_consistency, "endurance": _bench_endurance}  # long ones, not part of all


def _bench_all(given: argparse.Namespace) -> None:
    parts = {name: partial(_PARTS[name], given) for name in given.parts}
    for name, reason in bench_all(parts, given.out)["skipped"].items():
        print(f"skipped {name}: {reason}", file=sys.stderr)
    print(f"figures: {given.out / 'bench.json'}, tables: {given.out / 'bench.md'}")


def _bench_one(part: Callable[[argparse.Namespace], Report], given: argparse.Namespace) -> None:
    text = json.dumps(part(given), indent=1)
    if given.json:
        given.json.write_text(text + "\n")
    print(text)


def _asked(path: Path | None, option: str) -> Path:
    if path is None:
        raise InputError(f"needs {option} DIR")
    return path


def bench_commands(parser: argparse.ArgumentParser) -> None:
    """Add one command for each benchmark, and one for all."""
    benches = parser.add_subparsers(required=True, metavar="WHAT")
    recordings_commands(benches)
    for name, text in (
        ("rotation", "photographs turned by 15 to 180 degrees"),
        ("homography", "planar scenes: Oxford affine, HPatches"),
        ("speed", "milliseconds and ratios to OpenCV's SIFT"),
        ("odometry", "a rendered room, with one camera and with depth, against the textbook"),
        ("messages", "converting features to messages and back; needs ROS 2"),
        ("all", "all of these into one file, and tables"),
        ("consistency", "covariances against exact errors (NEES) in rendered rooms"),
        ("endurance", "cost of a frame and size of the map over an hour of laps"),
    ):
        bench = benches.add_parser(name, help=text)
        every = name == "all"
        if every:
            bench.set_defaults(command=_bench_all)
            bench.add_argument("--parts", nargs="+", choices=_PARTS, default=list(_PARTS), help="some only")
        else:
            bench.set_defaults(command=partial(_bench_one, {**_PARTS, **_ALONE}[name]))
            bench.add_argument("--json", type=Path, help="file for the figures")
        if every or name in ("rotation", "speed"):
            bench.add_argument("--images", type=Path, help="folder of photographs, 640 px or more")
        if every or name == "homography":
            bench.add_argument("--dataset", type=Path, help="folder of sequences")
        if every or name == "speed":
            bench.add_argument("--image", type=Path, help="photograph, resized to VGA and HD")
            bench.add_argument("--threads", type=positive, default=1, help="of every method (default 1)")
        if every or name == "odometry":
            bench.add_argument("--out", type=Path, default=Path("results/bench"), help="folder for results")
            bench.add_argument("--every", type=positive, default=1, metavar="N", help="use every N-th frame")
        if name == "consistency":
            bench.add_argument("--rooms", type=positive, default=10, help="one run each (default 10)")
            bench.add_argument("--first", type=int, default=100, help="seed of the first room (default 100)")
            bench.add_argument("--frames", type=positive, default=120, help="of each run, 20 per second")
        if name == "endurance":
            bench.add_argument("--minutes", type=positive, default=60)
            bench.add_argument("--picture", type=Path, help="PNG of the curves")
        if name not in ("messages", "consistency", "endurance"):
            bench.add_argument("--extractor", choices=EXTRACTORS, default="hybrid", help="what `ours` is")
        if every or name in ("rotation", "homography"):
            bench.add_argument("--yardsticks", nargs="*", choices=YARDSTICKS, default=YARDSTICKS)


def positive(text: str) -> int:
    """An argument that is a whole number from 1."""
    return whole(text, 1)


def whole(text: str, least: int = 0) -> int:
    """An argument that is a whole number from ``least``."""
    number = int(text)
    if number < least:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number from {least}")
    return number

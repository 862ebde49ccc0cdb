# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The parser of ``hybrid-features bench``; what its commands call is imported when one runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hybrid_features_ros.benchmarks import POSE_BUDGET, YARDSTICKS
from hybrid_features_ros.cli.recordings import recordings_commands
from hybrid_features_ros.core.config import FeatureConfig

EXTRACTORS = tuple(
    c for c in FeatureConfig.__dataclass_fields__["extractor"].metadata["choices"] if ":" not in c
)
Bench = argparse.ArgumentParser


def bench_commands(parser: Bench) -> None:
    """Add one command for each benchmark, and one for all."""
    benches = parser.add_subparsers(required=True, metavar="WHAT")
    recordings_commands(benches)
    for name, (text, *options) in {**_PARTS, **_OTHERS}.items():
        bench = benches.add_parser(name, help=text)
        bench.set_defaults(command=_bench_one, part=name)
        bench.add_argument("--json", type=Path, help="file for the figures")
        for add_option in options:
            add_option(bench)
    bench = benches.add_parser("all", help=f"{', '.join(_PARTS)} into one file, and tables")
    bench.set_defaults(command=_bench_all, pairs=None)
    bench.add_argument("--parts", nargs="+", choices=_PARTS, default=list(_PARTS), help="some only")
    for add_option in dict.fromkeys(o for _, *options in _PARTS.values() for o in options if o is not _pairs):
        add_option(bench)


def _bench_all(given: argparse.Namespace) -> None:
    from hybrid_features_ros.cli.bench_parts import run_all

    run_all(given)


def _bench_one(given: argparse.Namespace) -> None:
    from hybrid_features_ros.cli.bench_parts import run_one

    run_one(given)


def _images(bench: Bench) -> None:
    bench.add_argument("--images", type=Path, help="folder of photographs, 640 px or more")


def _dataset(bench: Bench) -> None:
    bench.add_argument("--dataset", type=Path, help="folder of sequences")


def _scenes(bench: Bench) -> None:
    bench.add_argument("--scenes", type=positive, default=8, help="rendered scenes (default 8)")
    bench.add_argument(
        "--split", choices=("val", "test"), default="test", help="choose on val, report on test (default)"
    )
    bench.add_argument("--textures", type=Path, help="photographs for the scenes; default: scikit-image's")
    bench.add_argument(
        "--keypoints", type=positive, default=POSE_BUDGET, help="of each image, the best (default 1000)"
    )


def _plugins(bench: Bench) -> None:
    bench.add_argument(
        "--plugins",
        nargs="*",
        default=[],
        metavar="MODULE:CLASS",
        help="other extractors to run beside ours, with arguments as in 'module:Class={threshold: 10}'",
    )


def _pairs(bench: Bench) -> None:
    bench.add_argument(
        "pairs",
        nargs="?",
        type=Path,
        metavar="DATASET",
        help="folder with K, R, t of every image (Strecha's .camera files, COLMAP's text) or "
        "sequence with depth and ground truth; default: rendered scenes",
    )
    bench.add_argument("--most", type=positive, default=60, help="pairs of each scene of DATASET")


def _image(bench: Bench) -> None:
    bench.add_argument("--image", type=Path, help="one photograph instead of three of --images")
    bench.add_argument("--threads", type=positive, default=1, help="of every method (default 1)")


def _room(bench: Bench) -> None:
    bench.add_argument("--out", type=Path, default=Path("results/bench"), help="folder for results")
    bench.add_argument("--every", type=positive, default=1, metavar="N", help="use every N-th frame")


def _recording(bench: Bench) -> None:
    bench.add_argument("recording", type=Path, metavar="RECORDING", help="sequence or bag")
    bench.add_argument("--cores", type=positive, default=0, help="for the nodes (default: all)")
    bench.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any parameter of the nodes"
    )


def _rooms(bench: Bench) -> None:
    bench.add_argument("--rooms", type=positive, default=10, help="one run each (default 10)")
    bench.add_argument("--first", type=int, default=100, help="seed of the first room (default 100)")
    bench.add_argument("--frames", type=positive, default=120, help="of each run, 20 per second")


def _minutes(bench: Bench) -> None:
    bench.add_argument("--minutes", type=positive, default=60)
    bench.add_argument("--picture", type=Path, help="PNG of the curves")


def _extractor(bench: Bench) -> None:
    bench.add_argument("--extractor", choices=EXTRACTORS, default="hybrid", help="what `ours` is")


def _yardsticks(bench: Bench) -> None:
    bench.add_argument("--yardsticks", nargs="*", choices=YARDSTICKS, default=YARDSTICKS)


# What each benchmark is, and the options that it takes.
_PARTS: dict[str, Any] = {
    "rotation": ("photographs turned by 15 to 180 degrees", _images, _extractor, _yardsticks, _plugins),
    "homography": ("planar scenes: Oxford affine, HPatches", _dataset, _extractor, _yardsticks),
    "pose": (
        "camera motion from wide baselines, upright and rolled: rendered scenes or a data set",
        *(_scenes, _pairs, _extractor, _yardsticks, _plugins),
    ),
    "blur": (
        "motion blur and low light in one of two views of rendered scenes",
        *(_scenes, _extractor, _yardsticks, _plugins),
    ),
    "zoom": (
        "change of scale between two views of rendered scenes",
        *(_scenes, _extractor, _yardsticks, _plugins),
    ),
    "speed": (
        "processor and wall-clock time of features and frames, against OpenCV's SIFT and ORB",
        *(_images, _image, _extractor),
    ),
    "odometry": ("a rendered room, with one camera and with depth, against the textbook", _room, _extractor),
    "messages": ("converting features to messages and back; needs ROS 2",),
}
_OTHERS: dict[str, Any] = {
    "realtime": ("a recording at its own rate through the composed nodes; needs ROS 2", _recording),
    "consistency": ("covariances against exact errors (NEES) in rendered rooms", _rooms),
    "endurance": ("cost of a frame and size of the map over an hour of laps", _minutes),
}


def positive(text: str) -> int:
    """An argument that is a whole number from 1."""
    return whole(text, 1)


def whole(text: str, least: int = 0) -> int:
    """An argument that is a whole number from ``least``."""
    number = int(text)
    if number < least:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number from {least}")
    return number

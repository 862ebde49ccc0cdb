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
    contestants,
    homography_part,
    odometry_part,
    rotation_part,
    signed,
    speed_part,
)
from hybrid_features_ros.benchmarks.blur import bench_blur
from hybrid_features_ros.benchmarks.consistency import bench_consistency
from hybrid_features_ros.benchmarks.endurance import RATE_HZ, draw_endurance, endure
from hybrid_features_ros.benchmarks.pose import BUDGET as POSE_BUDGET
from hybrid_features_ros.benchmarks.pose import bench_pose
from hybrid_features_ros.benchmarks.rotation import photographs as image_files
from hybrid_features_ros.benchmarks.zoom import bench_zoom
from hybrid_features_ros.cli.recordings import recordings_commands
from hybrid_features_ros.core.config import Config, FeatureConfig, with_options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import UInt8
from hybrid_features_ros.features import Extractor
from hybrid_features_ros.features.image import read_image
from hybrid_features_ros.io.pairs import read_pairs
from hybrid_features_ros.simulation.scene import photographs as shipped_photographs
from hybrid_features_ros.simulation.two_views import SEEDS, blurred_pairs, wide_pairs, zoomed_pairs

EXTRACTORS = FeatureConfig.__dataclass_fields__["extractor"].metadata["choices"]


def _bench_rotation(given: argparse.Namespace) -> Report:
    return rotation_part(_asked(given.images, "--images"), given.extractor, given.yardsticks)


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
    photo = given.image or image_files(_asked(given.images, "--images"))[0]
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
    "rotation": _bench_rotation, "homography": _bench_homography, "pose": _bench_pose,
    "blur": _bench_blur, "zoom": _bench_zoom, "speed": _bench_speed, "odometry": _bench_odometry,
    "messages": _bench_messages,
}  # fmt: skip


_SCENES = ("pose", "blur", "zoom")  # on rendered scenes
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
        ("pose", "camera motion from wide baselines, upright and rolled: rendered scenes or a data set"),
        ("blur", "motion blur and low light in one of two views of rendered scenes"),
        ("zoom", "change of scale between two views of rendered scenes"),
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
        if every or name in _SCENES:
            _scene_options(bench)
        if name == "pose":
            bench.add_argument(
                "pairs",
                nargs="?",
                type=Path,
                metavar="DATASET",
                help="folder with K, R, t of every image (Strecha's .camera files, COLMAP's text) or "
                "sequence with depth and ground truth; default: rendered scenes",
            )
            bench.add_argument("--most", type=positive, default=60, help="pairs of each scene of DATASET")
        if every:
            bench.set_defaults(pairs=None)
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
        if every or name in ("rotation", "homography", *_SCENES):
            bench.add_argument("--yardsticks", nargs="*", choices=YARDSTICKS, default=YARDSTICKS)


def _scene_options(bench: argparse.ArgumentParser) -> None:
    bench.add_argument("--scenes", type=positive, default=8, help="rendered scenes (default 8)")
    bench.add_argument(
        "--split", choices=tuple(SEEDS), default="test", help="choose on val, report on test (default)"
    )
    bench.add_argument("--textures", type=Path, help="photographs for the scenes; default: scikit-image's")
    bench.add_argument(
        "--keypoints", type=positive, default=POSE_BUDGET, help="of each image, the best (default 1000)"
    )
    bench.add_argument(
        "--plugins", nargs="*", default=[], metavar="MODULE:CLASS", help="other extractors to run beside ours"
    )


def positive(text: str) -> int:
    """An argument that is a whole number from 1."""
    return whole(text, 1)


def whole(text: str, least: int = 0) -> int:
    """An argument that is a whole number from ``least``."""
    number = int(text)
    if number < least:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number from {least}")
    return number

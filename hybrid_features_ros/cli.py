"""The ``hybrid-features`` command: the core without ROS."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from hybrid_features_ros.config import Config, FeatureConfig, options, with_options
from hybrid_features_ros.errors import InputError
from hybrid_features_ros.evaluation import homography, rotation, speed
from hybrid_features_ros.evaluation.bags import make_bag
from hybrid_features_ros.evaluation.consistency import bench_consistency
from hybrid_features_ros.evaluation.draw import draw_features, draw_matches
from hybrid_features_ros.evaluation.homography import bench_homography
from hybrid_features_ros.evaluation.metrics import evaluate_trajectory, trajectory_nees
from hybrid_features_ros.evaluation.render import render_sequence, render_turn
from hybrid_features_ros.evaluation.rotation import bench_rotation
from hybrid_features_ros.evaluation.run import run, trajectory
from hybrid_features_ros.evaluation.sources import open_source
from hybrid_features_ros.evaluation.speed import bench_speed
from hybrid_features_ros.evaluation.trajectory import write_tum
from hybrid_features_ros.evaluation.yardsticks import NAMES as YARDSTICKS
from hybrid_features_ros.evaluation.yardsticks import yardstick
from hybrid_features_ros.features import Extractor, make_extractor
from hybrid_features_ros.features.hybrid import HybridExtractor
from hybrid_features_ros.odometry.matching import match
from hybrid_features_ros.types import MotionModel, State, UInt8

_TRANSLATING = (MotionModel.PNP, MotionModel.ESSENTIAL, MotionModel.HOMOGRAPHY)

_EXTRACTORS = FeatureConfig.__dataclass_fields__["extractor"].metadata["choices"]


def main(args: Sequence[str] | None = None) -> None:
    """Run one command; bad input prints one line and exits with status 1."""
    given = _parser().parse_args(args)
    try:
        given.command(given)
    except InputError as error:
        sys.exit(f"error: {error}")


def _extract(given: argparse.Namespace) -> None:
    image = _read(given.image)
    features = make_extractor(_config(given).features).extract(image)
    _write(given.out, draw_features(image, features))
    print(f"{len(features)} {features.format.detector} features in {given.image}; picture: {given.out}")


def _match(given: argparse.Namespace) -> None:
    config = _config(given)
    images = [_read(path) for path in (given.a, given.b)]
    extractor = make_extractor(config.features)
    a, b = (extractor.extract(image) for image in images)
    matches = match(a, b, config.odometry.matching)
    _write(given.out, draw_matches(images[0], images[1], a, b, matches))
    print(f"{len(matches)} matches of {len(a)} and {len(b)} features; picture: {given.out}")


def _evaluate(given: argparse.Namespace) -> None:
    source = open_source(given.sequence)
    config = _config(given)
    if given.mode == "rgbd":
        config = with_options(config, {"input.depth": True})
    frames = len(source.stamps[:: given.every])
    replay = run(source, config, given.every, stereo=given.mode == "stereo", gyro=given.gyro)
    results = list(tqdm(replay, total=frames, unit="frame", disable=None))
    stages = {name for r in results for name in r.milliseconds}
    times = {s: np.array([r.milliseconds[s] for r in results if s in r.milliseconds]) for s in sorted(stages)}
    report: dict[str, Any] = {
        "protocol": {"sequence": source.name, "mode": given.mode, "every": given.every,
                     "config": {o.name: o.value for o in options(config)}},
        "frames": len(results),
        "with_orientation": sum(r.state not in (State.WAITING, State.LOST) for r in results),
        "with_translation": sum(
            r.state in (State.TRACKING, State.RECOVERING) and r.motion.model in _TRANSLATING for r in results
        ),
        "resets": results[-1].resets if results else 0,
        "states": dict(Counter(r.state.name for r in results)),
        "ate_rmse_m": None, "rpe_trans_30f_median_m": None,
        "rot_rpe_30f_median_deg": None, "rot_rpe_30f_p95_deg": None,
        "ms": {
            stage: {"median": float(np.median(t)), "p95": float(np.percentile(t, 95))}
            for stage, t in times.items()
        },
        "nees_mean": None,
    }  # fmt: skip
    if source.ground_truth is not None:
        metrics = evaluate_trajectory(
            trajectory(results),
            source.ground_truth,
            alignment="sim3" if given.mode == "mono" else "se3",
            delta_frames=max(1, 30 // given.every),
        )
        figures = asdict(metrics)
        report["protocol"]["metrics"] = figures.pop("protocol")
        report.update(figures)
        if given.exact:
            report["nees_mean"] = trajectory_nees(results, source.ground_truth, metrics.scale)
    if given.tum:
        write_tum(given.tum, trajectory(results))
    text = json.dumps(report, indent=1)
    if given.json:
        given.json.write_text(text + "\n")
    print(text)


def _bench_rotation(given: argparse.Namespace) -> None:
    # More than are kept: those outside the disc do not count.
    _report(given, bench_rotation(_contestants(given, 3 * rotation.BUDGET), given.images))


def _bench_homography(given: argparse.Namespace) -> None:
    _report(given, bench_homography(_contestants(given, homography.BUDGET), given.dataset))


def _bench_speed(given: argparse.Namespace) -> None:
    cv2.setNumThreads(given.threads)
    config = FeatureConfig(extractor=given.extractor, max_keypoints=speed.BUDGET, threads=given.threads)
    ours = HybridExtractor(config)
    others = {name: yardstick(name, speed.BUDGET) for name in ("sift", "orb")}
    photo = cv2.cvtColor(_read(given.image), cv2.COLOR_BGR2GRAY)

    def detect(image: UInt8) -> object:
        return ours.detector.detect(image, speed.BUDGET)

    _report(given, bench_speed(photo, detect, ours, others, given.threads))


def _bench_consistency(given: argparse.Namespace) -> None:
    seeds = range(given.first, given.first + given.rooms)
    _report(given, bench_consistency(seeds, given.frames, Config()))


def _bench_endurance(given: argparse.Namespace) -> None:
    from hybrid_features_ros.evaluation.endurance import RATE_HZ, draw_endurance, endure

    minutes = endure(given.minutes, Config().odometry)
    if given.picture:
        draw_endurance(given.picture, minutes)
    _report(given, {"protocol": {"rate_hz": RATE_HZ}, "minutes": [asdict(m) for m in minutes]})


def _contestants(given: argparse.Namespace, budget: int) -> dict[str, Extractor]:
    ours = FeatureConfig(extractor=given.extractor, max_keypoints=budget)
    return {"ours": make_extractor(ours), **{name: yardstick(name, budget) for name in given.yardsticks}}


def _report(given: argparse.Namespace, report: dict[str, Any]) -> None:
    report["protocol"] |= {
        "opencv": cv2.__version__,
        "numpy": np.__version__,
        "opencv_threads": cv2.getNumThreads(),
    }
    text = json.dumps(report, indent=1)
    if given.json:
        given.json.write_text(text + "\n")
    print(text)


def _train_descriptor(given: argparse.Namespace) -> None:
    try:
        from hybrid_features_ros.training.descriptor import DescriptorTraining, train_descriptor
        from hybrid_features_ros.training.fusion import FusionConfig
    except ModuleNotFoundError as error:
        raise InputError(f"training needs {error.name}: pip install 'hybrid_features_ros[train]'") from None
    shape = FusionConfig(given.handcrafted, given.residue, given.dimension)
    config = DescriptorTraining(descriptor=shape, steps=given.steps, seed=given.seed)
    pool = given.pool or given.out.parent / "correspondences.npz"
    print(f"best: {train_descriptor(config, given.data, given.val, given.out, pool, given.resume)}")


def _train_detector(given: argparse.Namespace) -> None:
    try:
        from hybrid_features_ros.training.detector import DetectorTraining, train_detector
        from hybrid_features_ros.training.network import NetworkConfig
    except ModuleNotFoundError as error:
        raise InputError(f"training needs {error.name}: pip install 'hybrid_features_ros[train]'") from None
    shape = NetworkConfig(tuple(given.channels), filters=given.filters, start=given.start)
    config = DetectorTraining(
        network=shape, steps=given.steps, seed=given.seed, independent=given.independent
    )
    print(f"best: {train_detector(config, given.data, given.val, given.out, given.resume)}")


def _curves(given: argparse.Namespace) -> None:
    from hybrid_features_ros.training.curves import draw_curves

    name, equals, value = given.line.partition("=")
    draw_curves(given.runs, given.column, given.out, (name, float(value)) if equals else None)
    print(f"picture: {given.out}")


def _export(given: argparse.Namespace) -> None:
    try:
        from hybrid_features_ros.training.export import export
    except ModuleNotFoundError as error:
        raise InputError(f"the export needs {error.name}: pip install 'hybrid_features_ros[train]'") from None
    print(f"{given.out}: outputs differ from PyTorch's by {export(given.checkpoint, given.out):.1e}")


def _make_bag(given: argparse.Namespace) -> None:
    make_bag(open_source(given.sequence), given.out, compressed=given.compressed, storage=given.storage)
    print(f"bag: {given.out}")


def _render(given: argparse.Namespace) -> None:
    if given.pano:
        print(f"sequence: {render_turn(given.out, given.pano)}")
    else:
        print(f"sequence: {render_sequence(given.out)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hybrid-features", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    extract = _command(commands, "extract", _extract, "draw the features of an image")
    extract.add_argument("image", type=Path)
    extract.add_argument("--out", type=Path, default=Path("features.png"), help="picture to write")

    match_ = _command(commands, "match", _match, "draw the matches of two images")
    match_.add_argument("a", type=Path)
    match_.add_argument("b", type=Path)
    match_.add_argument("--out", type=Path, default=Path("matches.png"), help="picture to write")

    evaluate = _command(commands, "evaluate", _evaluate, "odometry of a sequence or bag against its truth")
    evaluate.add_argument("sequence", type=Path)
    evaluate.add_argument(
        "--mode",
        choices=("mono", "rgbd", "stereo"),
        default="mono",
        help="where depth comes from: motion alone, depth images, the right camera",
    )
    evaluate.add_argument("--every", type=_positive, default=1, metavar="N", help="use every N-th frame")
    evaluate.add_argument("--gyro", action="store_true", help="use the sequence's gyroscope")
    evaluate.add_argument("--exact", action="store_true", help="the truth is exact: report NEES")
    evaluate.add_argument("--json", type=Path, help="file for the report")
    evaluate.add_argument("--tum", type=Path, help="file for the trajectory, TUM format")

    bag = commands.add_parser("bag", help="recordings").add_subparsers(required=True, metavar="COMMAND")
    make = bag.add_parser("make", help="write a sequence as a rosbag2")
    make.set_defaults(command=_make_bag)
    make.add_argument("sequence", type=Path)
    make.add_argument("out", type=Path)
    make.add_argument("--compressed", action="store_true", help="CompressedImage instead of Image")
    make.add_argument("--storage", choices=("sqlite3", "mcap"), default="sqlite3")

    render = commands.add_parser("render", help="render the demo's rotation-heavy sequence with exact truth")
    render.set_defaults(command=_render)
    render.add_argument("out", type=Path)
    render.add_argument(
        "--pano", type=Path, help="a cube map or panorama: render a camera that only turns in it"
    )
    _bench_commands(commands.add_parser("bench", help="ours against the yardsticks"))

    _train_commands(commands.add_parser("train", help="train a network; resumable, also under torchrun"))

    export = commands.add_parser("export", help="write a trained network as ONNX, checked against PyTorch")
    export.set_defaults(command=_export)
    export.add_argument("checkpoint", type=Path)
    export.add_argument("out", type=Path)
    return parser


def _train_commands(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(required=True, metavar="WHAT")
    for name, function, text, steps in (
        ("detector", _train_detector, "the S-TREK detector", 1500),
        ("descriptor", _train_descriptor, "the hybrid descriptor, at the detector's keypoints", 6000),
    ):
        train = kinds.add_parser(name, help=text)
        train.set_defaults(command=function)
        train.add_argument("--data", type=Path, required=True, help="folder of photographs to train on")
        train.add_argument(
            "--val", type=Path, required=True, help="folder of photographs that choose the best"
        )
        train.add_argument("--out", type=Path, default=Path("results") / name, help="folder of the training")
        train.add_argument("--resume", action="store_true", help="go on from the folder's last checkpoint")
        train.add_argument("--steps", type=_positive, default=steps)
        train.add_argument("--seed", type=int, default=0)
        if name == "detector":
            train.add_argument(
                "--channels", type=int, nargs="+", default=[2, 2, 3, 2], help="filters of order 0, 1, 2, ..."
            )
            train.add_argument("--filters", choices=("steerable", "free"), default="steerable")
            train.add_argument("--start", choices=("hessian", "random"), default="hessian")
            train.add_argument("--independent", action="store_true", help="draw without forbidding discs")
        else:
            train.add_argument("--handcrafted", choices=("rootsift", "surf", "none"), default="rootsift")
            train.add_argument("--residue", choices=("trained", "frozen", "none"), default="trained")
            train.add_argument("--dimension", type=_positive, default=128, help="of the descriptor")
            train.add_argument(
                "--pool", type=Path, help="file of correspondences to share between trainings (npz)"
            )

    curves = kinds.add_parser("curves", help="draw a column of the logs of some trainings")
    curves.set_defaults(command=_curves)
    curves.add_argument("runs", type=Path, nargs="+", help="folders of trainings")
    curves.add_argument("--column", default="correct", help="of log.csv (default: correct)")
    curves.add_argument("--line", default="", metavar="NAME=VALUE", help="a horizontal line for comparison")
    curves.add_argument("--out", type=Path, default=Path("curves.png"), help="picture to write")


def _bench_commands(parser: argparse.ArgumentParser) -> None:
    benches = parser.add_subparsers(required=True, metavar="WHAT")
    for name, function, text in (
        ("rotation", _bench_rotation, "photographs turned by 15 to 180 degrees"),
        ("homography", _bench_homography, "planar scenes: Oxford affine, HPatches"),
        ("speed", _bench_speed, "milliseconds and ratios to OpenCV's SIFT"),
        ("consistency", _bench_consistency, "covariances against exact errors (NEES) in rendered rooms"),
        ("endurance", _bench_endurance, "cost of a frame and size of the map over an hour of laps"),
    ):
        bench = benches.add_parser(name, help=text)
        bench.set_defaults(command=function)
        bench.add_argument("--json", type=Path, help="file for the figures")
        if name == "rotation":
            bench.add_argument(
                "--images", type=Path, required=True, help="folder of photographs, 640 px or more"
            )
        elif name == "homography":
            bench.add_argument("--dataset", type=Path, required=True, help="folder of sequences")
        elif name == "consistency":
            bench.add_argument("--rooms", type=_positive, default=10, help="one run each (default 10)")
            bench.add_argument("--first", type=int, default=100, help="seed of the first room (default 100)")
            bench.add_argument("--frames", type=_positive, default=120, help="of each run, 20 per second")
            continue
        elif name == "endurance":
            bench.add_argument("--minutes", type=_positive, default=60)
            bench.add_argument("--picture", type=Path, help="PNG of the curves")
            continue
        else:
            bench.add_argument("--image", type=Path, required=True, help="photograph, resized to VGA and HD")
            bench.add_argument("--threads", type=_positive, default=1, help="of every method (default 1)")
            bench.add_argument(
                "--extractor", choices=("strek", "hybrid"), default="hybrid", help="what `ours` is"
            )
            continue
        bench.add_argument("--extractor", choices=_EXTRACTORS, default="hybrid", help="what `ours` is")
        bench.add_argument("--yardsticks", nargs="*", choices=YARDSTICKS, default=YARDSTICKS)


def _command(commands: Any, name: str, function: Any, text: str) -> argparse.ArgumentParser:
    """A command that takes the configuration."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text)
    parser.set_defaults(command=function)
    parser.add_argument("--extractor", choices=_EXTRACTORS, help="local feature")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any parameter of the nodes, such as odometry.matching.ratio=0.8",
    )
    return parser


def _config(given: argparse.Namespace) -> Config:
    kinds = {o.name: type(o.value) for o in options(Config())}
    values: dict[str, Any] = {}
    for text in given.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text}: write NAME=VALUE")
        values[name] = _parse(name, value, kinds.get(name, str))
    if given.extractor:
        values["features.extractor"] = given.extractor
    config: Config = with_options(Config(), values)
    return config


def _parse(name: str, value: str, kind: type) -> Any:
    try:
        return {"true": True, "false": False}[value.lower()] if kind is bool else kind(value)
    except (KeyError, ValueError):
        raise InputError(f"{name} = {value!r}: give a {kind.__name__}") from None


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number from 1")
    return number


def _read(path: Path) -> Any:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if image is None:
        raise InputError(f"{path}: {'not an image that OpenCV reads' if path.exists() else 'no such file'}")
    return image


def _write(path: Path, image: Any) -> None:
    if not path.suffix or not cv2.imwrite(str(path), image):
        raise InputError(
            f"{path}: cannot write; give a folder that exists and a name that ends in .png or .jpg"
        )


if __name__ == "__main__":
    main()

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The commands that read recordings: ``hybrid-features evaluate`` and ``bag make``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid_features_ros.cli.bench import positive, whole
from hybrid_features_ros.cli.options import (
    OFFLINE,
    check_apart,
    check_writable,
    choice_of,
    command,
    config_of,
    recording_options,
)
from hybrid_features_ros.core.errors import InputError, reading

if TYPE_CHECKING:
    from hybrid_features_ros.evaluation.evaluate import Evaluation
    from hybrid_features_ros.io.source import Notes

INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it


def evaluate_command(commands: Any) -> None:
    """Add ``evaluate``."""
    run = command(commands, "evaluate", _evaluate, "odometry of a sequence or bag against its truth")
    run.add_argument("sequence", type=Path)
    run.add_argument("--out", type=Path, help="folder of the results (default results/SEQUENCE_MODE)")
    run.add_argument(
        "--mode",
        choices=("mono", "rgbd", "stereo"),
        default="mono",
        help="where depth comes from: motion alone, depth images, the right camera",
    )
    run.add_argument("--start", type=whole, default=0, metavar="N", help="begin at frame N (default 0)")
    run.add_argument("--every", type=positive, default=1, metavar="N", help="use every N-th frame")
    run.add_argument("--gyro", action="store_true", help="use the sequence's gyroscope")
    run.add_argument(
        "--prior",
        default="",
        metavar="NAME",
        help="use another odometry: its topic (Odometry), or file in a folder",
    )
    run.add_argument("--exact", action="store_true", help="the truth is exact: report NEES")
    run.add_argument(
        "--truth-sigma", default="0,0", metavar="METRES,DEGREES",
        help="standard deviations of the truth itself, for the coverage of the covariances (default 0,0)",
    )  # fmt: skip
    run.add_argument("--json", type=Path, help="file for the report")
    run.add_argument("--rerun", type=Path, metavar="FILE", help="record a live view (.rrd) for Rerun")
    run.add_argument("--tum", type=Path, help="file for the trajectory, TUM format")
    run.add_argument("--left", default="", metavar="NAME", help="with --mode stereo, the same as --image")
    recording_options(run)


def bag_command(commands: Any) -> None:
    """Add ``bag make``."""
    bag = commands.add_parser("bag", help="recordings").add_subparsers(required=True, metavar="COMMAND")
    make = bag.add_parser("make", help="write a sequence as a rosbag2")
    make.set_defaults(command=_make_bag)
    make.add_argument("sequence", type=Path)
    make.add_argument("out", type=Path)
    make.add_argument("--compressed", action="store_true", help="CompressedImage instead of Image")
    make.add_argument("--storage", choices=("sqlite3", "mcap"), default="sqlite3")
    recording_options(make)


def _evaluate(given: argparse.Namespace) -> None:
    from hybrid_features_ros.evaluation.evaluate import assumed, evaluate, with_mode
    from hybrid_features_ros.evaluation.metrics import TruthNoise
    from hybrid_features_ros.evaluation.results import make_folder
    from hybrid_features_ros.io.sources import open_source
    from hybrid_features_ros.visualization.gallery import FrameGallery
    from hybrid_features_ros.visualization.report import write_report
    from hybrid_features_ros.visualization.rerun import RerunView

    config = with_mode(config_of(given, OFFLINE), given.mode, given.gyro, bool(given.prior))
    noise = TruthNoise.parse(given.truth_sigma)
    source = open_source(given.sequence, choice=_chosen(given, config))
    _ = source.ground_truth, source.imu if given.gyro else None  # read now: both may have something to note
    out = given.out or Path("results") / f"{source.name}_{given.mode}"
    check_apart({f"--{n}": getattr(given, n) for n in ("json", "tum", "rerun")}, _inputs(given))
    check_apart({"--out": out / "trajectory.tum"}, _inputs(given))
    make_folder(out)
    for option in ("json", "tum", "rerun"):
        check_writable(f"--{option}", getattr(given, option))
    told = assumed(source.notes, given.mode, given.gyro)
    _print_notes(told)
    frames = slice(given.start, None, given.every)
    view = [RerunView(given.rerun, out.name, source.camera, source.ground_truth)] if given.rerun else []
    gallery = FrameGallery(source.stamps[frames])
    evaluation = evaluate(
        source, config, frames, exact=given.exact, truth_noise=noise, watchers=[gallery, *view]
    )
    for viewer in view:
        viewer.close()
    _print_notes([line for line in assumed(source.notes, given.mode, given.gyro) if line not in told])
    _print_skipped(source.notes)
    interrupted = evaluation.report["protocol"]["interrupted"]
    if interrupted and not evaluation.results:
        print("interrupted before the first frame", file=sys.stderr)
        sys.exit(INTERRUPTED)
    write_report(out, replace(evaluation, name=out.name), gallery.snapshots)
    _hand_out(given, out, evaluation)
    if interrupted:
        done = f"{len(evaluation.results)} of {len(source.stamps[frames])} frames"
        print(f"interrupted after {done}; {out} has the results of those", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _inputs(given: argparse.Namespace) -> list[Path]:
    """Files and folders that an evaluation reads."""
    path: Path = given.sequence.resolve()
    named = [path / name for name in (given.truth, given.prior, given.imu, given.depth, given.image) if name]
    pair = [path.parent / given.right] if given.right else []
    pair += [path.with_name(f"{path.name[:-5]}_right")] if path.name.endswith("_left") else []
    kitti = path / f"../../poses/{path.name}.txt"
    return [path, kitti, *named, *pair, *([given.calib] if given.calib else [])]


def _hand_out(given: argparse.Namespace, out: Path, evaluation: Evaluation) -> None:
    """The figures on the screen, and the files that were asked for beside those in ``out``."""
    from hybrid_features_ros.io.trajectory import write_tum

    text = (out / "metrics.json").read_text()
    if given.json:
        with reading(f"--json {given.json}: cannot write"):
            given.json.write_text(text)
    if given.tum:
        with reading(f"--tum {given.tum}: cannot write"):
            write_tum(given.tum, evaluation.trajectory)
    print(text, end="")
    print(f"report: {out / 'report.html'}", file=sys.stderr)


def _print_skipped(notes: Notes) -> None:
    from hybrid_features_ros.evaluation.evaluate import skipped

    left_out = skipped(notes)
    if left_out["count"]:
        print(f"warning: {left_out['count']} left out; the first: {left_out['first']}", file=sys.stderr)


def _print_notes(lines: Sequence[str]) -> None:
    for line in lines:
        print(f"note: {line}", file=sys.stderr)


def _chosen(given: argparse.Namespace, config: Any) -> Any:
    """What is to be read; options that the mode does not use are refused."""
    uses = {
        "depth": (given.mode == "rgbd", "--mode rgbd"),
        "depth_scale": (given.mode == "rgbd", "--mode rgbd"),
        "left": (given.mode == "stereo", "--mode stereo"),
        "right": (given.mode == "stereo", "--mode stereo"),
        "imu": (given.gyro, "--gyro"),
    }
    for name, (used, option) in uses.items():
        if getattr(given, name) and not used:
            raise InputError(f"--{name.replace('_', '-')} {getattr(given, name)}: only {option} uses it")
    if given.left and given.image:
        raise InputError(f"--left {given.left} and --image {given.image} are the same: give one")
    choice = choice_of(given, config, stereo=given.mode == "stereo")
    return replace(choice, image=given.left or given.image)


def _make_bag(given: argparse.Namespace) -> None:
    from hybrid_features_ros.io.bags import make_bag
    from hybrid_features_ros.io.sources import open_source

    source = open_source(given.sequence, choice=choice_of(given))
    make_bag(source, given.out, compressed=given.compressed, storage=given.storage)
    _print_notes([*source.notes.assumed.values(), *map(": ".join, source.notes.skipped.items())])
    print(f"bag: {given.out}")

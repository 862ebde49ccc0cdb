# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The ``hybrid-features`` command: the core without ROS.

Commands import what they need when they run, so that help comes at once and without any extra.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hybrid_features_ros import __version__
from hybrid_features_ros.cli.bench import bench_commands, positive, whole
from hybrid_features_ros.cli.evaluate import INTERRUPTED, bag_command, evaluate_command
from hybrid_features_ros.cli.examples import EXAMPLES
from hybrid_features_ros.cli.options import check_apart, command, config_of
from hybrid_features_ros.cli.train import train_commands
from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.errors import InputError, extra

_DESCRIPTION = "Local features and visual odometry, without ROS."
WEIGHTS = Path(__file__).parents[1] / "weights"


def main(args: Sequence[str] | None = None) -> None:
    """Run one command; bad input prints one line and exits with status 1."""
    given = make_parser().parse_args(args)
    try:
        given.command(given)
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:  # of files that are read or written, whichever command it is
        sys.exit(f"error: {error.filename or 'file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _extract(given: argparse.Namespace) -> None:
    from hybrid_features_ros.features import make_extractor
    from hybrid_features_ros.io.images import read_image
    from hybrid_features_ros.visualization.draw import draw_features

    check_apart({"--out": given.out}, [given.image])
    image = read_image(given.image)
    features = make_extractor(config_of(given, ("features.",)).features).extract(image)
    _write(given.out, draw_features(image, features))
    print(f"{len(features)} {features.format.detector} features in {given.image}; picture: {given.out}")


def _match(given: argparse.Namespace) -> None:
    from hybrid_features_ros.core.config import MatchingConfig
    from hybrid_features_ros.features import make_extractor
    from hybrid_features_ros.io.images import read_image
    from hybrid_features_ros.matching.pair import match_images
    from hybrid_features_ros.visualization.draw import draw_matches

    check_apart({"--out": given.out}, [given.a, given.b])
    config = config_of(given, ("features.", "odometry.matching."))
    images = [read_image(path) for path in (given.a, given.b)]
    matching = MatchingConfig(lowe_ratio=config.odometry.matching.lowe_ratio)
    pair = match_images(make_extractor(config.features), images[0], images[1], matching)
    _write(given.out, draw_matches(images[0], images[1], pair.a, pair.b, pair.matches))
    print(f"{len(pair)} matches of {len(pair.a)} and {len(pair.b)} features; picture: {given.out}")


def _report_page(given: argparse.Namespace) -> None:
    from hybrid_features_ros.visualization.report import read_page, write_page

    write_page(given.out, [run for path in given.runs for run in read_page(path)])
    print(f"report: {given.out}")


def _dataset_list(given: argparse.Namespace) -> None:
    from hybrid_features_ros.io.datasets import table

    print(table())


def _dataset_info(given: argparse.Namespace) -> None:
    from hybrid_features_ros.io.datasets import describe, find_dataset

    print(describe(find_dataset(given.name), given.out))


def _dataset_download(given: argparse.Namespace) -> None:
    from hybrid_features_ros.io.datasets import download, find_dataset

    dataset = find_dataset(given.name)
    print(f"{dataset.title}: {dataset.licence}; terms: {dataset.page}")
    for folder in download(dataset, given.out, given.source):
        print(f"hybrid-features {dataset.use} {folder}")


def _size(text: str) -> tuple[int, int]:
    """Width and height of ``640x480``."""
    width, _, height = text.partition("x")
    try:
        return positive(width), positive(height)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: write WIDTHxHEIGHT, such as 640x480") from None


def _export(given: argparse.Namespace) -> None:
    if not (given.weights or given.onnx or given.module):
        raise InputError("export: say what to write: --weights FILE.npz, --onnx FILE or --module FILE")
    files = {f"--{name}": getattr(given, name) for name in ("weights", "onnx", "module")}
    check_apart(files, [given.checkpoint])
    with extra("train"):
        from hybrid_features_ros.training.export import export, export_weights
        from hybrid_features_ros.training.export_module import export_module
    if given.weights:
        export_weights(given.checkpoint, given.weights)
        print(f"{given.weights}: weights for OpenCV and numpy")
    if given.onnx:
        difference = export(given.checkpoint, given.onnx)
        print(f"{given.onnx}: outputs differ from PyTorch's by {difference:.1e}")
    if given.module:
        config = FeatureConfig(extractor=given.extractor, max_keypoints=given.keypoints)
        width, height = given.size
        difference = export_module(config, width, height, given.module)
        print(f"{given.module}: descriptors differ from PyTorch's by {difference:.1e}")


def _render(given: argparse.Namespace) -> None:
    from hybrid_features_ros.evaluation.results import make_folder
    from hybrid_features_ros.simulation.render import render_place, render_sequence, render_turn

    make_folder(given.out)
    if given.pano:
        out = render_turn(given.out, given.pano)
    elif given.place:
        out = render_place(given.out, given.place, given.seed)
    else:
        out = render_sequence(given.out, seed=given.seed)
    print(f"sequence: {out}")


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="hybrid-features", description="Local features and odometry without ROS."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    extract = command(commands, "extract", _extract, "draw the features of an image")
    extract.add_argument("image", type=Path)
    extract.add_argument("--out", type=Path, default=Path("features.png"), help="picture to write")

    match_ = command(commands, "match", _match, "draw the matches of two images")
    match_.add_argument("a", type=Path)
    match_.add_argument("b", type=Path)
    match_.add_argument("--out", type=Path, default=Path("matches.png"), help="picture to write")

    evaluate_command(commands)

    report = commands.add_parser("report", help="one page about several evaluations, side by side")
    report.set_defaults(command=_report_page)
    report.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of results, or its page")
    report.add_argument("--out", type=Path, default=Path("report.html"), help="page to write")

    bag_command(commands)

    _render_command(commands)
    bench_commands(commands.add_parser("bench", help="ours against the yardsticks"))
    _dataset_commands(commands.add_parser("dataset", help="public data sets"))

    train_commands(commands.add_parser("train", help="train a network; resumable, also under torchrun"))

    _export_command(commands)
    _add_examples(parser)
    return parser


def _render_command(commands: Any) -> None:
    render = commands.add_parser(
        "render", help="render a sequence with exact truth; default: the demo's, full of rotations"
    )
    render.set_defaults(command=_render)
    render.add_argument("out", type=Path)
    scene = render.add_mutually_exclusive_group()
    scene.add_argument(
        "--pano", type=Path, help="a cube map or panorama: render a camera that only turns in it"
    )
    scene.add_argument(
        "--place",
        default="",
        metavar="NAME",
        help="floor_walk, corridor, street, desk_pans ...; a pair's OUT ends in _left",
    )
    render.add_argument("--seed", type=whole, default=0, help="of the scene, the path and the noise")


def _export_command(commands: Any) -> None:
    export = commands.add_parser("export", help="write a trained network for inference")
    export.set_defaults(command=_export)
    export.add_argument(
        "checkpoint", type=Path, nargs="?", default=WEIGHTS / "strek.pt", help="default: the detector shipped"
    )
    export.add_argument("--weights", type=Path, metavar="FILE", help=".npz to write, for OpenCV and numpy")
    export.add_argument("--onnx", type=Path, metavar="FILE", help="ONNX to write, checked against PyTorch")
    export.add_argument(
        "--module", type=Path, metavar="FILE", help="ONNX of the whole extractor shipped, image to features"
    )
    export.add_argument(
        "--size", type=_size, default=(640, 480), metavar="WxH", help="of its images (default 640x480)"
    )
    export.add_argument("--extractor", choices=("strek", "hybrid"), default="hybrid")
    export.add_argument("--keypoints", type=positive, default=FeatureConfig.max_keypoints, help="at most")


def _add_examples(parser: argparse.ArgumentParser) -> None:
    """End the help of each command with its example."""
    for action in parser._actions:
        for child in action.choices.values() if isinstance(action, argparse._SubParsersAction) else ():
            example = EXAMPLES.get(child.prog.partition(" ")[2])
            child.epilog = f"example: {example}" if example else None
            _add_examples(child)


def _dataset_commands(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("list", help="their names").set_defaults(command=_dataset_list)
    for name, function, text in (
        ("info", _dataset_info, "address, terms and checksum of one"),
        ("download", _dataset_download, "fetch and unpack one; goes on where it was cut off"),
    ):
        command = commands.add_parser(name, help=text)
        command.set_defaults(command=function)
        command.add_argument("name", help="one of the list, such as tum/fr1_rpy")
        command.add_argument("--out", type=Path, default=Path("datasets"), help="folder for all of them")
        if name == "download":
            command.add_argument("--source", default="", help="folder or address that has the archives")


def _write(path: Path, image: Any) -> None:
    import cv2

    try:
        done = bool(path.suffix) and cv2.imwrite(str(path), image)
    except cv2.error:  # an ending that it does not know
        done = False
    if not done:
        raise InputError(
            f"{path}: cannot write; give a folder that exists and a name that ends in .png or .jpg"
        )


if __name__ == "__main__":
    main()

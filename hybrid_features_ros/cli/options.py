# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share: configuration, what is read of a recording, what is written."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid_features_ros.core.config import Config, FeatureConfig, options, with_options
from hybrid_features_ros.core.errors import InputError, reading

if TYPE_CHECKING:
    from hybrid_features_ros.io.source import Choice

EXTRACTORS = FeatureConfig.__dataclass_fields__["extractor"].metadata["choices"]
ALGORITHM = ("features.", "odometry.")
# Endings of the files of recordings, besides calib.json.
READ = (
    ".txt", ".csv", ".yaml", ".yml", ".npy", ".bag", ".mcap", ".db3",
    ".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".bmp", ".tif", ".tiff", ".webp",
)  # fmt: skip
OFFLINE = (
    *ALGORITHM, "input.rectified", "input.depth", "input.stereo", "input.imu", "input.prior",
    "input.sync", "input.max_interval_s",
)  # fmt: skip
NODES_ONLY = ("features.own_process",)  # though others of its kind act: to be named one by one


def command(
    commands: Any, name: str, function: Callable[[argparse.Namespace], None], text: str
) -> argparse.ArgumentParser:
    """A command that takes the configuration."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text)
    parser.set_defaults(command=function)
    names = f"{{{','.join(EXTRACTORS)}}}"
    parser.add_argument("--extractor", type=_extractor, metavar=names, help="local feature")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any parameter of the nodes that acts here, such as odometry.matching.lowe_ratio=0.8",
    )
    return parser


def config_of(given: argparse.Namespace, acting: Sequence[str] = ALGORITHM) -> Config:
    """The configuration that the options make.

    Args:
        given: options of a :func:`command`.
        acting: names, or beginnings of names, of the parameters that this command uses.

    Raises:
        InputError: a parameter does not exist, has another type, or would change nothing.
    """
    kinds = {o.name: type(o.value) for o in options(Config())}
    values: dict[str, Any] = {}
    for text in given.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text}: write NAME=VALUE")
        acts = name in acting if name in NODES_ONLY else name.startswith(tuple(acting))
        if name in kinds and not acts:
            raise InputError(f"--set {text}: this command does not use {name}; here act {', '.join(acting)}")
        if name in values:
            raise InputError(f"--set {text}: {name} is given twice, first as {values[name]}: give it once")
        values[name] = _parse(name, value, kinds.get(name, str))
    if given.extractor:
        told = values.setdefault("features.extractor", given.extractor)
        if told != given.extractor:
            raise InputError(f"--extractor {given.extractor} and --set features.extractor={told}: give one")
    config: Config = with_options(Config(), values)
    return config


def recording_options(parser: argparse.ArgumentParser) -> None:
    """Options that say what is read of a recording."""
    parser.add_argument(
        "--image", default="", metavar="NAME", help="image topic; of a folder, list or camera"
    )
    parser.add_argument(
        "--depth", default="", metavar="NAME", help="depth topic; of a folder, list or folder"
    )
    parser.add_argument("--right", default="", metavar="NAME", help="right image topic, or right folder")
    parser.add_argument("--imu", default="", metavar="NAME", help="topic of the inertial unit, or its file")
    parser.add_argument("--truth", default="", metavar="NAME", help="topic of the true poses, or their file")
    parser.add_argument("--camera-info", default="", metavar="TOPIC", help="camera_info topic of a bag")
    parser.add_argument(
        "--calib",
        type=Path,
        metavar="FILE",
        help="calibration of the image: calib.json, or YAML of ROS, Kalibr, EuRoC or OpenCV",
    )
    parser.add_argument(
        "--depth-scale",
        type=float,
        metavar="UNITS",
        help="units per metre of depth images: 1000 = millimetres",
    )


def choice_of(given: argparse.Namespace, config: Config | None = None, stereo: bool = False) -> Choice:
    """What is to be read of a recording.

    Raises:
        InputError: two options contradict each other.
    """
    from hybrid_features_ros.io.source import Choice

    if given.camera_info and given.calib:
        raise InputError(f"--camera-info {given.camera_info} and --calib {given.calib}: give one of them")
    config = config or Config()
    told = [text.partition("=")[0] for text in getattr(given, "set", [])]
    interval_s = 0.0 if config.input.sync == "exact" else config.input.max_interval_s
    return Choice(
        image=given.image,
        depth=given.depth,
        right=given.right,
        imu=given.imu,
        truth=given.truth,
        prior=getattr(given, "prior", ""),
        camera_info=given.camera_info,
        calib=given.calib,
        depth_scale=given.depth_scale,
        rectified=config.input.rectified if "input.rectified" in told else None,
        stereo=stereo,
        max_interval_ns=round(interval_s * 1e9),
    )


def check_writable(option: str, path: Path | None) -> None:
    """Whether a file can be written, before anything is computed for it.

    Raises:
        InputError: its folder is missing, or the system does not allow it.
    """
    if path is not None:
        with reading(f"{option} {path}: cannot write"):
            is_new = not path.exists()
            with path.open("ab"):
                pass
            if is_new:
                path.unlink()


def check_apart(outputs: Mapping[str, Path | None], inputs: Sequence[Path]) -> None:
    """Whether no file to be written is read, or written twice.

    Args:
        outputs: option, and the file that it names.
        inputs: files, and folders of recordings: all that is there of the kinds that are read.

    Raises:
        InputError: one is.
    """
    written: dict[Path, str] = {}
    read = {path.resolve() for path in inputs}
    for option, path in outputs.items():
        if path is None:
            continue
        file = path.resolve()
        inside = file.is_file() and not read.isdisjoint(file.parents)
        if file in read or (inside and (file.suffix.lower() in READ or file.name == "calib.json")):
            raise InputError(
                f"{option} {path}: this file is an input, which it would overwrite; name another"
            )
        if file in written:
            raise InputError(f"{option} {path}: {written[file]} writes the same file; name another")
        written[file] = option


def _extractor(text: str) -> str:
    try:
        return FeatureConfig(extractor=text).extractor
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parse(name: str, value: str, kind: type) -> Any:
    try:
        return {"true": True, "false": False}[value.lower()] if kind is bool else kind(value)
    except (KeyError, ValueError):
        raise InputError(f"{name} = {value!r}: give a {kind.__name__}") from None

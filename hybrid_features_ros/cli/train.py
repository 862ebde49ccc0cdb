# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The trainings of ``hybrid-features train``; PyTorch is looked for only when one begins."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hybrid_features_ros.cli.bench import positive
from hybrid_features_ros.core.errors import InputError, extra


def _detector(given: argparse.Namespace) -> None:
    with extra("train"):
        from hybrid_features_ros.training.deep import DeepConfig
        from hybrid_features_ros.training.detector import DetectorTraining, train_detector
        from hybrid_features_ros.training.network import NetworkConfig
    deep = given.network == "deep"
    names = ("fields", "layers", "start") if deep else ("channels", "filters", "start")
    for foreign in {"fields", "layers", "channels", "filters"} - set(names):
        if hasattr(given, foreign):
            raise InputError(f"--{foreign} has no meaning with --network {given.network}: leave it out")
    shape = (DeepConfig if deep else NetworkConfig)(**_chosen(given, *names))
    rest = (
        "steps",
        "seed",
        "validate_every",
        "batch",
        "scenes",
        "warped",
        "learning_rate",
        "uncertainty",
        "temperature",
        "independent",
        "plain",
    )
    config = DetectorTraining(network=shape, **_chosen(given, *rest))
    pool = given.pool or given.out.parent / "views.npz"
    print(f"best: {train_detector(config, given.data, given.val, given.out, pool, given.resume)}")


def _descriptor(given: argparse.Namespace) -> None:
    with extra("train"):
        from hybrid_features_ros.training.descriptor import DescriptorTraining, train_descriptor
        from hybrid_features_ros.training.fusion import FusionConfig
    names = ("handcrafted", "residue", "dimension", "hidden", "channels", "kernels", "strides", "context")
    shape = FusionConfig(**_chosen(given, *names))
    rest = ("steps", "seed", "validate_every", "warps", "scenes", "loss", "start", "learning_rate")
    config = DescriptorTraining(descriptor=shape, **_chosen(given, *rest))
    pool = given.pool or given.out.parent / "correspondences.npz"
    print(f"best: {train_descriptor(config, given.data, given.val, given.out, pool, given.resume)}")


def _chosen(given: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that were given; the others keep the defaults of the training's own configuration."""
    found = {n: getattr(given, n) for n in names if hasattr(given, n)}
    return {n: tuple(v) if isinstance(v, list) else v for n, v in found.items()}


def _curves(given: argparse.Namespace) -> None:
    from hybrid_features_ros.training.curves import draw_curves

    name, equals, value = given.line.partition("=")
    draw_curves(given.runs, given.column, given.out, (name, float(value)) if equals else None)
    print(f"picture: {given.out}")


def _detector_options(train: argparse.ArgumentParser) -> None:
    train.add_argument(
        "--network",
        choices=("shallow", "deep"),
        default="shallow",
        help="one layer of filters and a product of energies, as shipped, or steerable layers on each other",
    )
    for option, text in (("fields", "that pass between layers"), ("layers", "on fields")):
        train.add_argument(
            f"--{option}", type=positive, default=argparse.SUPPRESS, help=f"of the deep network: {text}"
        )
    train.add_argument(
        "--channels",
        type=int,
        nargs="+",
        default=argparse.SUPPRESS,
        help="of the shallow network: filters of order 0, 1, 2, ...",
    )
    train.add_argument(
        "--filters", choices=("steerable", "free"), default=argparse.SUPPRESS, help="of the shallow network"
    )
    train.add_argument("--start", choices=("hessian", "random"), default=argparse.SUPPRESS)
    train.add_argument("--batch", type=positive, default=argparse.SUPPRESS, help="pairs of a step")
    train.add_argument(
        "--scenes",
        type=int,
        default=argparse.SUPPRESS,
        help="rendered yards that pairs with parallax and occlusion come from; 0: all pairs are warps",
    )
    train.add_argument(
        "--warped", type=float, default=argparse.SUPPRESS, metavar="SHARE", help="of the pairs that are warps"
    )
    train.add_argument("--pool", type=Path, help="file of rendered views to share between trainings (npz)")
    train.add_argument("--learning-rate", type=float, default=argparse.SUPPRESS)
    train.add_argument(
        "--uncertainty", type=float, default=argparse.SUPPRESS, metavar="NATS", help="mean entropy of draws"
    )
    train.add_argument(
        "--temperature", type=float, default=argparse.SUPPRESS, help="of the draws, whatever their entropy"
    )
    for option, text in (
        ("independent", "draw without forbidding discs"),
        ("plain", "pay alike for any partner within 3 px, and let doubles on other levels pay, too"),
    ):
        train.add_argument(f"--{option}", action="store_true", default=argparse.SUPPRESS, help=text)


def _descriptor_options(train: argparse.ArgumentParser) -> None:
    train.add_argument("--handcrafted", choices=("rootsift", "surf", "none"), default=argparse.SUPPRESS)
    train.add_argument("--residue", choices=("trained", "frozen", "none"), default=argparse.SUPPRESS)
    train.add_argument("--dimension", type=positive, default=argparse.SUPPRESS, help="of the descriptor")
    for option, text in (
        ("channels", "of the CNN's convolutions"),
        ("kernels", "their sides"),
        ("strides", "their steps; a kernel as large as its step has no border"),
    ):
        train.add_argument(f"--{option}", type=int, nargs="+", default=argparse.SUPPRESS, help=text)
    train.add_argument("--hidden", type=positive, default=argparse.SUPPRESS, help="width of the MLP")
    for option, text in (
        ("context", "levels of the pyramid between the patch and the wider one seen beside it; 0 = none"),
        ("warps", "pairs of warped photographs to learn from"),
        ("scenes", "rendered yards to learn from, ten views each, with parallax and occlusion"),
    ):
        train.add_argument(f"--{option}", type=int, default=argparse.SUPPRESS, help=text)
    train.add_argument("--loss", choices=("triplet", "softmax"), default=argparse.SUPPRESS)
    train.add_argument(
        "--start", default=argparse.SUPPRESS, metavar="CHECKPOINT", help="weights to begin with"
    )
    train.add_argument("--learning-rate", type=float, default=argparse.SUPPRESS)
    train.add_argument("--pool", type=Path, help="file of correspondences to share between trainings (npz)")


def train_commands(parser: argparse.ArgumentParser) -> None:
    """Add one command for each network, and one that draws how trainings went."""
    kinds = parser.add_subparsers(required=True, metavar="WHAT")
    for name, function, add_options, text in (
        ("detector", _detector, _detector_options, "the S-TREK detector"),
        (
            "descriptor",
            _descriptor,
            _descriptor_options,
            "the hybrid descriptor, at the detector's keypoints",
        ),
    ):
        train = kinds.add_parser(name, help=text)
        train.set_defaults(command=function)
        train.add_argument("--data", type=Path, required=True, help="folder of photographs to train on")
        train.add_argument(
            "--val", type=Path, required=True, help="folder of photographs that choose the best"
        )
        train.add_argument("--out", type=Path, default=Path("results") / name, help="folder of the training")
        train.add_argument("--resume", action="store_true", help="go on from the folder's last checkpoint")
        train.add_argument("--steps", type=positive, default=argparse.SUPPRESS)
        train.add_argument("--seed", type=int, default=argparse.SUPPRESS)
        train.add_argument("--validate-every", type=positive, default=argparse.SUPPRESS, help="steps")
        add_options(train)
    curves = kinds.add_parser("curves", help="draw a column of the logs of some trainings")
    curves.set_defaults(command=_curves)
    curves.add_argument("runs", type=Path, nargs="+", help="folders of trainings")
    curves.add_argument("--column", default="correct", help="of log.csv (default: correct)")
    curves.add_argument("--line", default="", metavar="NAME=VALUE", help="a horizontal line for comparison")
    curves.add_argument("--out", type=Path, default=Path("curves.png"), help="picture to write")

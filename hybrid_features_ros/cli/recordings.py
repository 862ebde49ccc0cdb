# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of ``hybrid-features bench`` that run on recordings of one's own."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from hybrid_features_ros.cli.options import check_writable
from hybrid_features_ros.core.config import Config, with_options
from hybrid_features_ros.core.errors import InputError

# Options of `bench spin` that only a measurement uses, and their defaults.
SPIN = {"mode": "mono", "starts": 3, "extractor": "hybrid", "tum": None, "json": None}


def recordings_commands(benches: Any) -> None:
    """Add ``bench recordings``, ``bench spin`` and ``bench turn``."""
    bench = benches.add_parser(
        "recordings", help="a list of recordings, each from several starts, with baselines"
    )
    bench.set_defaults(command=_bench_recordings)
    bench.add_argument(
        "list", type=Path, help="text file, a line each: PATH MODE [MODE ...] [truth_sigma=METRES,DEGREES]"
    )
    bench.add_argument(
        "--starts", type=int, default=8, metavar="N", help="frames 0, 1/N, 2/N ... (default 8)"
    )
    bench.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default 1)")
    bench.add_argument("--shard", default="1/1", metavar="I/N", help="only every N-th run, for array jobs")
    bench.add_argument("--baselines", nargs="*", choices=("textbook", "sift"), default=["textbook", "sift"])
    bench.add_argument("--baseline", type=Path, help="earlier figures: exit status 1 where these are worse")
    bench.add_argument("--extractor", default="hybrid", help="local feature of ours")
    bench.add_argument("--json", type=Path, help="file for the figures")

    spin = benches.add_parser(
        "spin", help="a recording rolled by known profiles, ours or another system's path"
    )
    spin.set_defaults(command=_bench_spin)
    spin.add_argument("sequence", type=Path)
    spin.set_defaults(**SPIN)
    spin.add_argument("--mode", choices=("mono", "rgbd"), help="where depth comes from")
    spin.add_argument(
        "--profiles", nargs="+", metavar="KIND:VALUE",
        help="constant:DEGREES, swing:DEG_PER_S (180 degrees to either side), spin:DEG_PER_S, "
        "blackout:DEGREES (a black second in every four, turned meanwhile)",
    )  # fmt: skip
    spin.add_argument("--every", type=int, default=1, metavar="N", help="keep every N-th image")
    spin.add_argument("--exposure-ms", type=float, default=0.0, help="motion blur of the roll (default none)")
    spin.add_argument(
        "--pan", type=float, default=0.0, metavar="DEG_PER_S",
        help="motion blur of a pan as well, during the exposure (default none)",
    )  # fmt: skip
    spin.add_argument("--starts", type=int, metavar="N", help="frames 0, 1/N, 2/N ... (default 3)")
    spin.add_argument("--extractor", help="local feature of ours")
    spin.add_argument("--tum", type=Path, help="measure another system's trajectory (TUM format) instead")
    spin.add_argument(
        "--write", type=Path, metavar="DIR", help="only write the rolled sequences, one folder each"
    )
    spin.add_argument("--bags", action="store_true", help="with --write: as rosbag2")
    spin.add_argument("--json", type=Path, help="file for the figures")

    turn = benches.add_parser("turn", help="whole turns in place, in panoramas of real places")
    turn.set_defaults(command=_bench_turn)
    turn.add_argument(
        "panoramas", nargs="+", type=Path, metavar="PANORAMA", help="image or cube map's folder"
    )
    turn.add_argument("--rate", type=float, default=180.0, metavar="DEG_PER_S", help="default 180")
    turn.add_argument("--extractor", default="hybrid", help="local feature of ours")
    turn.add_argument("--json", type=Path, help="file for the figures")


def _bench_recordings(given: argparse.Namespace) -> None:
    from hybrid_features_ros.benchmarks.recordings import bench_recordings, read_list, shard, table, worse

    check_writable("--json", given.json)
    before = None if given.baseline is None else _read_figures(given.baseline)
    _check_at_least_one(given, "starts", "jobs")
    runs = shard(read_list(given.list), given.shard)
    figures = bench_recordings(runs, _config(given), given.starts, jobs=given.jobs, baselines=given.baselines)
    _print(given, figures)
    print(table(figures), file=sys.stderr)
    lines = [] if before is None else worse(figures, before)
    if lines:
        sys.exit("worse than " + str(given.baseline) + ":\n" + "\n".join(lines))


def _bench_spin(given: argparse.Namespace) -> None:
    from hybrid_features_ros.benchmarks.spin import PROFILES, bench_spin, table, write_rolled
    from hybrid_features_ros.io.sources import open_source
    from hybrid_features_ros.simulation.roll import RollProfile

    check_writable("--json", given.json)
    _check_at_least_one(given, "starts", "every")
    _check_write(given)
    source = open_source(given.sequence)
    profiles = [
        RollProfile.parse(text, 1e-3 * given.exposure_ms, given.every, given.pan)
        for text in given.profiles or PROFILES
    ]
    if given.write:
        for path in write_rolled(source, profiles, given.write, given.bags):
            print(path)
        return
    figures = bench_spin(source, _config(given), profiles, given.mode, given.starts, given.tum)
    _print(given, figures)
    print(table(figures), file=sys.stderr)


def _bench_turn(given: argparse.Namespace) -> None:
    from hybrid_features_ros.benchmarks.turn import bench_turn, table

    check_writable("--json", given.json)
    if not 0 < given.rate <= 900:
        raise InputError(f"--rate {given.rate}: give degrees per second above 0, at most 900")
    figures = bench_turn(given.panoramas, _config(given), given.rate)
    _print(given, figures)
    print(table(figures), file=sys.stderr)


def _config(given: argparse.Namespace) -> Config:
    config: Config = with_options(Config(), {"features.extractor": given.extractor})
    return config


def _print(given: argparse.Namespace, figures: dict[str, Any]) -> None:
    text = json.dumps(figures, indent=1)
    if given.json:
        given.json.write_text(text + "\n")
    print(text)


def _read_figures(file: Path) -> dict[str, Any]:
    try:
        figures: dict[str, Any] = json.loads(file.read_text())
        figures["sequences"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: {error}; give a file that `bench recordings --json` wrote") from None
    return figures


def _check_write(given: argparse.Namespace) -> None:
    """Whether all that was given is used: sequences are written without being measured."""
    unused = [f"--{name}" for name, default in SPIN.items() if getattr(given, name) != default]
    if given.write and unused:
        raise InputError(
            f"--write {given.write}: only writes and does not use {', '.join(unused)}: leave it out"
        )
    if given.bags and not given.write:
        raise InputError("--bags: say with --write DIR where to")


def _check_at_least_one(given: argparse.Namespace, *names: str) -> None:
    for name in names:
        if getattr(given, name) < 1:
            raise InputError(f"--{name} {getattr(given, name)}: give a whole number from 1")

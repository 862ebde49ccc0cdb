# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A real sequence rolled by known profiles: what rotation costs, of ours and of any other system.

No public recording rolls, and rolling a whole recording exactly is possible (:mod:`~..simulation.roll`). A
figure is to be read against the profile ``constant:0``, which is the same disc of the same images unrolled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hybrid_features_ros.benchmarks import blackout
from hybrid_features_ros.benchmarks.recordings import (
    STARTS,
    Figures,
    errors,
    figures_of,
    run_starts,
    summary,
)
from hybrid_features_ros.core.config import Config
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.evaluation.evaluate import Mode
from hybrid_features_ros.io.source import Source
from hybrid_features_ros.io.trajectory import read_tum
from hybrid_features_ros.io.writer import write_folder
from hybrid_features_ros.simulation.roll import RolledSource, RollProfile

PROFILES = ("constant:0", "constant:30", "constant:90", "swing:120", "spin:90", "spin:360", "spin:1000")


def bench_spin(
    source: Source,
    config: Config,
    profiles: Sequence[RollProfile],
    mode: Mode = "mono",
    starts: int = STARTS,
    tum: Path | None = None,
) -> Figures:
    """Figures of every profile, as :func:`~hybrid_features_ros.benchmarks.recordings.measure` gives them.

    Args:
        source: a recording with truth; of a stereo pair the left images.
        mode: ``mono`` or ``rgbd``.
        starts: of each profile's runs.
        tum: the trajectory of another system on the rolled images, measured in place of ours; of one
            profile.

    Raises:
        InputError: stereo is asked for (the rows of a rolled pair are not epipolar), there is no truth, or a
            trajectory is given for several profiles.
    """
    if mode == "stereo":
        raise InputError("bench spin: a rolled pair is not rectified; use --mode mono or rgbd")
    if tum is not None and len(profiles) != 1:
        raise InputError(f"--tum {tum}: is of one profile, but there are {len(profiles)}; give one")
    if source.ground_truth is None:
        raise InputError(f"{source.name}: no ground truth to measure against")
    figures = {}
    for profile in profiles:
        rolled = RolledSource(source, profile)
        if tum is None:
            figures[profile.name] = _measured(rolled, config, mode, starts)
        else:
            figures[profile.name] = summary([errors(read_tum(tum), rolled, mode, profile.every)])
    protocol = {
        "mode": mode, "starts": 1 if tum else starts, "system": str(tum or "ours"),
        "extractor": config.features.extractor,
        "rolled": "about the principal point, inside the largest disc; truth exact up to the recording's own",
    }  # fmt: skip
    return {"protocol": protocol, "sequences": {source.name: figures}}


def _measured(rolled: RolledSource, config: Config, mode: Mode, starts: int) -> Figures:
    """Figures of our odometry: of errors and states, and, with blackouts, of finding the place again."""
    runs = run_starts(rolled, config, mode, starts)
    result = figures_of(runs, rolled, mode, rolled.profile.every)
    if rolled.profile.kind == "blackout":
        found = [trial for results in runs.values() for trial in blackout.trials(results, rolled)]
        result["blackout"] = blackout.summary(found)
    return result


def table(report: Mapping[str, Any]) -> str:
    """The figures as a table in Markdown; errors also over those of the first profile, the unrolled one."""
    rows = [
        "| sequence | profile | ATE, worst [m] | over unrolled | rotation [deg] | lost frames | resets "
        "| found again |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, profiles in report["sequences"].items():
        unrolled = profiles.get("constant0", {}).get("ate_rmse_m", {}).get("median")
        for profile, f in profiles.items():
            ate, seen = f["ate_rmse_m"], f.get("blackout")
            ratio = f"{ate['median'] / unrolled:.2f}" if unrolled else ""
            again = "" if seen is None else f"{seen['found_share']} of {seen['trials']}"
            rows.append(
                f"| {name} | {profile} | {ate['median']:.4f} / {ate['worst']:.4f} | {ratio} "
                f"| {f['rot_rpe_30f_median_deg']:.2f} | {f.get('lost_frames', '')} | {f.get('resets', '')} "
                f"| {again} |"
            )
    return "\n".join(rows)


def write_rolled(
    source: Source, profiles: Sequence[RollProfile], out: Path, as_bags: bool = False
) -> list[Path]:
    """Rolled sequences as folders (plain layout) or bags inside ``out``, for other systems to run on."""
    written = []
    for profile in profiles:
        rolled = RolledSource(source, profile)
        target = out / rolled.name
        if as_bags:
            from hybrid_features_ros.io.bags import make_bag  # needs the extra `bags`

            make_bag(rolled, target)
        else:
            write_folder(rolled, target)
        written.append(target)
    return written

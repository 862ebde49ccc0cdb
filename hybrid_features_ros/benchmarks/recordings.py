# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Odometry on recordings, each from several starts, with the worst beside the median.

One start from the first frame hides what chance decides, above all the first keyframes of a monocular map. So
every sequence is run from several frames on to its end; all runs share one pass over the images.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from hybrid_features_ros.benchmarks.baseline_odometry import textbook_odometry
from hybrid_features_ros.core.config import Config, with_options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import OdometryResult, State, Trajectory
from hybrid_features_ros.evaluation.evaluate import Mode, fewest_inliers, has_translation, with_mode
from hybrid_features_ros.evaluation.metrics import EXACT, TruthNoise, coverage, evaluate_trajectory
from hybrid_features_ros.evaluation.run import extracted, run, trajectory
from hybrid_features_ros.io.source import Source
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.odometry import Odometry

STARTS = 8
SIGMA = "truth_sigma="  # in a list
FEWEST_FRAMES = 4  # of a run: below, no error can be told
SETTLE_NS = 1_000_000_000  # from then on a frame without translation counts
BASELINES = ("textbook", "sift")
TOLERANCE = 0.1  # share by which a figure may be worse than the baseline file's
Figures = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One sequence in one mode.

    Attributes:
        path: of the recording, as :func:`~hybrid_features_ros.io.sources.open_source` takes it.
        mode: where depth comes from.
        truth_noise: what the sequence's truth errs itself.
    """

    path: Path
    mode: Mode
    truth_noise: TruthNoise = EXACT


def read_list(file: Path) -> list[Run]:
    """Runs of a list: a line has a path, relative to the file, then modes and, where it is known what the
    truth errs itself, ``truth_sigma=METRES,DEGREES``; ``#`` begins a comment.

    Raises:
        InputError: the file cannot be read, is empty, or has a mode that is none.
    """
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: {error}; give a text file with lines such as `tum/fr1_rpy mono rgbd`"
        ) from None
    runs = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        told = [words.pop(i) for i in reversed(range(1, len(words))) if words[i].startswith(SIGMA)]
        if len(told) > 1:
            raise InputError(f"{file}:{number}: {SIGMA} is given {len(told)} times: give it once")
        try:
            noise = TruthNoise.parse(told[0].removeprefix(SIGMA)) if told else EXACT
        except InputError as error:
            raise InputError(f"{file}:{number}: {error}") from None
        for mode in words[1:]:
            if mode not in get_args(Mode):
                raise InputError(f"{file}:{number}: mode {mode!r}; use {', '.join(get_args(Mode))}")
            runs.append(Run(file.parent / words[0], cast(Mode, mode), noise))
        if len(words) == 1:
            raise InputError(f"{file}:{number}: {words[0]} has no mode; add {' or '.join(get_args(Mode))}")
    if not runs:
        raise InputError(f"{file}: no sequence in it; a line is `PATH MODE [MODE ...]`")
    return runs


def bench_recordings(
    runs: Sequence[Run],
    config: Config,
    starts: int = STARTS,
    *,
    jobs: int = 1,
    baselines: Sequence[str] = BASELINES,
) -> Figures:
    """Figures of every run, ours and the baselines'.

    Args:
        starts: frames 0, 1/N, 2/N ... of each sequence that a run begins at.
        jobs: processes that share the runs.
        baselines: ``textbook`` (see :mod:`baseline_odometry`) and ``sift`` (our odometry on SIFT).

    Returns:
        ``protocol``, ``sequences`` and ``baselines``: figures by sequence (and baseline) and mode.
    """
    tasks = [(run, config, starts, tuple(baselines)) for run in runs]
    if jobs == 1:
        measured = [_measure(*task) for task in tasks]
    else:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            measured = list(pool.map(_measure, *zip(*tasks, strict=True)))
    sequences: Figures = {}
    noises: Figures = {}
    others: Figures = {name: {} for name in baselines}
    for asked, (name, figures) in zip(runs, measured, strict=True):
        sequences.setdefault(name, {})[asked.mode] = figures.pop("ours")
        noises[name] = asdict(asked.truth_noise)
        for method, figure in figures.items():
            others[method].setdefault(name, {})[asked.mode] = figure
    protocol = {
        "starts": starts, "extractor": config.features.extractor,
        "runs": "from each start to the end; median, and worst of the starts",
        "ate_rmse_m": "all poses; mono after Sim(3), else SE(3) alignment",
        "with_translation_share": f"of the frames after the first {SETTLE_NS * 1e-9:g} s",
        "coverage_3sigma": "x y z rx ry rz, mean of the starts; the truth's variance adds to the estimate's",
        "truth_sigma": noises,
    }  # fmt: skip
    return {"protocol": protocol, "sequences": sequences, "baselines": others}


def _measure(run: Run, config: Config, starts: int, baselines: Sequence[str]) -> tuple[str, Figures]:
    """Name of the sequence and the figures of each method."""
    source = open_source(run.path)
    figures = {"ours": measure(source, config, run.mode, starts, run.truth_noise)}
    if "sift" in baselines:
        sift = with_options(config, {"features.extractor": "sift"})
        figures["sift"] = measure(source, sift, run.mode, starts, run.truth_noise)
    if "textbook" in baselines and run.mode != "stereo":
        path = textbook_odometry(source, depth=run.mode == "rgbd")
        figures["textbook"] = summary(
            [errors(_part(path, start), source, run.mode) for start in first_frames(len(source), starts)]
        )
    return source.name, figures


def measure(
    source: Source,
    config: Config,
    mode: Mode,
    starts: int = STARTS,
    truth_noise: TruthNoise = EXACT,
) -> Figures:
    """Figures of our odometry over a sequence from several starts.

    Raises:
        InputError: the source has no truth, or lacks what the mode needs.
    """
    if source.ground_truth is None:
        raise InputError(f"{source.name}: no ground truth to measure against")
    return figures_of(run_starts(source, config, mode, starts), source, mode, truth_noise=truth_noise)


def figures_of(
    runs: Mapping[int, list[OdometryResult]],
    source: Source,
    mode: Mode,
    every: int = 1,
    truth_noise: TruthNoise = EXACT,
) -> Figures:
    """Figures of runs over a source that has truth, by their first frames; ``every``: see :func:`errors`."""
    return summary(
        [
            {
                "start": start,
                **errors(trajectory(results), source, mode, every),
                **_states(results, source, mode, truth_noise),
            }
            for start, results in runs.items()
        ]
    )


def run_starts(source: Source, config: Config, mode: Mode, starts: int) -> dict[int, list[OdometryResult]]:
    """Results by first frame; where all images are detected, the runs share one pass over them."""
    config = with_mode(config, mode)
    results: dict[int, list[OdometryResult]] = {}
    odometry: dict[int, Odometry] = {}
    begins = first_frames(len(source), starts)
    if config.features.tracking != "every_frame":
        return {b: [step.result for step in run(source, config, slice(b, None))] for b in begins}
    for number, (frame, features, _) in enumerate(extracted(source, config)):
        if number in begins:
            odometry[number], results[number] = Odometry(config.odometry), []
        for start, estimator in odometry.items():
            results[start].append(estimator.process(frame.stamp, features, source.camera))
    return results


def first_frames(count: int, starts: int) -> list[int]:
    """Frames 0, 1/N, 2/N ... of ``count`` that leave a run long enough."""
    return sorted(
        {count * i // starts for i in range(starts) if count - count * i // starts >= FEWEST_FRAMES}
    )


def errors(path: Trajectory, source: Source, mode: Mode, every: int = 1) -> Figures:
    """Errors of a trajectory against the truth of a source that has one, where only every N-th image is kept:
    relative ones over the time of 30 of all images.
    """
    assert source.ground_truth is not None
    metrics = evaluate_trajectory(
        path,
        source.ground_truth,
        alignment="sim3" if mode == "mono" else "se3",
        delta_frames=max(1, 30 // every),
    )
    return {
        "frames": len(path),
        "ate_rmse_m": metrics.ate_rmse_m,
        "rot_rpe_30f_median_deg": metrics.rot_rpe_30f_median_deg,
        "rot_rpe_30f_p95_deg": metrics.rot_rpe_30f_p95_deg,
        "scale": metrics.scale,
    }


def _states(
    results: Sequence[OdometryResult], source: Source, mode: Mode, truth_noise: TruthNoise
) -> Figures:
    assert source.ground_truth is not None
    settled = [r for r in results if r.stamp >= results[0].stamp + SETTLE_NS] or list(results)
    scale = 1.0
    if mode == "mono":
        path = trajectory(results)
        scale = evaluate_trajectory(path, source.ground_truth, alignment="sim3").scale
    return {
        "with_translation_share": float(np.mean([has_translation(r) for r in settled])),
        "resets": results[-1].resets,
        "lost_frames": sum(r.state is State.LOST for r in results),
        "fewest_inliers": fewest_inliers(results),
        "coverage_3sigma": coverage(results, source.ground_truth, scale, truth_noise),
    }


def _part(path: Trajectory, start: int) -> Trajectory:
    return Trajectory(path.stamps[start:], path.poses[start:])


def summary(runs: Sequence[Figures]) -> Figures:
    """Figures of several starts as one: median and worst."""
    ate = [run["ate_rmse_m"] for run in runs]
    result: Figures = {
        "ate_rmse_m": {"median": float(np.median(ate)), "worst": float(np.max(ate))},
        "rot_rpe_30f_median_deg": float(np.median([run["rot_rpe_30f_median_deg"] for run in runs])),
        "rot_rpe_30f_p95_deg": float(np.median([run["rot_rpe_30f_p95_deg"] for run in runs])),
    }
    if "resets" in runs[0]:
        covered = [run["coverage_3sigma"] for run in runs if run["coverage_3sigma"] is not None]
        inliers = [run["fewest_inliers"] for run in runs if run["fewest_inliers"] is not None]
        result |= {
            "with_translation_share": float(np.mean([run["with_translation_share"] for run in runs])),
            "resets": int(np.max([run["resets"] for run in runs])),
            "lost_frames": int(np.max([run["lost_frames"] for run in runs])),
            "fewest_inliers": min(inliers, default=None),
            "coverage_3sigma": np.mean(covered, axis=0).tolist() if covered else None,
        }
    return {**result, "runs": list(runs)}


def worse(figures: Mapping[str, Any], before: Mapping[str, Any], tolerance: float = TOLERANCE) -> list[str]:
    """What is worse than in an earlier report, one line each: errors by more than a share, more resets, a
    share of frames with translation lower by more than 0.02, or a sequence that is missing.
    """
    lines = []
    for name, mode, old in _rows(before):
        new = figures["sequences"].get(name, {}).get(mode)
        if new is None:
            lines.append(f"{name} {mode}: missing")
            continue
        checks: list[tuple[str, Callable[[Mapping[str, Any]], float], Callable[[float], float]]] = [
            ("ATE median", lambda f: f["ate_rmse_m"]["median"], lambda v: v * (1 + tolerance)),
            ("ATE worst", lambda f: f["ate_rmse_m"]["worst"], lambda v: v * (1 + tolerance)),
            ("rotation", lambda f: f["rot_rpe_30f_median_deg"], lambda v: v * (1 + tolerance)),
            ("resets", lambda f: f["resets"], lambda v: v),
            ("frames without translation", lambda f: 1 - f["with_translation_share"], lambda v: v + 0.02),
        ]
        for what, value, allowed in checks:
            if value(new) > allowed(value(old)):
                lines.append(f"{name} {mode}: {what} {value(new):.4g}, was {value(old):.4g}")
    return lines


def _rows(report: Mapping[str, Any]) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
    return [(name, mode, f) for name, modes in report["sequences"].items() for mode, f in modes.items()]


def shard(runs: Sequence[Run], text: str) -> list[Run]:
    """The runs of one of several equal jobs, ``I/N`` with I from 1.

    Raises:
        InputError: no such part.
    """
    first, _, count = text.partition("/")
    try:
        i, n = int(first), int(count)
    except ValueError:
        i, n = 0, 0
    if not 1 <= i <= n:
        raise InputError(f"--shard {text}: give I/N, I from 1 to N")
    return list(runs[i - 1 :: n])


def table(report: Mapping[str, Any]) -> str:
    """The figures as a table in Markdown."""
    rows = [
        "| sequence | mode | ATE, worst [m] | rotation [deg] | translation | resets | inliers | 3 sigma |"
    ]
    rows.append("|---|---|---|---|---|---|---|---|")
    for name, mode, f in _rows(report):
        covered = f["coverage_3sigma"]
        rows.append(
            f"| {name} | {mode} | {f['ate_rmse_m']['median']:.4f} / {f['ate_rmse_m']['worst']:.4f} "
            f"| {f['rot_rpe_30f_median_deg']:.2f} | {f['with_translation_share']:.2f} | {f['resets']} "
            f"| {f['fewest_inliers']} | {'' if covered is None else f'{min(covered):.2f}'} |"
        )
    return os.linesep.join(rows)

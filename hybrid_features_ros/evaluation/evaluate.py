# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A sequence through the odometry: its trajectory, its figures, and the protocol they were taken by."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hybrid_features_ros.core.config import Config, options, with_options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import MotionModel, OdometryResult, State, Trajectory
from hybrid_features_ros.evaluation.metrics import (
    EXACT,
    TruthNoise,
    coverage,
    evaluate_trajectory,
    trajectory_nees,
)
from hybrid_features_ros.evaluation.plausibility import (
    FARTHEST_STEREO_M,
    USUAL_M,
    DepthRange,
    PriorUse,
    doubt_gyro,
    doubt_positions,
    doubt_truth,
)
from hybrid_features_ros.evaluation.run import Step, run, trajectory
from hybrid_features_ros.io.source import Notes, Source
from hybrid_features_ros.io.trajectory import interpolate

Mode = Literal["mono", "rgbd", "stereo"]
TRANSLATING = (MotionModel.PNP, MotionModel.ESSENTIAL, MotionModel.HOMOGRAPHY)
MAX_GAP_NS = 100_000_000


class Watcher(Protocol):
    """A callback that gets every step while it is made, such as a live view or a gallery of pictures."""

    def see(self, step: Step) -> None:
        """Look at one frame; steps come in the order of their stamps."""
        ...


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What one run over a sequence gave.

    Attributes:
        name: of the run: sequence and mode.
        config: that the run was made with.
        results: one for each frame.
        extract_ms: wall-clock time of each frame's features [ms].
        truth: of the sequence; None if not known.
        report: every figure with its protocol, as written to ``metrics.json``.
    """

    name: str
    config: Config
    results: Sequence[OdometryResult]
    extract_ms: Sequence[float]
    truth: Trajectory | None
    report: dict[str, Any]

    @property
    def mode(self) -> Mode:
        """Where depth came from."""
        return mode_of(self.config)

    @property
    def trajectory(self) -> Trajectory:
        """The camera's path in the first camera's frame."""
        return trajectory(self.results)


def evaluate(
    source: Source,
    config: Config,
    frames: slice = slice(None),
    *,
    exact: bool = False,
    truth_noise: TruthNoise = EXACT,
    watchers: Sequence[Watcher] = (),
) -> Evaluation:
    """Run the robot's core calls over a sequence and measure them; a progress bar shows rate and state.

    Args:
        config: its ``input`` says what is used besides the images, see :func:`with_mode`.
        frames: which of the sequence's frames: ``slice(start, None, every)``.
        exact: the truth has no noise, so that NEES means something.
        truth_noise: what the truth errs itself; the coverage of the covariances takes it into account.
        watchers: see every step.

    Raises:
        InputError: the source lacks what is asked for, its truth is of another time, or it has none of the
            frames. Ctrl-C is none: what was computed until then is returned.
    """
    if exact and truth_noise != EXACT:
        raise InputError(f"{source.name}: an exact truth (--exact) has no sigma; give one of the two")
    if source.camera.doubt:
        source.notes.assumed["calibration"] = source.camera.doubt
    stamps = source.stamps[frames]
    if not len(stamps):
        last = len(source) - 1
        raise InputError(f"{source.name}: start = {frames.start}, but it has {last + 1} frames: 0 to {last}")
    _check_truth(source, stamps, exact, truth_noise)
    results, extract_ms, interrupted = _run_watched(source, config, frames, watchers)
    if config.input.imu and source.imu is not None:
        doubt_gyro(source.imu, results, source.notes)
    doubt_positions(results, source.notes)
    if source.ground_truth is not None:
        doubt_truth(trajectory(results), source.ground_truth, mode_of(config) != "mono", source.notes)
    protocol = {**_protocol(source, config, frames), "interrupted": interrupted}
    report = _report(results, extract_ms, protocol)
    if source.ground_truth is not None and len(results) >= 3:
        protocol["truth_sigma"] = asdict(truth_noise)
        report.update(_errors(source.ground_truth, results, protocol, exact, truth_noise))
    name = f"{source.name}_{mode_of(config)}"
    return Evaluation(name, config, results, extract_ms, source.ground_truth, report)


def _run_watched(
    source: Source, config: Config, frames: slice, watchers: Sequence[Watcher]
) -> tuple[list[OdometryResult], list[float], bool]:
    """Result and time of the features [ms] of every frame, and whether Ctrl-C ended the run."""
    remedy = {"rgbd": "--depth-scale gives units per metre", "stereo": "the baseline is in metres"}
    mode = mode_of(config)
    farthest = FARTHEST_STEREO_M if mode == "stereo" else USUAL_M[1]
    everybody: list[Watcher] = [DepthRange(source.notes, remedy.get(mode, ""), farthest), *watchers]
    if config.input.prior:
        everybody.append(PriorUse(source.notes))
    results: list[OdometryResult] = []
    extract_ms: list[float] = []
    steps, total = run(source, config, frames), len(source.stamps[frames])
    with tqdm(steps, total=total, unit="frame", desc=source.name, disable=None) as bar:
        try:
            for step in bar:
                results.append(step.result)
                extract_ms.append(step.extract_ms)
                bar.set_postfix_str(step.result.state.name.lower(), refresh=False)
                for watcher in everybody:
                    watcher.see(step)
        except KeyboardInterrupt:
            return results, extract_ms, True
    return results, extract_ms, False


def mode_of(config: Config) -> Mode:
    """Where a configuration takes depth from."""
    return "stereo" if config.input.stereo else "rgbd" if config.input.depth else "mono"


def with_mode(config: Config, mode: Mode, gyro: bool = False, prior: bool = False) -> Config:
    """The configuration that takes depth from where the mode says, and uses the gyroscope
    and a motion prior or not.

    Args:
        mode: ``rgbd`` uses depth images, ``stereo`` the right camera.
        gyro: use the sequence's angular velocities.
        prior: use the odometry that was chosen with the source.

    Raises:
        InputError: it asks for something else than the mode.
    """
    asked = {
        "input.depth": (config.input.depth, mode == "rgbd", "--mode rgbd"),
        "input.stereo": (config.input.stereo, mode == "stereo", "--mode stereo"),
        "input.imu": (config.input.imu, gyro, "--gyro"),
        "input.prior": (config.input.prior, prior, "--prior"),
    }
    for name, (is_set, wanted, option) in asked.items():
        if is_set and not wanted:
            raise InputError(f"{name} = true: say {option}")
    done: Config = with_options(config, {name: wanted for name, (_, wanted, _) in asked.items()})
    return done


def _check_truth(source: Source, stamps: NDArray[np.int64], exact: bool, truth_noise: TruthNoise) -> None:
    """Whether the truth can be used, before anything is computed."""
    if source.ground_truth is None:
        if exact:
            raise InputError(f"{source.name}: no truth, which --exact compares with")
        if truth_noise != EXACT:
            raise InputError(f"{source.name}: no truth, of which --truth-sigma tells the error")
        return
    known = int(interpolate(source.ground_truth, stamps, MAX_GAP_NS)[1].sum())
    if known < 3:
        raise InputError(
            f"{source.name}: {known} of {len(stamps)} frames lie within the ground truth's time; "
            "at least 3 are needed: are both from the same recording?"
        )


def _protocol(source: Source, config: Config, frames: slice) -> dict[str, Any]:
    """How the figures are taken."""
    mode = mode_of(config)
    return {
        "sequence": source.name, "mode": mode, "start": frames.start or 0, "every": frames.step or 1,
        "config": {o.name: o.value for o in options(config)},
        "prior": source.prior.name if config.input.prior and source.prior is not None else None,
        "assumed": assumed(source.notes, mode, config.input.imu),
        "skipped": skipped(source.notes),
    }  # fmt: skip


def _report(
    results: Sequence[OdometryResult], extract_ms: Sequence[float], protocol: dict[str, Any]
) -> dict[str, Any]:
    """All figures, without those that need the truth."""
    return {
        "protocol": protocol,
        "start": protocol["start"],
        "frames": len(results),
        "with_orientation": sum(r.state not in (State.WAITING, State.LOST) for r in results),
        "with_translation": sum(has_translation(r) for r in results),
        "resets": results[-1].resets if results else 0,
        "fewest_inliers": fewest_inliers(results),
        "states": dict(Counter(r.state.name for r in results)),
        "ate_rmse_m": None, "rpe_trans_30f_median_m": None,
        "rot_rpe_30f_median_deg": None, "rot_rpe_30f_p95_deg": None,
        "ms": _milliseconds(results, extract_ms),
        "nees_mean": None, "coverage_3sigma": None,
    }  # fmt: skip


def _errors(
    truth: Trajectory,
    results: Sequence[OdometryResult],
    protocol: dict[str, Any],
    exact: bool,
    noise: TruthNoise,
) -> dict[str, Any]:
    """Figures against the truth; how they were taken goes into the protocol."""
    try:
        metrics = evaluate_trajectory(
            trajectory(results),
            truth,
            alignment="sim3" if protocol["mode"] == "mono" else "se3",
            delta_frames=max(1, 30 // protocol["every"]),
        )
    except InputError as error:  # too many frames were left out
        protocol["metrics"] = {"none": str(error)}
        return {}
    figures = asdict(metrics)
    protocol["metrics"] = figures.pop("protocol")
    figures["coverage_3sigma"] = coverage(results, truth, metrics.scale, noise)
    figures["nees_mean"] = trajectory_nees(results, truth, metrics.scale) if exact else None
    return figures


def assumed(notes: Notes, mode: Mode, gyro: bool) -> list[str]:
    """What was assumed of the parts of a recording that a run uses, one line each."""
    unused = {"depth": mode != "rgbd", "right": mode != "stereo", "imu": not gyro}
    lines = [line for about, line in notes.assumed.items() if not unused.get(about)]
    return lines + ([f"no truth: {notes.missing['truth']}"] if "truth" in notes.missing else [])


def skipped(notes: Notes) -> dict[str, Any]:
    """How many frames, or parts of them, were left out, and the first with its reason."""
    first = next(iter(notes.skipped.items()), None)
    return {"count": len(notes.skipped), "first": None if first is None else ": ".join(first)}


def has_translation(result: OdometryResult) -> bool:
    """Whether the image's own matches determine the position, not only the orientation."""
    return result.state in (State.TRACKING, State.RECOVERING) and result.motion.model in TRANSLATING


def fewest_inliers(results: Sequence[OdometryResult]) -> int | None:
    """Of all frames since the first that was tracked in a map; None if none was."""
    first = next((i for i, r in enumerate(results) if r.state is State.TRACKING), len(results))
    return min((int(r.motion.inliers.sum()) for r in results[first:]), default=None)


def stages(results: Sequence[OdometryResult], extract_ms: Sequence[float]) -> dict[str, list[float]]:
    """Milliseconds of every stage, one per frame; NaN where the stage did not run."""
    names = list(dict.fromkeys(name for r in results for name in r.milliseconds))
    return {
        "extract": list(extract_ms),
        **{name: [float(r.milliseconds.get(name, math.nan)) for r in results] for name in names},
    }


def _milliseconds(
    results: Sequence[OdometryResult], extract_ms: Sequence[float]
) -> dict[str, dict[str, float]]:
    return {
        name: {"median": float(np.nanmedian(t)), "p95": float(np.nanpercentile(t, 95))}
        for name, t in stages(results, extract_ms).items()
        if len(t)
    }

"""A sequence through the odometry: its trajectory, its figures, and the protocol they were taken by."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
from tqdm import tqdm

from hybrid_features_ros.core.config import Config, options, with_options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import MotionModel, OdometryResult, State, Trajectory
from hybrid_features_ros.evaluation.metrics import coverage, evaluate_trajectory, trajectory_nees
from hybrid_features_ros.evaluation.run import Step, run, trajectory
from hybrid_features_ros.io.source import Source
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
        name: of the run.
        mode: where depth came from.
        config: that the run was made with.
        results: one for each frame.
        extract_ms: wall-clock time of each frame's features [ms].
        truth: of the sequence; None if not known.
        report: every figure with its protocol, as written to ``metrics.json``.
    """

    name: str
    mode: Mode
    config: Config
    results: Sequence[OdometryResult]
    extract_ms: Sequence[float]
    truth: Trajectory | None
    report: dict[str, Any]

    @property
    def trajectory(self) -> Trajectory:
        """The camera's path in the first camera's frame."""
        return trajectory(self.results)


def evaluate(
    source: Source,
    config: Config,
    mode: Mode = "mono",
    *,
    start: int = 0,
    every: int = 1,
    gyro: bool = False,
    exact: bool = False,
    name: str = "",
    watchers: Sequence[Watcher] = (),
) -> Evaluation:
    """Run the robot's core calls over a sequence and measure them; a progress bar shows rate and state.

    Args:
        mode: ``rgbd`` uses depth images, ``stereo`` the right camera.
        start: index of the first frame used.
        every: use every N-th frame.
        gyro: use the sequence's angular velocities, taken to be in the camera's axes.
        exact: the truth has no noise, so that NEES means something.
        name: of the run; default: sequence and mode.
        watchers: see every step.

    Raises:
        InputError: the source lacks what the mode needs, its truth is of another time, or it has no frame
            ``start``.
    """
    if mode == "rgbd":
        config = with_options(config, {"input.depth": True})
    if start >= len(source):
        raise InputError(
            f"{source.name}: start = {start}, but it has {len(source)} frames: 0 to {len(source) - 1}"
        )
    stamps = source.stamps[start::every]
    _check_truth(source, stamps)
    results: list[OdometryResult] = []
    extract_ms: list[float] = []
    steps = run(source, config, every, start=start, stereo=mode == "stereo", gyro=gyro)
    with tqdm(steps, total=len(stamps), unit="frame", desc=source.name, disable=None) as bar:
        for step in bar:
            results.append(step.result)
            extract_ms.append(step.extract_ms)
            bar.set_postfix_str(step.result.state.name.lower(), refresh=False)
            for watcher in watchers:
                watcher.see(step)
    report = _report(source, config, mode, start, every, results, extract_ms, exact)
    run_name = name or f"{source.name}_{mode}"
    return Evaluation(run_name, mode, config, results, extract_ms, source.ground_truth, report)


def _check_truth(source: Source, stamps: Any) -> None:
    """Whether the truth can be used, before anything is computed."""
    if source.ground_truth is None:
        return
    known = int(interpolate(source.ground_truth, stamps, MAX_GAP_NS)[1].sum())
    if known < 3:
        raise InputError(
            f"{source.name}: {known} of {len(stamps)} frames lie within the ground truth's time; "
            "at least 3 are needed: are both from the same recording?"
        )


def _report(
    source: Source, config: Config, mode: Mode, start: int, every: int, results: list[OdometryResult],
    extract_ms: list[float], exact: bool,
) -> dict[str, Any]:  # fmt: skip
    report: dict[str, Any] = {
        "protocol": {
            "sequence": source.name, "mode": mode, "start": start, "every": every,
            "config": {o.name: o.value for o in options(config)},
        },
        "start": start,
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
    if source.ground_truth is not None:
        metrics = evaluate_trajectory(
            trajectory(results),
            source.ground_truth,
            alignment="sim3" if mode == "mono" else "se3",
            delta_frames=max(1, 30 // every),
        )
        figures = asdict(metrics)
        report["protocol"]["metrics"] = figures.pop("protocol")
        report.update(figures)
        report["coverage_3sigma"] = coverage(results, source.ground_truth, metrics.scale)
        if exact:
            report["nees_mean"] = trajectory_nees(results, source.ground_truth, metrics.scale)
    return report


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

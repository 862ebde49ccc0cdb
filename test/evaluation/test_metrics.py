# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Errors of trajectories, against values worked out by hand and against evo."""

import numpy as np
import pytest

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import (
    Matches,
    MotionEstimate,
    MotionModel,
    OdometryResult,
    Scale,
    State,
    Trajectory,
)
from hybrid_features_ros.evaluation.metrics import TruthNoise, coverage, evaluate_trajectory, mean_nees
from hybrid_features_ros.io.trajectory import write_tum


def helix(n=200):
    t = np.linspace(0, 6, n)
    poses = [se3.make(se3.exp([0, 0, 0, 0.3 * s, s, 0])[:3, :3], [np.cos(s), np.sin(s), 0.2 * s]) for s in t]
    return Trajectory(np.arange(n) * 50_000_000, np.array(poses))


def test_the_truth_has_no_error_in_any_frame_and_unit():
    truth = helix()
    T = se3.exp([1, 2, 3, 0.4, 0.5, -0.6])
    moved = truth.poses.copy()
    moved[:, :3, 3] *= 0.25
    estimate = Trajectory(truth.stamps, T @ moved)
    metrics = evaluate_trajectory(estimate, truth, alignment="sim3")
    assert metrics.ate_rmse_m < 1e-9
    assert metrics.rpe_trans_30f_median_m < 1e-9
    assert metrics.rot_rpe_30f_p95_deg < 1e-5
    assert metrics.scale == pytest.approx(4)
    assert evaluate_trajectory(estimate, truth, alignment="se3").ate_rmse_m > 0.5


def test_a_known_drift():
    """A heading that drifts by 0.1 degree a frame is 3 degrees off after 30."""
    truth = helix()
    level = truth.poses.copy()
    level[:, :3, :3] = np.eye(3)
    truth = Trajectory(truth.stamps, level)
    drift = [se3.exp([0, 0, 0, 0, 0, np.radians(0.1 * i)]) for i in range(len(truth))]
    metrics = evaluate_trajectory(Trajectory(truth.stamps, truth.poses @ drift), truth, alignment="se3")
    assert metrics.rot_rpe_30f_median_deg == pytest.approx(3)
    assert metrics.ate_rmse_m < 1e-9
    assert metrics.protocol["poses with truth"] == 200
    assert "se3" in metrics.protocol["alignment"]


def test_noise_of_known_size():
    truth = helix()
    poses = truth.poses.copy()
    poses[:, :3, 3] += np.random.default_rng(0).normal(size=(200, 3)) * 0.01
    metrics = evaluate_trajectory(Trajectory(truth.stamps, poses), truth, alignment="se3")
    assert metrics.ate_rmse_m == pytest.approx(0.01 * np.sqrt(3), rel=0.1)


def test_nothing_in_common():
    later = Trajectory(helix().stamps + 10**12, helix().poses)
    with pytest.raises(InputError, match="0 of 200 poses lie within the ground truth's time"):
        evaluate_trajectory(later, helix(), alignment="se3")


def test_nees_of_honest_and_of_boastful_covariances():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(6, 6)) * 0.01
    estimates = helix(400).poses
    truths = np.array([E @ se3.exp(root @ rng.normal(size=6)) for E in estimates])
    covariances = np.tile(root @ root.T, (400, 1, 1))
    assert mean_nees(estimates, covariances, truths) == pytest.approx(6, rel=0.15)
    assert mean_nees(estimates, covariances / 4, truths) > 20


def results_of(poses, covariance):
    """Results of a run that has these poses since its start."""
    none = np.zeros(0, np.int32)
    motion = MotionEstimate(MotionModel.PNP, np.eye(4), np.eye(6), Scale.METRIC, np.zeros(0, bool), 0.0)
    return [
        OdometryResult(
            stamp=int(stamp), reference_stamp=0, state=State.TRACKING, scale=Scale.METRIC, T_world_camera=T,
            covariance=np.zeros((6, 6)) if i == 0 else covariance, twist=np.zeros(6),
            twist_covariance=np.eye(6), matches=Matches(none, none, np.zeros(0, np.float32)), motion=motion,
            keypoints=0, landmarks=0, keyframes=1, resets=0,
        )
        for i, (stamp, T) in enumerate(zip(helix(len(poses)).stamps, poses, strict=True))
    ]  # fmt: skip


def test_coverage_counts_every_axis_by_itself():
    """Errors of 2 sigma along x lie within three; of those of 4 sigma about z, every other one does not."""
    truth = helix(101)
    start = np.linalg.inv(truth.poses[0]) @ truth.poses
    off = np.zeros((101, 6))
    off[:, 0], off[1::2, 5] = 0.02, 0.04
    off[0] = 0
    poses = np.array([T @ se3.exp(-xi) for T, xi in zip(start, off, strict=True)])
    results = results_of(poses, 1e-4 * np.eye(6))
    assert coverage(results, truth, 1.0) == pytest.approx([1, 1, 1, 1, 1, 0.5])
    assert coverage(results, truth, 1.0, sigmas=1.5)[0] == 0
    later = Trajectory(truth.stamps + 10**15, truth.poses)
    assert coverage(results, later, 1.0) is None


def test_coverage_of_a_truth_that_errs_itself():
    """An estimate without any error, in units of its own, against a noisy truth."""
    exact, rng, noise = helix(400), np.random.default_rng(0), TruthNoise(0.03, 0.4)
    sigmas = np.repeat([noise.position_m, np.radians(noise.rotation_deg)], 3)
    truth = Trajectory(
        exact.stamps, np.array([T @ se3.exp(rng.normal(size=6) * sigmas) for T in exact.poses])
    )
    start = np.linalg.inv(exact.poses[0]) @ exact.poses
    start[:, :3, 3] /= 2.0
    results = results_of(start, 1e-12 * np.eye(6))
    assert max(coverage(results, truth, 2.0)) < 0.05
    assert min(coverage(results, truth, 2.0, noise)) > 0.97
    assert max(coverage(results, truth, 2.0, noise, sigmas=1.0)) < 0.9


@pytest.mark.parametrize("text", ["", "0.1", "0.1,-1", "a,b", "1,2,3", "nan,0", "1e300,1", "0,181"])
def test_a_sigma_of_the_truth_that_is_none(text):
    with pytest.raises(InputError, match="METRES,DEGREES"):
        TruthNoise.parse(text)


@pytest.mark.parametrize("alignment", ["se3", "sim3"])
def test_evo_finds_the_same(tmp_path, alignment):
    pytest.importorskip("evo", reason="evo is not installed: a cross-check for development, pip install evo")
    from evo.core import metrics, sync
    from evo.tools import file_interface

    truth = helix()
    rng = np.random.default_rng(2)
    poses = np.array([T @ se3.exp(rng.normal(size=6) * 0.02) for T in truth.poses])
    poses[:, :3, 3] *= 0.5
    estimate = Trajectory(truth.stamps, poses)
    for name, trajectory in (("truth", truth), ("estimate", estimate)):
        write_tum(tmp_path / name, trajectory)
    a, b = (file_interface.read_tum_trajectory_file(str(tmp_path / n)) for n in ("truth", "estimate"))
    a, b = sync.associate_trajectories(a, b)
    b.align(a, correct_scale=alignment == "sim3")
    ape = metrics.APE(metrics.PoseRelation.translation_part)
    rpe = metrics.RPE(metrics.PoseRelation.rotation_angle_deg, 30, metrics.Unit.frames, all_pairs=True)
    for metric in (ape, rpe):
        metric.process_data((a, b))
    ours = evaluate_trajectory(estimate, truth, alignment=alignment)
    assert ours.ate_rmse_m == pytest.approx(ape.get_statistic(metrics.StatisticsType.rmse), rel=1e-5)
    median = rpe.get_statistic(metrics.StatisticsType.median)
    assert ours.rot_rpe_30f_median_deg == pytest.approx(median, rel=1e-4)

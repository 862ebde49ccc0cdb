# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Train the S-TREK detector: draw keypoints in two views, reward those that were drawn in both.

For every pair of views the network's logits are drawn from (:mod:`.sampling`), independently in each view.
A keypoint earns 1 if it has a drawn partner of about the expected scale within ``epsilon`` pixels of where
the warp puts it, and nothing otherwise. The policy gradient (Williams, 1992) is

    grad = mean over keypoints of (reward - baseline) * grad log p(drawn | those drawn before),

its baseline the mean reward of that pair, which leaves the gradient's mean as it is and takes most of its
variance: what is left tells good places of an image from bad ones, not easy pairs from hard ones. Keypoints
whose partner would lie outside the other view count for nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from tqdm import tqdm

from hybrid_features_ros.benchmarks.homography import transfer
from hybrid_features_ros.core.types import Float32, Float64
from hybrid_features_ros.features.pyramid import STEP, pyramid, to_image
from hybrid_features_ros.features.selection import refine
from hybrid_features_ros.training.network import Detector, NetworkConfig
from hybrid_features_ros.training.pairs import Pair, Photographs, local_scale, make_pair
from hybrid_features_ros.training.run import Run
from hybrid_features_ros.training.sampling import Draw, draw, log_probability
from hybrid_features_ros.training.validation import validate

TIE = 0.01  # what distance takes off a reward: just enough to pair the closest first


@dataclass(frozen=True)
class DetectorTraining:
    """How the detector is trained.

    Attributes:
        network: its shape.
        steps: of gradient descent; learning rate falls to zero along a half cosine.
        batch: pairs per step and process.
        side: of a view [px].
        density: keypoints drawn per pixel of a view.
        radius: of the disc that a keypoint forbids [px of its level].
        tolerance: epsilon [px of the level, at least ``least_tolerance`` px of the view].
        scale_tolerance: most ratio between a partner's scale and the expected one.
        independent: draw without forbidding discs (an ablation).
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    steps: int = 1500
    batch: int = 8
    side: int = 160
    learning_rate: float = 1e-3
    density: float = 1 / 283
    radius: int = 2
    tolerance: float = 0.6
    least_tolerance: float = 3.0
    scale_tolerance: float = 2.0
    temperature: float = 0.1
    independent: bool = False
    validate_every: int = 100
    seed: int = 0


def train_detector(config: DetectorTraining, data: Path, val: Path, out: Path, resume: bool = False) -> Path:
    """Train, validate every ``validate_every`` steps, keep the best; returns the best checkpoint.

    Raises:
        InputError: a folder has no photographs, or ``out`` holds a training that is not to be resumed.
    """
    photographs = Photographs.under(data)
    torch.manual_seed(config.seed)
    model = Detector(config.network)
    optimiser = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    run = Run(out, config, model, optimiser, resume)
    if run.step == 0:
        scores = validate(model, val)
        run.log({"reward": math.nan, **scores})
        run.keep(scores["repeatability"])
    bar = tqdm(total=config.steps, initial=run.step, unit="step", disable=None)
    while run.step < config.steps:
        rng = np.random.default_rng(run.seed())
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * 0.5 * (1 + math.cos(math.pi * run.step / config.steps))
        pairs = [make_pair(photographs.draw(rng), config.side, rng) for _ in range(config.batch)]
        outcomes = policy_losses(model, pairs, config, rng)
        loss = torch.stack([loss for loss, _ in outcomes]).mean()
        reward = float(np.mean([reward for _, reward in outcomes]))
        run.descend(loss)
        bar.update()
        bar.set_postfix_str(f"reward {reward:.3f}", refresh=False)
        if run.step % config.validate_every == 0 or run.step == config.steps:
            scores = validate(model, val)
            run.log({"reward": reward, **scores})
            run.keep(scores["repeatability"])
    return out / "best.pt"


def policy_losses(
    model: Detector, pairs: list[Pair], config: DetectorTraining, rng: np.random.Generator
) -> list[tuple[Tensor, float]]:
    """Policy-gradient loss of each pair and the mean reward of its keypoints."""
    views = [pyramid(image, config.network.levels) for pair in pairs for image in (pair.a, pair.b)]
    logits = [[x / config.temperature for x in one] for one in level_logits(model, views)]
    count = int(config.density * config.side**2)
    heats = [[x.detach().numpy() for x in one] for one in logits]
    draws = [draw(one, count, config.radius, rng, independent=config.independent) for one in heats]
    placed = [place(d, one, config.side) for d, one in zip(draws, heats, strict=True)]
    losses = []
    for n, pair in enumerate(pairs):
        terms = []
        rewards = repeatability_rewards(placed[2 * n], placed[2 * n + 1], pair.H_b_a, config)
        for i, reward in zip((2 * n, 2 * n + 1), rewards, strict=True):
            shared = max(int(np.isfinite(reward).sum()), 1)
            baseline = np.nansum(reward) / shared
            weight = torch.from_numpy(np.nan_to_num(reward - baseline) / shared)
            terms.append((-(weight * log_probability(logits[i], draws[i])).sum(), baseline))
        losses.append((torch.stack([t for t, _ in terms]).mean(), float(np.mean([r for _, r in terms]))))
    return losses


def level_logits(model: Detector, views: list[list[Float32]]) -> list[list[Tensor]]:
    """Logits (H, W) of every level of every view, with the level's own bias; all views at once."""
    by_level = [
        model(torch.from_numpy(np.stack(same)[:, None]))[0][:, 0] + model.level_bias[i]
        for i, same in enumerate(zip(*views, strict=True))
    ]
    return [[level[n] for level in by_level] for n in range(len(views))]


def place(drawn: Draw, heats: list[Float32], side: int) -> tuple[Float64, Float64]:
    """Positions (N, 2) [px of the view] and relative scales (N,) of drawn keypoints.

    Refined like a keypoint of the finished detector, so that it is the refined position that pays.
    """
    points = np.zeros((len(drawn), 2))
    for i, heat in enumerate(heats):
        mine = np.flatnonzero(drawn.level == i)
        peaks = np.stack([drawn.row[mine], drawn.column[mine]], axis=1)
        inner = peaks.clip(1, np.array(heat.shape) - 2)
        points[mine] = to_image(refine(heat, inner), heat, side, side)
    return points, STEP ** drawn.level.astype(np.float64)


def repeatability_rewards(
    a: tuple[Float64, Float64], b: tuple[Float64, Float64], H: Float64, config: DetectorTraining
) -> tuple[Float64, Float64]:
    """Rewards (N,), (M,) of the keypoints of two views; NaN where the partner would lie outside the other.

    Partners are paired one to one, the closest pairing of all (a linear assignment): several keypoints on
    one spot do not all earn by a single partner.
    """
    (points_a, scales_a), (points_b, scales_b) = a, b
    expected = transfer(H, points_a)
    expected_scale = scales_a * local_scale(H, points_a)
    reach = np.maximum(config.tolerance * expected_scale, config.least_tolerance)
    off = np.linalg.norm(expected[:, None] - points_b[None], axis=2) / reach[:, None]
    apart = np.abs(np.log(expected_scale[:, None] / scales_b[None]))
    worth = np.where((off < 1) & (apart <= np.log(config.scale_tolerance)), 1.0 - TIE * off, 0.0)
    i, j = linear_sum_assignment(worth, maximize=True)
    rewards = np.zeros(len(points_a)), np.zeros(len(points_b))
    rewards[0][i] = rewards[1][j] = worth[i, j]
    for reward, there in zip(
        rewards, (expected, transfer(np.asarray(np.linalg.inv(H), dtype=np.float64), points_b)), strict=True
    ):
        reward[~((there >= 0) & (there <= config.side - 1)).all(axis=1)] = np.nan
    return rewards

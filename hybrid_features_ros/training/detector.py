# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Train the S-TREK detector: draw keypoints in two views, reward those that were drawn in both.

For every pair of views the network's logits are drawn from (:mod:`.sampling`), independently in each view,
and the draws are paired and paid (:mod:`.rewards`). The policy gradient (Williams, 1992) is

    grad = mean over keypoints of advantage * grad log p(drawn | those drawn before),

the advantage being the reward less what draws of that pair earn in about the same turn (:func:`usual`): what
is left tells good places of an image from bad ones, not easy pairs from hard ones, nor early draws from late.
(Divided by the pair's standard deviation, too, hard pairs have their way, and what was gained there was lost
where images only turn.) Keypoints whose partner would lie outside the
other view, or hidden in it, count for nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from hybrid_features_ros.core.types import Float32, Float64
from hybrid_features_ros.features.detector import APART, RADIUS, Heat, HeatPyramid, Keypoints, orientations
from hybrid_features_ros.features.detector import scales as scales_of
from hybrid_features_ros.features.patches import oriented_patches
from hybrid_features_ros.features.pyramid import pyramid, to_image
from hybrid_features_ros.features.rootsift import describe_patches
from hybrid_features_ros.features.selection import refine
from hybrid_features_ros.features.strek import COARSER
from hybrid_features_ros.training.correspondences import TwoViews
from hybrid_features_ros.training.deep import DeepConfig, DeepDetector
from hybrid_features_ros.training.network import Detector, NetworkConfig
from hybrid_features_ros.training.pairs import Photographs, make_pair
from hybrid_features_ros.training.rendered import RenderedViews
from hybrid_features_ros.training.rewards import Seen, rewards
from hybrid_features_ros.training.run import Run
from hybrid_features_ros.training.sampling import Draw, draw, log_probability
from hybrid_features_ros.training.temperature import mean_entropy, tempered
from hybrid_features_ros.training.validation import DetectorValidation

VALIDATION_SCENES = 3
_SAME_TURN = 15.0  # standard deviation of turns whose rewards are averaged


@dataclass(frozen=True)
class DetectorTraining:
    """How the detector is trained.

    Attributes:
        network: its shape, shallow or deep.
        steps: of gradient descent; learning rate falls to zero along a half cosine.
        batch: pairs per step and process.
        side: of a view [px].
        scenes: rendered yards that pairs with parallax and occlusion come from; 0: all are warps.
        warped: share of the pairs that are warped photographs, where there are scenes.
        density: keypoints drawn per pixel of a view.
        uncertainty: mean entropy of the draws of a view [nat], see :mod:`.temperature`.
        temperature: of the softmax they are drawn from, whatever the entropy; 0: as ``uncertainty`` asks.
        independent: draw without forbidding discs (an ablation).
        plain: pay 1 for any partner within 3 px, and forbid nothing on other levels (an ablation).
    """

    network: NetworkConfig | DeepConfig = field(default_factory=NetworkConfig)
    steps: int = 1500
    batch: int = 2
    side: int = 240
    scenes: int = 70
    warped: float = 0.5
    learning_rate: float = 1e-3
    density: float = 1 / 283
    uncertainty: float = 3.0
    temperature: float = 0.0
    independent: bool = False
    plain: bool = False
    validate_every: int = 250
    seed: int = 0


def train_detector(
    config: DetectorTraining, data: Path, val: Path, out: Path, pool: Path, resume: bool = False
) -> Path:
    """Train, validate every ``validate_every`` steps, keep the best; returns the best checkpoint.

    Args:
        data, val: photographs to train on, and others that choose the best.
        out: folder of the training.
        pool: file of rendered views (npz), made where it is missing.

    Raises:
        InputError: a folder has no photographs, or ``out`` holds a training that is not to be resumed.
    """
    photographs = Photographs.under(data)
    torch.manual_seed(config.seed)
    shape = config.network
    model = DeepDetector(shape) if isinstance(shape, DeepConfig) else Detector(shape)
    optimiser = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    run = Run(out, config, model, optimiser, resume)
    validation = DetectorValidation(val, config.side, min(config.scenes, VALIDATION_SCENES))
    views = None
    if config.scenes:
        views = run.first(
            lambda: RenderedViews.kept(photographs, config.scenes, config.side, config.seed, pool)
        )
    if run.step == 0:
        scores = validation(model)
        run.log({"reward": math.nan, "entropy": math.nan, **scores})
        run.keep(scores["score"])
    bar = tqdm(total=config.steps, initial=run.step, unit="step", disable=None)
    outcomes: list[tuple[float, float]] = []
    while run.step < config.steps:
        rng = np.random.default_rng(run.seed())
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * 0.5 * (1 + math.cos(math.pi * run.step / config.steps))
        loss, *outcome = policy_loss(model, some_pairs(photographs, views, config, rng), config, rng)
        outcomes.append((outcome[0], outcome[1]))
        run.descend(loss)
        bar.update()
        if run.step % config.validate_every == 0 or run.step == config.steps:
            scores = validation(model)
            reward, uncertainty = np.mean(outcomes, axis=0).tolist()
            outcomes.clear()
            run.log({"reward": reward, "entropy": uncertainty, **scores})
            run.keep(scores["score"])
        else:
            run.keep()
    return out / "best.pt"


def some_pairs(
    photographs: Photographs, views: RenderedViews | None, config: DetectorTraining, rng: np.random.Generator
) -> list[TwoViews]:
    """The pairs of one step."""
    return [
        make_pair(photographs.draw(rng), config.side, rng)
        if views is None or rng.random() < config.warped
        else views.pair(rng)
        for _ in range(config.batch)
    ]


def policy_loss(
    model: Detector | DeepDetector, pairs: list[TwoViews], config: DetectorTraining, rng: np.random.Generator
) -> tuple[Tensor, float, float]:
    """Loss whose gradient is the policy's; a keypoint's mean reward; a draw's mean entropy [nat]."""
    pyramids = [
        pyramid(image, config.network.levels + COARSER) for pair in pairs for image in (pair.a, pair.b)
    ]
    count = int(config.density * config.side**2)
    views = []
    for levels, (logits, gradients) in zip(pyramids, network_outputs(model, pyramids), strict=True):
        heated = heat(logits, count, config)
        drawn = race(heated, count, config, rng)
        views.append((heated, drawn, seen(levels, heated, gradients, drawn)))
    losses, paid, entropies = [], [], []
    for pair, a, b in zip(pairs, views[::2], views[1::2], strict=True):
        earned = rewards(a[2], b[2], pair, plain=config.plain)
        known = np.concatenate([reward[np.isfinite(reward)] for reward in earned])
        for (logits, drawn, _), reward, baseline in zip((a, b), earned, usual(earned), strict=True):
            shared = max(int(np.isfinite(reward).sum()), 1)
            advantage = np.nan_to_num(reward - baseline) / shared
            losses.append(-(torch.from_numpy(advantage) * log_probability(logits, drawn)).sum())
            entropies.append(mean_entropy(logits, drawn))
        paid.append(float(known.mean()) if len(known) else 0.0)
    return torch.stack(losses).mean(), float(np.mean(paid)), float(np.mean(entropies))


def usual(earned: tuple[Float64, Float64]) -> tuple[Float64, Float64]:
    """(N,), (M,) what a draw earns in each turn on average: of rewards (N,), (M,) of about that turn in both
    views of a pair; NaN counts for nothing.
    """
    turns = [np.arange(len(reward)) for reward in earned]
    turn, reward = np.concatenate(turns), np.concatenate(earned)
    known = np.isfinite(reward)
    means = []
    for mine in turns:
        weights = np.exp(-0.5 * ((mine[:, None] - turn[known]) / _SAME_TURN) ** 2)
        means.append(weights @ reward[known] / np.maximum(weights.sum(axis=1), 1e-12))
    return means[0], means[1]


def heat(logits: list[Tensor], count: int, config: DetectorTraining) -> list[Tensor]:
    """Logits (H, W) of all levels, scaled to what draws come from."""
    if config.temperature:
        return [x / config.temperature for x in logits]
    return tempered(logits, config.uncertainty, race(logits, count, config, None))


def race(logits: list[Tensor], count: int, config: DetectorTraining, rng: np.random.Generator | None) -> Draw:
    """Keypoints drawn from logits (H, W) of all levels; the greatest without random numbers."""
    return draw(
        [x.detach().numpy() for x in logits],
        count,
        RADIUS,
        rng,
        apart=0.0 if config.plain else APART,
        independent=config.independent,
    )


def network_outputs(
    model: Detector | DeepDetector, pyramids: list[list[Float32]]
) -> list[tuple[list[Tensor], list[Float32]]]:
    """Of every view the logits (H, W) of its levels with keypoints, each with its level's own bias, and the
    gradients (2, H, W) of all its levels.
    """
    by_level = []
    for i, same in enumerate(zip(*pyramids, strict=True)):
        images = torch.from_numpy(np.stack(same)[:, None])
        with torch.set_grad_enabled(i < len(model.level_bias)):
            logits, gradients = model(images)
        if i < len(model.level_bias):
            logits = logits + model.level_bias[i]
        by_level.append((logits[:, 0], gradients.detach().numpy()))
    sources = len(model.level_bias)
    return [
        ([logits[n] for logits, _ in by_level[:sources]], [gradient[n] for _, gradient in by_level])
        for n in range(len(pyramids))
    ]


def seen(levels: list[Float32], logits: list[Tensor], gradients: list[Float32], drawn: Draw) -> Seen:
    """Places (N, 2) and RootSIFT descriptors (N, D) of drawn keypoints, as the finished detector has them.

    Refined like its keypoints, so that it is the refined position that pays.
    """
    height, width = levels[0].shape
    points = np.zeros((len(drawn), 2))
    for i, heat in enumerate(x.detach().numpy() for x in logits):
        mine = np.flatnonzero(drawn.level == i)
        peaks = np.stack([drawn.row[mine], drawn.column[mine]], axis=1)
        inner = peaks.clip(1, np.array(heat.shape) - 2)
        points[mine] = to_image(refine(heat, inner), heat, width, height)
    heats = [Heat(level, gradient) for level, gradient in zip(levels, gradients, strict=True)]
    scales = scales_of(drawn.level).astype(np.float32)
    keypoints = Keypoints(
        points=points.astype(np.float32),
        scores=np.zeros(len(drawn), np.float32),
        scales=scales,
        angles=orientations(HeatPyramid(heats, len(logits), width, height), points, drawn.level),
        sigmas=scales,
        levels=drawn.level,
    )
    return Seen(points, describe_patches(oriented_patches(levels, keypoints, width, height)))

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Train the hybrid descriptor at the finished detector's keypoints.

Of a batch of corresponding patches every descriptor shall be nearer to its partner than to any other of the
batch (hardest in batch: Mishchuk et al., "Working hard to know your neighbor's margins", 2017):

    loss = mean over pairs of max(0, MARGIN + |a_i - b_i| - min over j != i of (|a_i - b_j|, |a_j - b_i|)).

A batch takes many places of few images, since neighbours in one image are what matching confuses; others
within ``NEAR`` px of a place are no negatives of it. The handcrafted half takes part from the first step, so
that the residue learns what it lacks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import relu
from tqdm import tqdm

from hybrid_features_ros.training.correspondences import Correspondences, gather
from hybrid_features_ros.training.fusion import FusionConfig, HybridDescriptor, handcrafted
from hybrid_features_ros.training.pairs import Photographs
from hybrid_features_ros.training.run import Run
from hybrid_features_ros.training.validation import MatchingValidation

MARGIN = 1.0
NEAR = 8.0  # [px]


@dataclass(frozen=True)
class DescriptorTraining:
    """How the descriptor is trained.

    Attributes:
        descriptor: its shape.
        views: pairs of views that correspondences are gathered from.
        steps: of gradient descent; learning rate falls to zero along a half cosine.
        pairs, each: a batch holds up to ``each`` places of ``pairs`` pairs of views.
        learning_rate, weight_decay: of AdamW.
    """

    descriptor: FusionConfig = field(default_factory=FusionConfig)
    views: int = 1200
    steps: int = 3000
    pairs: int = 8
    each: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    validate_every: int = 250
    seed: int = 0


def train_descriptor(
    config: DescriptorTraining, data: Path, val: Path, out: Path, pool: Path, resume: bool = False
) -> Path:
    """Train, validate every ``validate_every`` steps, keep the best; returns the best checkpoint.

    Args:
        pool: file of correspondences; made if it is not there.

    Raises:
        InputError: a folder has no photographs, or ``out`` holds a training that is not to be resumed.
    """
    photographs = Photographs.under(data)
    torch.manual_seed(config.seed)
    model = HybridDescriptor(config.descriptor)
    optimiser = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad],
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
    )
    run = Run(out, config, model, optimiser, resume)
    validation = MatchingValidation(val)
    if run.step == 0:
        _validate(run, model, validation, math.nan)
    places = run.first(lambda: gather(photographs, config.views, config.seed, pool))
    bar = tqdm(total=config.steps, initial=run.step, unit="step", disable=None)
    while run.step < config.steps:
        rng = np.random.default_rng(run.seed())
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * 0.5 * (1 + math.cos(math.pi * run.step / config.steps))
        model.train()
        loss = batch_loss(model, places, places.batch(config.pairs, config.each, rng))
        run.descend(loss)
        bar.update()
        if run.step % config.validate_every == 0 or run.step == config.steps:
            _validate(run, model, validation, float(loss.detach()))
    return out / "best.pt"


def batch_loss(model: HybridDescriptor, places: Correspondences, rows: np.ndarray) -> Tensor:
    """Hardest-in-batch triplet loss of some correspondences."""
    patches = places.patches[rows].astype(np.float32)
    both = patches.transpose(1, 0, 2, 3).reshape(-1, *patches.shape[2:])
    descriptors = model(torch.from_numpy(both[:, None]), torch.from_numpy(handcrafted(model.config, both)))
    a, b = descriptors.chunk(2)
    points, pair = torch.from_numpy(places.points[rows]), torch.from_numpy(places.pair[rows])
    alike = (pair[:, None] == pair[None]) & (torch.cdist(points, points) < NEAR)
    return hardest_triplet(a, b, alike)


def hardest_triplet(a: Tensor, b: Tensor, alike: Tensor) -> Tensor:
    """The loss of the module's docstring.

    Args:
        a, b: (N, D) unit descriptors of the two views.
        alike: (N, N) bool, pairs that are no negatives; true on the diagonal.
    """
    distance = torch.sqrt((2 - 2 * a @ b.T).clamp_min(1e-6))
    positive = distance.diagonal()
    negatives = distance.masked_fill(alike, math.inf)
    hardest = torch.minimum(negatives.min(dim=1).values, negatives.min(dim=0).values)
    return relu(MARGIN + positive - hardest).mean()


def _validate(run: Run, model: HybridDescriptor, validation: MatchingValidation, loss: float) -> None:
    scores = validation(model)
    run.log({"loss": loss, **scores})
    run.keep(scores["correct"])

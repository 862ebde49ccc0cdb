# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Train the hybrid descriptor at the finished detector's keypoints.

Two losses. *Triplets* (hardest in batch: Mishchuk et al., "Working hard to know your neighbor's margins",
2017): of a batch of corresponding patches every descriptor shall be nearer to its partner than to any other,

    loss = mean over pairs of max(0, MARGIN + |a_i - b_i| - min over j != i of (|a_i - b_j|, |a_j - b_i|)).

A batch takes many places of few images, since neighbours in one image are what matching confuses; others
within ``NEAR`` px of a place are no negatives of it. *Softmax* (van den Oord et al., "Representation learning
with contrastive predictive coding", 2018), both ways in each pair of views, with S = a b^T / TEMPERATURE:

    loss = mean over places i of (log sum_j exp(S_ij) + log sum_j exp(S_ji)) / 2 - S_ii.

Its sums take in keypoints without a partner, since what the other view does not show is confused, too. The
handcrafted half takes part from the first step, so that the residue learns what it lacks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, relu
from tqdm import tqdm

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.training.correspondences import Batch, Correspondences, gather
from hybrid_features_ros.training.export import load
from hybrid_features_ros.training.fusion import FusionConfig, HybridDescriptor, handcrafted
from hybrid_features_ros.training.pairs import Photographs
from hybrid_features_ros.training.run import Run
from hybrid_features_ros.training.validation import MatchingValidation

MARGIN = 1.0
NEAR = 8.0  # [px]
LOSSES = ("triplet", "softmax")
TEMPERATURE = 0.06  # cosines that differ by so much differ by e in their odds


@dataclass(frozen=True)
class DescriptorTraining:
    """How the descriptor is trained.

    Attributes:
        descriptor: its shape.
        warps: pairs of views of photographs that correspondences are gathered from.
        scenes: rendered yards that they are gathered from, too, with parallax, occlusion and other light.
        loss: one of ``LOSSES``.
        start: checkpoint of a descriptor of the same shape to begin with; "" = random weights.
        steps: of gradient descent; learning rate falls to zero along a half cosine.
        pairs, each: a batch holds up to ``each`` places of ``pairs`` pairs of views.
        learning_rate, weight_decay: of AdamW.
    """

    descriptor: FusionConfig = field(default_factory=FusionConfig)
    warps: int = 300
    scenes: int = 245
    loss: str = "softmax"
    start: str = ""
    steps: int = 2800
    pairs: int = 5
    each: int = 200
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
    model = begun(config)
    optimiser = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad],
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
    )
    run = Run(out, config, model, optimiser, resume)
    validation = MatchingValidation(val, config.descriptor.coarser)
    if run.step == 0:
        _validate(run, model, validation, math.nan)
    of = config.warps, config.scenes, config.descriptor.coarser
    places = run.first(lambda: gather(photographs, *of, config.seed, pool))
    bar = tqdm(total=config.steps, initial=run.step, unit="step", disable=None)
    while run.step < config.steps:
        rng = np.random.default_rng(run.seed())
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * 0.5 * (1 + math.cos(math.pi * run.step / config.steps))
        model.train()
        batch = places.batch(config.pairs, config.each, rng)
        loss = batch_loss(model, places, batch, config.loss)
        run.descend(loss)
        bar.update()
        if run.step % config.validate_every == 0 or run.step == config.steps:
            _validate(run, model, validation, float(loss.detach()))
    return out / "best.pt"


def begun(config: DescriptorTraining) -> HybridDescriptor:
    """The network at the first step.

    Raises:
        InputError: ``config.start`` is no checkpoint of a descriptor of this shape.
    """
    model = HybridDescriptor(config.descriptor)
    if config.start:
        trained = load(Path(config.start))
        if not isinstance(trained, HybridDescriptor) or trained.config != config.descriptor:
            raise InputError(f"{config.start}: no descriptor of this shape; give its options, too")
        model.load_state_dict(trained.state_dict())
    return model


def batch_loss(model: HybridDescriptor, places: Correspondences, batch: Sequence[Batch], loss: str) -> Tensor:
    """One of ``LOSSES`` over some pairs of views."""
    sides = [
        np.concatenate([two.places[:, k], alone])
        for two in batch
        for k, alone in enumerate((two.alone_a, two.alone_b))
    ]
    patches = places.patches[np.concatenate(sides)].astype(np.float32)
    given = torch.from_numpy(handcrafted(model.config, patches))
    views = torch.split(model(torch.from_numpy(patches), given), [len(rows) for rows in sides])
    known = [len(two.places) for two in batch]
    if loss == "softmax":
        losses = [dual_softmax(a, b, n) for a, b, n in zip(views[::2], views[1::2], known, strict=True)]
        return torch.stack(losses).mean()
    a, b = (torch.cat([v[:n] for v, n in zip(views[side::2], known, strict=True)]) for side in (0, 1))
    points = torch.from_numpy(np.concatenate([places.points[two.places[:, 0]] for two in batch]))
    pair = torch.from_numpy(np.repeat(np.arange(len(batch)), known))
    alike = (pair[:, None] == pair[None]) & (torch.cdist(points, points) < NEAR)
    return hardest_triplet(a, b, alike)


def hardest_triplet(a: Tensor, b: Tensor, alike: Tensor) -> Tensor:
    """The loss of triplets of the module's docstring.

    Args:
        a, b: (N, D) unit descriptors of the two views.
        alike: (N, N) bool, pairs that are no negatives; true on the diagonal.
    """
    distance = torch.sqrt((2 - 2 * a @ b.T).clamp_min(1e-6))
    positive = distance.diagonal()
    negatives = distance.masked_fill(alike, math.inf)
    hardest = torch.minimum(negatives.min(dim=1).values, negatives.min(dim=0).values)
    return relu(MARGIN + positive - hardest).mean()


def dual_softmax(a: Tensor, b: Tensor, places: int) -> Tensor:
    """The softmax loss of the module's docstring.

    Args:
        a, b: (N, D) and (M, D) unit descriptors of the two views.
        places: the first so many rows of both are partners of each other, the others have none.
    """
    similarity = a @ b.T / TEMPERATURE
    partner = torch.arange(places, device=a.device)
    forth = cross_entropy(similarity[:places], partner)
    return (forth + cross_entropy(similarity[:, :places].T, partner)) / 2


def _validate(run: Run, model: HybridDescriptor, validation: MatchingValidation, loss: float) -> None:
    scores = validation(model)
    run.log({"loss": loss, **scores})
    run.keep(scores["correct"])

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What descriptors are trained on: patches of the finished detector's keypoints, in two views."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from tqdm import tqdm

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float32, Float64, Rows, UInt8
from hybrid_features_ros.features.detector import Keypoints
from hybrid_features_ros.features.patches import oriented_patches
from hybrid_features_ros.features.strek import StrekDetector
from hybrid_features_ros.training.pairs import Photographs, make_pair
from hybrid_features_ros.training.scenes import scene_pairs

VIEW = 320  # side of a view of a warped photograph [px]
DENSITY = 1000 / (640 * 480)  # keypoints of a pixel, as in use
REACH, REACH_OF_SCALE = 1.5, 0.6  # most error of a keypoint [px], or of its scale if that is more
SCALE_RATIO, TURN = 1.8, np.radians(45)  # most disagreement of two keypoints' scales and orientations
ALONE = 150  # most keypoints of a view without a partner that are kept
_LEAST = 20  # correspondences of a pair that is worth keeping
_PAIRS_OF_SCENE, _PAPERS = 8, (12, 40)  # pairs and photographs of a rendered scene
_AHEAD = 3.0  # scales between a keypoint and the place that tells how its surroundings turn and grow


class TwoViews(Protocol):
    """Two grey images, and where pixels (N, 2) of the first one are in the second one: NaN = hidden."""

    @property
    def a(self) -> UInt8: ...
    @property
    def b(self) -> UInt8: ...
    def transfer(self, pixels: Float64) -> Float64: ...
    def swapped(self) -> TwoViews: ...


@dataclass(frozen=True)
class Batch:
    """Of one pair of views: rows of places (K,), and of keypoints (A,) and (B,) that one view has alone."""

    places: Rows
    alone_a: Rows
    alone_b: Rows


@dataclass(frozen=True, eq=False)
class Correspondences:
    """K places seen twice, and M keypoints of the same views without a partner.

    Attributes:
        patches: (K, 2, SIDE, SIDE) float16, of the first and the second view.
        points: (K, 2) float32, in the first view [px].
        pair: (K,) int32, ascending; which pair of views each comes from.
        alone: (M, SIDE, SIDE) float16.
        alone_view: (M,) int32, ascending: twice the pair, one more for the second view.
    """

    patches: NDArray[np.float16]
    points: Float32
    pair: NDArray[np.int32]
    alone: NDArray[np.float16]
    alone_view: NDArray[np.int32]

    def batch(self, pairs: int, each: int, alone: int, rng: np.random.Generator) -> list[Batch]:
        """Up to ``each`` places of ``pairs`` pairs, and up to ``alone`` keypoints that one view has alone."""
        numbers = np.unique(self.pair)
        chosen = rng.choice(numbers, min(pairs, len(numbers)), replace=False)
        return [
            Batch(
                _some(self.pair, number, each, rng),
                _some(self.alone_view, 2 * number, alone, rng),
                _some(self.alone_view, 2 * number + 1, alone, rng),
            )
            for number in chosen
        ]


def _some(ascending: NDArray[np.int32], value: int, most: int, rng: np.random.Generator) -> Rows:
    first, last = np.searchsorted(ascending, [value, value + 1])
    return rng.permutation(np.arange(first, last))[:most]


def gather(photographs: Photographs, views: int, scenes: float, seed: int, file: Path) -> Correspondences:
    """Correspondences of ``views`` pairs of views, kept in ``file`` (npz) for other trainings.

    Args:
        scenes: share of the pairs from rendered scenes; the others are warped photographs.

    Raises:
        InputError: the file holds other correspondences.
    """
    wanted = f"{views} pairs, {scenes:g} rendered, seed {seed}, {len(photographs.paths)} photographs"
    if not file.is_file():
        _write(_pairs(photographs, views, scenes, seed), views, file, wanted)
    with np.load(file) as found:
        if str(found["made_of"]) != wanted:
            raise InputError(f"{file}: holds {found['made_of']}, not {wanted}; delete it or name another")
        return Correspondences(
            *(found[name] for name in ("patches", "points", "pair", "alone", "alone_view"))
        )


def _pairs(photographs: Photographs, views: int, scenes: float, seed: int) -> Iterator[TwoViews]:
    rendered = round(scenes * views)
    for first in range(0, rendered, _PAIRS_OF_SCENE):
        rng = np.random.default_rng([seed, 1, first])
        papers = [photographs.draw(rng, colour=True) for _ in range(rng.integers(*_PAPERS))]
        yield from scene_pairs(papers, min(_PAIRS_OF_SCENE, rendered - first), rng)
    for number in range(views - rendered):
        rng = np.random.default_rng([seed, 0, number])
        yield make_pair(photographs.draw(rng), VIEW, rng)


def _write(pairs: Iterator[TwoViews], views: int, file: Path, made_of: str) -> None:
    detector = StrekDetector()
    patches, points, pair, alone, alone_view = [], [], [], [], []
    rng = np.random.default_rng(0)
    for number, two in enumerate(tqdm(pairs, total=views, desc="correspondences", unit="pair", disable=None)):
        (a, of_a), (b, of_b) = (describable(detector, image) for image in (two.a, two.b))
        i, j = corresponding(a, b, two)
        if len(i) < _LEAST:
            continue
        patches.append(np.stack([of_a[i], of_b[j]], axis=1).astype(np.float16))
        points.append(a.points[i])
        pair.append(np.full(len(i), number, np.int32))
        for side, (of, known) in enumerate(((of_a, i), (of_b, j))):
            rest = rng.permutation(np.setdiff1d(np.arange(len(of)), known))[:ALONE]
            alone.append(of[rest].astype(np.float16))
            alone_view.append(np.full(len(rest), 2 * number + side, np.int32))
    if not patches:
        raise InputError(f"{made_of}: no two views have {_LEAST} keypoints in common; take other photographs")
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npz")
    np.savez(
        part, patches=np.concatenate(patches), points=np.concatenate(points), pair=np.concatenate(pair),
        alone=np.concatenate(alone), alone_view=np.concatenate(alone_view), made_of=np.array(made_of),
    )  # fmt: skip
    part.replace(file)


def describable(detector: StrekDetector, image: NDArray[np.uint8]) -> tuple[Keypoints, Float32]:
    """Keypoints of a view and their patches (N, SIDE, SIDE)."""
    levels, keypoints = detector.detect(image, round(DENSITY * image.size))
    return keypoints, oriented_patches(levels, keypoints, image.shape[1], image.shape[0])


def corresponding(a: Keypoints, b: Keypoints, views: TwoViews) -> tuple[Rows, Rows]:
    """Rows (M,) and (M,) of keypoints that show one place: nearest in position, scale and angle, mutually."""
    here = a.points.astype(float)
    expected = views.transfer(here)
    facing = np.stack([np.cos(a.angles), np.sin(a.angles)], axis=1)
    ahead = views.transfer(here + _AHEAD * a.scales[:, None] * facing) - expected
    scale, turned = np.linalg.norm(ahead, axis=1) / _AHEAD, np.arctan2(ahead[:, 1], ahead[:, 0])
    there = _places(expected, scale, turned), _places(b.points.astype(float), b.scales, b.angles)
    j, back = cKDTree(there[1]).query(there[0])[1], cKDTree(there[0]).query(there[1])[1]
    off = np.linalg.norm(expected - b.points[j], axis=1)
    turn = np.abs((turned - b.angles[j] + np.pi) % (2 * np.pi) - np.pi)
    with np.errstate(divide="ignore", invalid="ignore"):
        keep = (
            (back[j] == np.arange(len(here)))
            & (off <= np.maximum(REACH, REACH_OF_SCALE * b.scales[j]))
            & (np.abs(np.log(scale / b.scales[j])) <= np.log(SCALE_RATIO))
            & (turn <= TURN)
        )
    return np.flatnonzero(keep), j[keep]


def _places(points: Float64, scales: NDArray[Any], angles: NDArray[Any]) -> Float64:
    """(N, 5) coordinates in which a keypoint's nearest neighbour is the one of its place, scale and angle."""
    octaves = np.log2(np.maximum(scales, 1e-3))
    rows = [points / 3, 4 * octaves[:, None], np.stack([np.cos(angles), np.sin(angles)], axis=1)]
    places = np.nan_to_num(np.concatenate(rows, axis=1), nan=1e9, posinf=1e9, neginf=-1e9)
    return np.asarray(places, dtype=np.float64)

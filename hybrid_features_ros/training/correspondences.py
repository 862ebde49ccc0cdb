# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What descriptors are trained on: patches of the finished detector's keypoints, found in two views."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from tqdm import tqdm

from hybrid_features_ros.benchmarks.homography import transfer
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float32, Float64
from hybrid_features_ros.features.detector import Keypoints
from hybrid_features_ros.features.patches import oriented_patches
from hybrid_features_ros.features.strek import StrekDetector
from hybrid_features_ros.training.pairs import Pair, Photographs, local_scale, local_turn, make_pair

VIEW, KEYPOINTS = 320, 350  # side of a view [px] and keypoints in it: the density of 1000 in a VGA image
REACH = 1.5  # most error of a keypoint [px of the level, at least px of the view]
SCALE_RATIO, TURN = 1.6, np.radians(40)  # most disagreement of two keypoints' scales and orientations


@dataclass(frozen=True, eq=False)
class Correspondences:
    """K places seen twice.

    Attributes:
        patches: (K, 2, SIDE, SIDE) float16, of the first and the second view.
        points: (K, 2) float32, in the first view [px].
        pair: (K,) int32, ascending; which pair of views each comes from.
    """

    patches: NDArray[np.float16]
    points: Float32
    pair: NDArray[np.int32]

    def batch(self, pairs: int, each: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Rows of up to ``each`` places of ``pairs`` pairs: what is hard to tell are neighbours."""
        ends = np.searchsorted(self.pair, np.unique(self.pair), side="right")
        starts = np.concatenate([[0], ends[:-1]])
        chosen = rng.choice(len(ends), min(pairs, len(ends)), replace=False)
        rows = [rng.permutation(np.arange(starts[i], ends[i]))[:each] for i in chosen]
        return np.concatenate(rows)


def gather(photographs: Photographs, views: int, seed: int, file: Path) -> Correspondences:
    """Correspondences of ``views`` pairs of views, kept in ``file`` (npz) for other trainings.

    Raises:
        InputError: the file holds other correspondences.
    """
    wanted = f"{views} pairs, seed {seed}, {len(photographs.paths)} photographs"
    if not file.is_file():
        _write(photographs, views, seed, file, wanted)
    with np.load(file) as found:
        if str(found["made_of"]) != wanted:
            raise InputError(f"{file}: holds {found['made_of']}, not {wanted}; delete it or name another")
        return Correspondences(found["patches"], found["points"], found["pair"])


def _write(photographs: Photographs, views: int, seed: int, file: Path, made_of: str) -> None:
    detector = StrekDetector()
    patches, points, pair = [], [], []
    for number in tqdm(range(views), desc="correspondences", unit="pair", disable=None):
        rng = np.random.default_rng([seed, number])
        views_of = make_pair(photographs.draw(rng), VIEW, rng)
        a, b = (describable(detector, image) for image in (views_of.a, views_of.b))
        i, j = corresponding(a[0], b[0], views_of)
        patches.append(np.stack([a[1][i], b[1][j]], axis=1).astype(np.float16))
        points.append(a[0].points[i])
        pair.append(np.full(len(i), number, np.int32))
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npz")
    np.savez(
        part, patches=np.concatenate(patches), points=np.concatenate(points), pair=np.concatenate(pair),
        made_of=np.array(made_of),
    )  # fmt: skip
    part.replace(file)


def describable(detector: StrekDetector, image: NDArray[np.uint8]) -> tuple[Keypoints, Float32]:
    """Keypoints of a view and their patches (N, SIDE, SIDE)."""
    levels, keypoints = detector.detect(image, KEYPOINTS)
    return keypoints, oriented_patches(levels, keypoints, image.shape[1], image.shape[0])


def corresponding(a: Keypoints, b: Keypoints, pair: Pair) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows (M,) and (M,) of keypoints that show one place: nearest in position, scale and angle, mutually."""
    expected = transfer(pair.H_b_a, a.points.astype(float))
    scale = a.scales * local_scale(pair.H_b_a, a.points.astype(float))
    turned = a.angles + local_turn(pair.H_b_a, a.points.astype(float))
    there = _places(expected, scale, turned), _places(b.points.astype(float), b.scales, b.angles)
    distance, j = cKDTree(there[1]).query(there[0])
    back = cKDTree(there[0]).query(there[1])[1]
    i = np.arange(len(a.points))
    off = np.linalg.norm(expected - b.points[j], axis=1)
    turn = np.abs((turned - b.angles[j] + np.pi) % (2 * np.pi) - np.pi)
    keep = (
        (back[j] == i)
        & np.isfinite(distance)
        & (off <= REACH * np.maximum(scale / a.scales.min(), 1.0))
        & (np.abs(np.log(scale / b.scales[j])) <= np.log(SCALE_RATIO))
        & (turn <= TURN)
    )
    return i[keep], j[keep]


def _places(points: Float64, scales: NDArray[Any], angles: NDArray[Any]) -> Float64:
    """(N, 5) coordinates in which a keypoint's nearest neighbour is the one of its place, scale and angle."""
    rows = [points / 3, 4 * np.log2(scales)[:, None], np.stack([np.cos(angles), np.sin(angles)], axis=1)]
    places = np.nan_to_num(np.concatenate(rows, axis=1), nan=1e9, posinf=1e9, neginf=-1e9)
    return np.asarray(places, dtype=np.float64)

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What descriptors are trained on: patches of the finished detector's keypoints, in two views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
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
from hybrid_features_ros.training.rendered import RenderedViews

VIEW = 320  # side of a view [px]
DENSITY = 1000 / (640 * 480)  # keypoints of a pixel, as in use
REACH, REACH_OF_SCALE = 1.5, 0.6  # most error of a keypoint [px], or of its scale if that is more
SCALE_RATIO, TURN = 1.8, np.radians(45)  # most disagreement of two keypoints' scales and orientations
_LEAST = 20  # correspondences of a pair that is worth keeping
_ENOUGH, _OTHERS = 60, 60  # places that make a pair worth as much as any; least others of a view
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
    """Of one pair of views: rows (K, 2) of keypoints that show one place, in the first and the second view,
    and rows (A,) and (B,) of others of each view.
    """

    places: Rows
    alone_a: Rows
    alone_b: Rows


@dataclass(frozen=True, eq=False)
class Correspondences:
    """M keypoints of V views, view by view, and which of them show one place.

    Attributes:
        patches: (M, K, SIDE, SIDE) float16, see :func:`describable`.
        points: (M, 2) float32 [px].
        starts: (V + 1,) int64, where each view begins.
        pairs: (P, 2) int64, the two views of each pair.
        places: (Q, 2) int64, rows of keypoints in both views, pair by pair.
        pair_starts: (P + 1,) int64, where the places of each pair begin.
    """

    patches: NDArray[np.float16]
    points: Float32
    starts: Rows
    pairs: Rows
    places: Rows
    pair_starts: Rows

    def batch(self, pairs: int, each: int, rng: np.random.Generator) -> list[Batch]:
        """Up to ``each`` places of some pairs, and of either view others that make them ``each``, ``_OTHERS``
        at least. Pairs with few places come less often.
        """
        counts = np.minimum(np.diff(self.pair_starts), _ENOUGH)
        chosen = rng.choice(len(counts), min(pairs, len(counts)), replace=False, p=counts / counts.sum())
        return [self._of_pair(number, each, rng) for number in chosen.tolist()]

    def _of_pair(self, number: int, each: int, rng: np.random.Generator) -> Batch:
        known = self.places[self.pair_starts[number] : self.pair_starts[number + 1]]
        places = rng.permutation(known)[:each]
        others = max(each - len(places), _OTHERS)
        alone = []
        for view, mine in zip(self.pairs[number], known.T, strict=True):
            rest = np.setdiff1d(np.arange(self.starts[view], self.starts[view + 1]), mine)
            alone.append(rng.permutation(rest)[:others])
        return Batch(places, *alone)


def gather(
    photographs: Photographs, warps: int, scenes: int, coarser: Sequence[int], seed: int, file: Path
) -> Correspondences:
    """Correspondences of warped photographs and of views of rendered scenes, kept in ``file`` (npz) for other
    trainings.

    Args:
        warps: pairs of views of photographs.
        scenes: rendered, with ten views each, any two of which are a pair if they share enough.
        coarser: levels of the patches, see :func:`describable`.

    Raises:
        InputError: the file holds other correspondences.
    """
    wanted = (
        f"{warps} warps, {scenes} scenes, levels {list(coarser)}, seed {seed}, "
        f"{len(photographs.paths)} photographs"
    )
    if not file.is_file():
        _write(_views(photographs, warps, scenes, seed), coarser, file, wanted)
    with np.load(file) as found:
        if str(found["made_of"]) != wanted:
            raise InputError(f"{file}: holds {found['made_of']}, not {wanted}; delete it or name another")
        return Correspondences(*(found[field.name] for field in fields(Correspondences)))


def _views(
    photographs: Photographs, warps: int, scenes: int, seed: int
) -> Iterator[tuple[Sequence[UInt8], Mapping[tuple[int, int], TwoViews]]]:
    """Images of one place, and for two of them where the first's pixels are in the second."""
    for number in tqdm(range(warps), desc="warps", unit="pair", disable=None):
        rng = np.random.default_rng([seed, 0, number])
        pair = make_pair(photographs.draw(rng), VIEW, rng)
        yield [pair.a, pair.b], {(0, 1): pair}
    for scene in range(scenes):
        views = RenderedViews.render(photographs, 1, VIEW, seed, scene)
        two_of_them = combinations(range(len(views.images)), 2)
        yield list(views.images), {(a, b): views.between(a, b) for a, b in two_of_them}


def _write(
    groups: Iterable[tuple[Sequence[UInt8], Mapping[tuple[int, int], TwoViews]]],
    coarser: Sequence[int],
    file: Path,
    made_of: str,
) -> None:
    detector = StrekDetector()
    patches, points, starts, pairs, places = [], [], [0], [], []
    for images, truths in groups:
        first = len(starts) - 1
        found = [describable(detector, image, coarser) for image in images]
        for keypoints, of in found:
            patches.append(of.astype(np.float16))
            points.append(keypoints.points)
            starts.append(starts[-1] + len(of))
        for (a, b), views in truths.items():
            i, j = corresponding(found[a][0], found[b][0], views)
            if len(i) >= _LEAST:
                pairs.append([first + a, first + b])
                places.append(np.stack([starts[first + a] + i, starts[first + b] + j], axis=1))
    if not pairs:
        raise InputError(f"{made_of}: no two views have {_LEAST} keypoints in common; take other photographs")
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npz")
    np.savez(
        part, patches=np.concatenate(patches), points=np.concatenate(points), starts=np.array(starts),
        pairs=np.array(pairs), places=np.concatenate(places),
        pair_starts=np.cumsum([0, *map(len, places)]), made_of=np.array(made_of),
    )  # fmt: skip
    part.replace(file)


def describable(
    detector: StrekDetector, image: NDArray[np.uint8], coarser: Sequence[int]
) -> tuple[Keypoints, Float32]:
    """Keypoints of a view and their patches (N, K, SIDE, SIDE): K for each, so many levels coarser than the
    keypoint's own as ``coarser`` says.
    """
    levels, keypoints = detector.detect(image, round(DENSITY * image.size))
    height, width = image.shape
    patches = [oriented_patches(levels, keypoints, width, height, coarser=c) for c in coarser]
    return keypoints, np.stack(patches, axis=1)


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

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two views of one photograph with a known warp between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.benchmarks.homography import transfer
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float32, Float64, UInt8
from hybrid_features_ros.simulation.scene import PHOTOGRAPHS

# Aerial photographs that repeat themselves: together at most this share of the draws.
SELF_SIMILAR, SELF_SIMILAR_SHARE = ("odm_seneca", "odm_copr", "drone_brighton"), 0.1
HARD = 0.5  # share of the pairs that differ by more than a turn
_TRIES, _LEAST_CONTRAST = 5, 12.0
# Part of a test set, though packages of photographs ship them: of Oxford's, and what papers the test scenes.
EVALUATION_ONLY = ("graf1", "graf3", *(Path(n).stem for names in PHOTOGRAPHS.values() for n in names))


@dataclass(frozen=True)
class Pair:
    """Grey images (H, W) uint8 and the homography (3, 3) that maps pixels of a to pixels of b."""

    a: UInt8
    b: UInt8
    H_b_a: Float64

    def transfer(self, pixels: Float64) -> Float64:
        """Where pixels (N, 2) of a are in b."""
        return transfer(self.H_b_a, pixels)

    def swapped(self) -> Pair:
        """The same views in the other order."""
        return Pair(self.b, self.a, np.asarray(np.linalg.inv(self.H_b_a), dtype=np.float64))


@dataclass(frozen=True)
class Photographs:
    """What training draws from: files and how often each comes."""

    paths: tuple[Path, ...]
    weights: tuple[float, ...]

    @staticmethod
    def under(folder: Path) -> Photographs:
        """All photographs under a folder, except those of test sets.

        Raises:
            InputError: there are none.
        """
        kinds = (".jpg", ".jpeg", ".png", ".webp")
        found = sorted(folder.rglob("*")) if folder.is_dir() else []
        paths = [
            p
            for p in found
            if p.suffix.lower() in kinds and p.stem.rpartition("__")[2] not in EVALUATION_ONLY
        ]
        if not paths:
            raise InputError(f"{folder}: no photographs ({', '.join(kinds)}) under this folder")
        alike = np.array([any(name in p.parts for name in SELF_SIMILAR) for p in paths])
        weights = np.ones(len(paths))
        if alike.any() and not alike.all():
            share = SELF_SIMILAR_SHARE / (1 - SELF_SIMILAR_SHARE)
            weights[alike] = min(1.0, share * (~alike).sum() / alike.sum())
        return Photographs(tuple(paths), tuple(weights / weights.sum()))

    def draw(self, rng: np.random.Generator, colour: bool = False) -> UInt8:
        """One photograph (H, W) in grey, or (H, W, 3) BGR."""
        path = self.paths[rng.choice(len(self.paths), p=self.weights)]
        image = cv2.imread(str(path), cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise InputError(f"{path}: not an image that OpenCV reads; delete it from the training folder")
        return np.asarray(image, dtype=np.uint8)


def make_pair(photo: UInt8, side: int, rng: np.random.Generator) -> Pair:
    """Views (side, side) of a random place in a photograph.

    The second is turned by any angle; in ``HARD`` of the pairs it is also scaled by 0.5 to 2 and seen in
    perspective (corners displaced by up to a fifth of the side), and both get their own light, blur, noise
    and compression. The other pairs differ by the turn, a sub-pixel shift and noise of a few grey levels:
    what a rolling camera sees from one frame to the next.
    """
    size = np.array(photo.shape[::-1])
    fit = 1.3 * side / size.min()  # the least scale at which a turned view lies inside the photograph
    hard = rng.random() < HARD
    scale_a = max(fit, 2 ** rng.uniform(-1, 0.2))
    scale_b = float(np.clip(scale_a * 2 ** rng.uniform(-1, 1), fit, 2.0)) if hard else scale_a
    centre = _textured_place(photo, size, side / min(scale_a, scale_b), rng)
    views = []
    turned, tilted = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.2)
    for scale, turn, bend in ((scale_a, 0.0, 0.05), (scale_b, turned, tilted)):
        place = centre + rng.normal(0, 0.04 * side / scale, 2)
        M = _view(place, scale, turn, side, bend if hard else 0.0, rng)
        clear = _render(photo, M, side, scale)
        views.append((disturbed(clear, rng) if hard else noisy(clear, rng.uniform(0.5, 4), rng), M))
    (a, A), (b, B) = views
    return Pair(a, b, B @ np.linalg.inv(A))


def local_scale(H: Float64, points: Float64) -> Float64:
    """How much a homography (3, 3) enlarges the neighbourhood of pixels (N, 2): root of its Jacobian."""
    depth = points @ H[2, :2] + H[2, 2]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(np.abs(np.linalg.det(H) / depth**3)))


def local_turn(H: Float64, points: Float64) -> Float64:
    """How far a homography (3, 3) turns the neighbourhood of pixels (N, 2) [rad], mean over directions."""
    q = points @ H[:, :2].T + H[:, 2]
    p, w = q[:, :2] / q[:, 2:], q[:, 2]
    J = (H[None, :2, :2] - p[:, :, None] * H[None, 2:, :2]) / w[:, None, None]
    return np.asarray(np.arctan2(J[:, 1, 0] - J[:, 0, 1], J[:, 0, 0] + J[:, 1, 1]))


def _view(
    centre: Float64, scale: float, turn: float, side: int, bend: float, rng: np.random.Generator
) -> Float64:
    """Homography from the photograph to a view whose middle shows ``centre``."""
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    M = np.eye(3)
    M[:2, :2] = [[c, -s], [s, c]]
    M[:2, 2] = (side - 1) / 2 - M[:2, :2] @ centre
    corners = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32) - np.float32(0.5)
    moved = corners + rng.uniform(-bend, bend, (4, 2)).astype(np.float32) * side
    return np.asarray(cv2.getPerspectiveTransform(corners, moved) @ M, dtype=np.float64)


def _textured_place(photo: UInt8, size: Float64, width: float, rng: np.random.Generator) -> Float64:
    """A random place for a view ``width`` pixels wide; of a few tries the first that shows something."""
    for _ in range(_TRIES):
        reach = np.minimum(0.5 * width, size / 2)
        centre = rng.uniform(reach, size - reach)
        x, y = (int(c) for c in centre)
        r = int(reach.min())
        if photo[max(0, y - r) : y + r, max(0, x - r) : x + r].std() > _LEAST_CONTRAST:
            break
    return np.asarray(centre)


def _render(photo: UInt8, M: Float64, side: int, scale: float) -> Float32:
    sharp = cv2.GaussianBlur(photo, (0, 0), 0.5 / min(scale, 1.0)) if scale < 1 else photo
    image = cv2.warpPerspective(
        sharp.astype(np.float32), M, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(image, dtype=np.float32)


def disturbed(image: Float32, rng: np.random.Generator) -> UInt8:
    """An image (H, W) of grey values in other light, out of focus or moved, and with noise."""
    image = _blurred(image, rng)
    gain, offset, gamma = np.exp(rng.normal(0, 0.25)), rng.normal(0, 12), np.exp(rng.normal(0, 0.2))
    lit = 255 * (np.clip(image, 0, 255) / 255) ** np.float32(gamma)
    taken = noisy((lit - 128) * gain + 128 + offset, rng.uniform(0.5, 5), rng)
    return _compressed(taken, int(rng.integers(10, 90))) if rng.random() < 0.3 else taken


def _compressed(image: UInt8, quality: int) -> UInt8:
    jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


def noisy(image: NDArray[Any], sigma: float, rng: np.random.Generator) -> UInt8:
    """Grey values (H, W) with noise of ``sigma``, as a camera's bytes."""
    return np.clip(np.rint(image + rng.normal(0, sigma, image.shape)), 0, 255).astype(np.uint8)


def _blurred(image: Float32, rng: np.random.Generator) -> Float32:
    """Half of the time out of focus, one time in five moved during the exposure."""
    if rng.random() < 0.5:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.4)), dtype=np.float32)
    if rng.random() < 0.2:
        length, angle = rng.uniform(2, 7), rng.uniform(0, np.pi)
        kernel = np.zeros((9, 9), np.float32)
        tip = 0.5 * length * np.array([np.cos(angle), np.sin(angle)])
        ends = np.rint((4 + np.array([-tip, tip])) * 16).astype(int).tolist()
        cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
        image = np.asarray(cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1e-6)), dtype=np.float32)
    return image

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A room papered with photographs, seen by any camera from any place, with exact depth.

World axes are those of a level camera: x right, y down, z forward [m].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Bool, Float32, Float64, UInt8

TEXELS_PER_METRE = 400
Paper = Callable[[float, float], UInt8]  # texture for a width and a height [m]
NEAR = 0.05  # surfaces nearer than this are not drawn [m]
# Photographs in the wheels of scikit-image (public domain or CC0) and scikit-learn (CC BY 2.0), named
# with their authors in those packages.
PHOTOGRAPHS = {
    "skimage.data": (
        "astronaut.png", "camera.png", "chelsea.png", "coffee.png", "coins.png",
        "hubble_deep_field.jpg", "rocket.jpg",
    ),
    "sklearn.datasets.images": ("china.jpg", "flower.jpg"),
}  # fmt: skip
FLOORS = ("brick.png", "gravel.png", "grass.png")


@dataclass(frozen=True, eq=False)
class Surface:
    """A textured rectangle, seen from its front side only.

    Attributes:
        corner: (3,) of the texture's top left [m].
        across, down: (3,) edges along the texture's rows and columns [m]; ``cross(across, down)``
            points away from the viewer.
        pyramid: the texture (h, w, 3) BGR, each level half the size of the one before.
    """

    corner: Float64
    across: Float64
    down: Float64
    pyramid: Sequence[UInt8]

    @staticmethod
    def make(
        corner: Sequence[float], across: Sequence[float], down: Sequence[float], texture: UInt8
    ) -> Surface:
        """Build the texture's pyramid."""
        pyramid = [texture]
        while min(pyramid[-1].shape[:2]) >= 16 and len(pyramid) < 6:
            h, w = pyramid[-1].shape[:2]
            half = cv2.resize(pyramid[-1], (max(w // 2, 1), max(h // 2, 1)), interpolation=cv2.INTER_AREA)
            pyramid.append(np.asarray(half, dtype=np.uint8))
        return Surface(np.array(corner, float), np.array(across, float), np.array(down, float), pyramid)


class Renderer:
    """Views of a scene through one camera.

    Args:
        surfaces: the scene.
        camera: any lens; every pixel's ray is computed once.
    """

    def __init__(self, surfaces: Sequence[Surface], camera: Camera) -> None:
        self._surfaces = surfaces
        self._camera = camera
        y, x = np.mgrid[: camera.height, : camera.width]
        xy = camera.normalise(np.stack([x.ravel(), y.ravel()], axis=1))
        self._xy = xy.reshape(camera.height, camera.width, 2).astype(np.float32)

    def render(self, T_world_camera: Float64, also: Sequence[Surface] = ()) -> tuple[UInt8, Float32]:
        """Image (H, W, 3) BGR and depth (H, W) along the optical axis [m]; black and NaN in the void.

        ``also``: surfaces that belong to this view only, such as of what moves.
        A pixel sees the nearest surface along its ray. Textures are read from the two levels of their
        pyramid nearest to the pixel's footprint and blended, so that they do not alias.
        """
        shape = self._camera.height, self._camera.width
        image = np.zeros((*shape, 3), np.uint8)
        depth = np.full(shape, np.inf, np.float32)
        for surface in (*self._surfaces, *also):
            self._draw(surface, T_world_camera, image, depth)
        depth[~np.isfinite(depth)] = np.nan
        return image, depth

    def _draw(self, s: Surface, T_world_camera: Float64, image: UInt8, depth: Float32) -> None:
        R = T_world_camera[:3, :3]
        corner = R.T @ (s.corner - T_world_camera[:3, 3])
        across, down = R.T @ s.across, R.T @ s.down
        normal = np.cross(across, down)
        window = self._window(corner, across, down)
        if normal @ corner <= 0 or window is None:
            return
        xy = self._xy[window]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            z = np.float32(normal @ corner) / _affine(xy, normal)
            u = z * _affine(xy, across / (across @ across)) - np.float32(corner @ across / (across @ across))
            v = z * _affine(xy, down / (down @ down)) - np.float32(corner @ down / (down @ down))
            seen = (z > NEAR) & (z < depth[window]) & (u >= 0) & (u < 1) & (v >= 0) & (v < 1)
        if not seen.any():
            return
        depth[window][seen] = z[seen]
        size = s.pyramid[0].shape[1] / np.linalg.norm(across)
        level = np.log2(np.maximum(z * np.float32(size / self._camera.focal), 1e-3))
        image[window][seen] = _sample(s.pyramid, u, v, level, seen)[seen]

    def _window(self, corner: Float64, across: Float64, down: Float64) -> tuple[slice, slice] | None:
        """The rows and columns that a rectangle can cover; None if it is out of sight."""
        grid = np.array([[i / 8, j / 8] for i in range(9) for j in range(9)])
        points = corner + grid @ np.stack([across, down])
        height, width = self._camera.height, self._camera.width
        if (points[:, 2] <= NEAR).all():
            return None
        if (points[:, 2] <= NEAR).any():
            return slice(0, height), slice(0, width)
        pixels = self._camera.project(points)
        margin = 0.1 * (pixels.max(axis=0) - pixels.min(axis=0)) + 2  # edges may bulge between grid points
        low = np.floor(pixels.min(axis=0) - margin).clip(0, [width, height]).astype(int)
        high = np.ceil(pixels.max(axis=0) + margin).clip(0, [width, height]).astype(int)
        return (slice(low[1], high[1]), slice(low[0], high[0])) if (high > low).all() else None


def _affine(xy: Float32, v: Float64) -> Float32:
    """``v . (x, y, 1)`` for every pixel."""
    return np.asarray(xy @ v[:2].astype(np.float32) + np.float32(v[2]))


def _sample(pyramid: Sequence[UInt8], u: Float32, v: Float32, level: Float32, seen: Bool) -> UInt8:
    """Texture colours at relative positions (u, v), blended between the two nearest levels."""
    top = len(pyramid) - 1
    level = level.clip(0, top)
    lowest, highest = int(level[seen].min()), int(np.ceil(level[seen].max()))
    total = np.zeros((*u.shape, 3), np.float32)
    for i in range(lowest, highest + 1):
        h, w = pyramid[i].shape[:2]
        weight = np.maximum(1 - np.abs(level - np.float32(i)), 0)
        texels = cv2.remap(
            pyramid[i], u * np.float32(w) - np.float32(0.5), v * np.float32(h) - np.float32(0.5),
            cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        total += texels * weight[..., None]
    return np.asarray(total + np.float32(0.5), dtype=np.uint8)


def furnished_room(seed: int = 0) -> list[Surface]:
    """A room of 7 x 3 x 6 m around the origin, with boxes and pillars at many depths.

    Raises:
        InputError: the packages that carry the photographs are not installed.
    """
    rng = np.random.default_rng(seed)
    papers, floors = photographs(), [_shipped("skimage.data", name) for name in FLOORS]
    low, high = np.array([-3.5, -1.6, -3.0]), np.array([3.5, 1.4, 3.0])
    walls = box(low, high, lambda w, h: papered(w, h, papers, rng), inside=True)
    ground = _tiled(7.0, 6.0, floors[1])
    walls["bottom"] = Surface.make([low[0], high[1], high[2]], [7, 0, 0], [0, 0, -6], ground)
    surfaces = list(walls.values())
    boxes = [  # least and greatest corner
        ([-2.9, 0.1, 0.9], [-1.9, 1.4, 1.7]),
        ([1.5, -0.5, 1.2], [2.1, 1.4, 1.8]),
        ([-0.5, 0.7, 1.9], [0.7, 1.4, 2.5]),
        ([2.0, 0.3, -1.6], [3.1, 1.4, -0.7]),
        ([-2.4, -1.6, -2.2], [-1.8, 1.4, -1.6]),
        ([0.4, 0.6, -2.6], [1.3, 1.4, -1.9]),
    ]
    for k, (least, greatest) in enumerate(boxes):

        def paper(width: float, height: float, floor: UInt8 = floors[k % 3]) -> UInt8:
            if max(width, height) < 2:
                return papered(width, height, papers, rng)
            return _tiled(width, height, floor)

        sides = box(np.array(least), np.array(greatest), paper, inside=False)
        surfaces += [side for name, side in sides.items() if name != "bottom"]
    return surfaces


def box(low: Float64, high: Float64, paper: Paper, inside: bool) -> dict[str, Surface]:
    """The six sides of a box from its least to its greatest corner, (3,) [m], to be seen from inside or from
    outside.
    """
    (x0, y0, z0), (x1, y1, z1) = low, high
    w, h, d = high - low
    sides = {  # as seen from inside: corner, across, down
        "front": ([x0, y0, z1], [w, 0, 0], [0, h, 0]),
        "right": ([x1, y0, z1], [0, 0, -d], [0, h, 0]),
        "back": ([x1, y0, z0], [-w, 0, 0], [0, h, 0]),
        "left": ([x0, y0, z0], [0, 0, d], [0, h, 0]),
        "top": ([x0, y0, z0], [w, 0, 0], [0, 0, d]),
        "bottom": ([x0, y1, z1], [w, 0, 0], [0, 0, -d]),
    }
    if not inside:  # start at the other end of the row and run back
        sides = {k: (list(np.add(c, a)), list(np.negative(a)), e) for k, (c, a, e) in sides.items()}
    return {
        name: Surface.make(c, a, e, paper(float(np.linalg.norm(a)), float(np.linalg.norm(e))))
        for name, (c, a, e) in sides.items()
    }


def photographs() -> list[UInt8]:
    """The photographs (H, W, 3) BGR of ``PHOTOGRAPHS``.

    Raises:
        InputError: the packages that carry them are not installed.
    """
    return [_shipped(package, name) for package, names in PHOTOGRAPHS.items() for name in names]


def _shipped(package: str, name: str) -> UInt8:
    """A photograph that lies in an installed package; the package itself is not imported."""
    import importlib.util

    top, _, rest = package.partition(".")
    found = importlib.util.find_spec(top)
    if found is None or found.submodule_search_locations is None:
        raise InputError(f"the demo's photographs: {top} is missing, pip install scikit-image scikit-learn")
    path = Path(found.submodule_search_locations[0], *rest.split("."), name)
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(
            f"{path}: missing from this version of {top}; pip install 'hybrid_features_ros[demo]'"
        )
    return np.asarray(image, dtype=np.uint8)


def wall_paper(
    rng: np.random.Generator, share: float = 1.0, texels: int = TEXELS_PER_METRE, height: float = 0.8
) -> Paper:
    """Textures of ``texels`` a metre: plaster of which photographs about ``height`` [m] high cover a share;
    for a share of 0 gravel, and nothing but photographs for 1.
    """
    pictures, gravel = photographs(), _shipped("skimage.data", FLOORS[1])

    def paper(width: float, tall: float) -> UInt8:
        if share >= 1:
            return papered(width, tall, pictures, rng, texels, height)
        if share <= 0:
            return _tiled(width, tall, gravel, texels)
        texture = _plaster(width, tall, rng, texels)
        size = min(height, 0.8 * tall, 0.8 * width)
        for _ in range(int(share * width * tall / size**2)):
            part = _part(pictures[rng.integers(len(pictures))], rng)
            h = max(int(rng.uniform(0.5, 1.0) * size * texels), 2)
            w = max(min(round(part.shape[1] * h / part.shape[0]), texture.shape[1]), 2)
            y, x = (rng.uniform(size=2) * (np.array(texture.shape[:2]) - [h, w])).astype(int).clip(0)
            picture = cv2.resize(part, (w, h), interpolation=cv2.INTER_AREA)
            texture[y : y + h, x : x + w] = picture[: texture.shape[0] - y, : texture.shape[1] - x]
        return texture

    return paper


def _plaster(width: float, height: float, rng: np.random.Generator, texels: int) -> UInt8:
    """Nearly nothing: faint stains of a few centimetres to a metre on a grey wall."""
    shape = max(int(height * texels), 2), max(int(width * texels), 2)
    total = np.full(shape, rng.uniform(120, 190), np.float32)
    for metres, contrast in ((1.0, 6.0), (0.2, 4.0), (0.04, 3.0)):
        grid = max(int(height / metres), 2), max(int(width / metres), 2)
        stains = rng.normal(size=grid).astype(np.float32) * np.float32(contrast)
        total += cv2.resize(stains, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.repeat(np.clip(total, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def papered(
    width: float,
    height: float,
    photographs: Sequence[UInt8],
    rng: np.random.Generator,
    texels: int = TEXELS_PER_METRE,
    picture: float = 0.8,
) -> UInt8:
    """A texture (H, W, 3) of width x height [m] covered with photographs about ``picture`` [m] high.

    Every photograph comes once before any comes again, each time another part of it, maybe mirrored:
    walls that repeat themselves would be a test of luck.
    """
    rows = max(1, round(height / picture))
    tall = max(int(height * texels / rows), 2)
    strips: list[UInt8] = []
    deck: list[int] = []
    for _ in range(rows):
        strip: list[UInt8] = []
        while sum(p.shape[1] for p in strip) < width * texels:
            if not deck:
                deck = rng.permutation(len(photographs)).tolist()
            photo = _part(photographs[deck.pop()], rng)
            scaled = cv2.resize(
                photo,
                (max(round(photo.shape[1] * tall / photo.shape[0]), 1), tall),
                interpolation=cv2.INTER_AREA,
            )
            strip.append(np.asarray(scaled, dtype=np.uint8))
        strips.append(np.hstack(strip)[:, : max(int(width * texels), 2)])
    return np.vstack(strips)


def _part(photograph: UInt8, rng: np.random.Generator) -> UInt8:
    """A random part of at least 70 % of each side, mirrored half the time."""
    sides = np.array(photograph.shape[:2])
    size = (sides * rng.uniform(0.7, 1.0)).astype(int)
    y, x = (rng.uniform(size=2) * (sides - size)).astype(int)
    part = photograph[y : y + size[0], x : x + size[1]]
    return part[:, ::-1] if rng.integers(2) else part


def _tiled(width: float, height: float, photograph: UInt8, texels: int = TEXELS_PER_METRE) -> UInt8:
    """A texture of width x height [m] of one photograph 1.3 m wide, every second tile mirrored."""
    h, w = photograph.shape[:2]
    tile = np.hstack([photograph, photograph[:, ::-1]])
    tile = np.vstack([tile, tile[::-1]])
    shape = int(height * texels), int(width * texels)
    repeats = -(-shape[0] // (2 * h)), -(-shape[1] // (2 * w))
    return np.asarray(np.tile(tile, (*repeats, 1))[: shape[0], : shape[1]])

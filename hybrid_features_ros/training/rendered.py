# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Small views of rendered yards in one file, from which pairs with parallax and occlusion are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float64, UInt8
from hybrid_features_ros.simulation.roll import rotation_about_z
from hybrid_features_ros.simulation.scene import Renderer
from hybrid_features_ros.simulation.two_views import looking, yard
from hybrid_features_ros.training.pairs import Photographs
from hybrid_features_ros.training.scenes import LIT, ROLLED, ScenePair, photographed

VIEWS_OF_SCENE = 10
AZIMUTH = 1.1  # most angle between a view's direction and the yard's axis [rad]
FOCAL = (0.9, 1.8)  # least and greatest focal length [sides of a view]
SHARED = 0.3  # least share of a view that the other view of its pair sees
_PAPERS = (12, 40)  # photographs of a scene
_TRIES, _GRID = 20, 12


@dataclass(frozen=True, eq=False)
class RenderedViews:
    """V square views of some scenes.

    Attributes:
        images: (V, side, side) uint8, grey, each in a light of its own.
        depths: (V, side, side) float16 [m]; NaN = void.
        focals: (V,) [px].
        poses: (V, 4, 4) ``T_scene_camera``.
        scenes: (V,) ascending.
    """

    images: UInt8
    depths: NDArray[np.float16]
    focals: Float64
    poses: Float64
    scenes: NDArray[np.int64]

    def pair(self, rng: np.random.Generator) -> ScenePair:
        """Two views of one scene that share enough."""
        for _ in range(_TRIES):
            a = int(rng.integers(len(self.scenes)))
            first, last = np.searchsorted(self.scenes, [self.scenes[a], self.scenes[a] + 1])
            b = int(rng.choice(np.delete(np.arange(first, last), a - first)))
            pair = self.between(a, b)
            line = np.linspace(0, self.images.shape[1] - 1, _GRID)
            grid = np.stack([np.tile(line, _GRID), np.repeat(line, _GRID)], axis=1)
            if np.isfinite(pair.transfer(grid)[:, 0]).mean() >= SHARED:
                break
        return pair

    def between(self, a: int, b: int) -> ScenePair:
        """Views a and b of one scene, however little they share."""
        side = self.images.shape[1]
        middle = (side - 1) / 2
        cameras = [Camera(side, side, f, f, middle, middle) for f in self.focals[[a, b]].tolist()]
        T_b_a = se3.inverse(self.poses[b]) @ self.poses[a]
        return ScenePair(
            self.images[a], self.images[b], self.depths[a], self.depths[b], cameras[0], cameras[1], T_b_a
        )

    @staticmethod
    def render(photographs: Photographs, scenes: int, side: int, seed: int, first: int = 0) -> RenderedViews:
        """``VIEWS_OF_SCENE`` views of each of some scenes, from the ``first`` one of this seed on."""
        views = []
        for scene in tqdm(range(first, first + scenes), desc="views", unit="scene", disable=None):
            rng = np.random.default_rng([seed, 2, scene])
            papers = [photographs.draw(rng, colour=True) for _ in range(rng.integers(*_PAPERS))]
            surfaces = yard(papers, rng)
            for _ in range(VIEWS_OF_SCENE):
                focal = side * float(np.exp(rng.uniform(*np.log(FOCAL))))
                T = looking(rng, rng.uniform(-AZIMUTH, AZIMUTH))
                if rng.random() < ROLLED:
                    T = T @ se3.make(rotation_about_z(rng.uniform(-np.pi, np.pi)), np.zeros(3))
                camera = Camera(side, side, focal, focal, (side - 1) / 2, (side - 1) / 2)
                image, depth = Renderer(surfaces, camera).render(T)
                lit = photographed(image, rng.random() < LIT, rng)
                views.append((lit, depth.astype(np.float16), focal, T, scene))
        return RenderedViews(*(np.array(column) for column in zip(*views, strict=True)))

    @staticmethod
    def kept(photographs: Photographs, scenes: int, side: int, seed: int, file: Path) -> RenderedViews:
        """The same from the first scene on, kept in ``file`` (npz, 80 kB for a view of 240 px) for others.

        Raises:
            InputError: the file holds other views.
        """
        names = ("images", "depths", "focals", "poses", "scenes")
        wanted = f"{scenes} scenes, {side} px, seed {seed}, {len(photographs.paths)} photographs"
        if not file.is_file():
            made = RenderedViews.render(photographs, scenes, side, seed)
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(".part.npz")
            np.savez_compressed(part, made_of=np.array(wanted), **{n: getattr(made, n) for n in names})
            part.replace(file)
        with np.load(file) as found:
            if str(found["made_of"]) != wanted:
                raise InputError(f"{file}: holds {found['made_of']}, not {wanted}; delete it or name another")
            return RenderedViews(*(found[name] for name in names))

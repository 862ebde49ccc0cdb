# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A run as a moving picture: the image with its feature tracks, the path in space, turning rate and state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from hybrid_features_ros.core.errors import extra
from hybrid_features_ros.core.types import Float64, State, UInt8
from hybrid_features_ros.evaluation.metrics import rotation_errors_deg
from hybrid_features_ros.evaluation.run import Step
from hybrid_features_ros.visualization.palette import BLUE, GREEN, GREY, INK, STATE_COLOURS, rgb

with extra("eval"):
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

_TRAIL = 7  # frames that a track shows
_WIDTH = 480  # of the camera's image [px]
_SHIFT = 4  # OpenCV draws at 1/16 pixel
_YAW, _PITCH = np.radians([25.0, 35.0])  # from where the path is looked at: behind the camera, and above

_Feature = tuple[int, int]  # stamp of an image, index of its feature


@dataclass(frozen=True, eq=False)
class Moment:
    """One frame of a run: its stamp [ns], picture (H, W, 3) RGB with tracks, pose (4, 4) and state."""

    stamp: int
    picture: UInt8
    T_world_camera: Float64
    state: State


class TrackFilm:
    """Collects the frames of a run, as a watcher of :func:`.evaluate`, and draws them.

    A track is a feature of a keyframe, followed over the images that match it, also when another keyframe
    becomes the reference.
    """

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self._trails: dict[_Feature, list[tuple[float, float]]] = {}
        self._first: dict[_Feature, _Feature] = {}  # the same scene point in the first image that showed it

    def see(self, step: Step) -> None:
        """Draw the tracks of one frame into its image."""
        result, grey = step.result, step.frame.image
        good = result.motion.inliers
        scale = _WIDTH / grey.shape[1]
        points = (step.features.points[result.matches.index_b[good]] + 0.5) * scale - 0.5
        seen = [(result.reference_stamp, i) for i in result.matches.index_a[good].tolist()]
        keys = [self._first.get(feature, feature) for feature in seen]
        here = [(step.frame.stamp, i) for i in result.matches.index_b[good].tolist()]
        self._first.update(zip(here, keys, strict=True))
        self._trails = {
            key: [*self._trails.get(key, [])[1 - _TRAIL :], (float(x), float(y))]
            for key, (x, y) in zip(keys, points, strict=True)
        }
        picture = _with_trails(grey, scale, list(self._trails.values()))
        self.moments.append(Moment(step.frame.stamp, picture, result.T_world_camera, result.state))

    def frames(self, stride: int = 1, truth: Float64 | None = None) -> Iterator[UInt8]:
        """The pictures (H, W, 3) RGB of every ``stride``-th frame.

        Args:
            truth: (N, 3) true positions, aligned to the estimate, drawn in grey.
        """
        poses = np.array([m.T_world_camera for m in self.moments])
        seconds = np.array([m.stamp - self.moments[0].stamp for m in self.moments]) * 1e-9
        drawing = Figure(figsize=(8.4, 4.3), dpi=100, layout="constrained")
        canvas: Any = FigureCanvasAgg(drawing)  # partly without types
        grid = drawing.add_gridspec(2, 2, height_ratios=[4.6, 1], width_ratios=[1.32, 1])
        image, space, time = (drawing.add_subplot(cell) for cell in (grid[0, 0], grid[0, 1], grid[1, :]))
        _draw_speed(time, seconds, poses, [m.state for m in self.moments])
        cursor = time.axvline(0.0, color=INK, lw=1.2)
        for i in range(0, len(self.moments), stride):
            _draw_image(image, self.moments[i])
            _draw_space(space, poses, i, truth)
            cursor.set_xdata([seconds[i], seconds[i]])
            canvas.draw()
            yield np.array(canvas.buffer_rgba())[..., :3]


def _with_trails(image: Any, scale: float, trails: list[list[tuple[float, float]]]) -> UInt8:
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = cv2.cvtColor((40 + 0.65 * small).astype(np.uint8), cv2.COLOR_GRAY2RGB)
    for trail in trails:
        fixed = np.rint(np.array(trail) * 2**_SHIFT).astype(np.int32)
        cv2.polylines(canvas, [fixed[:, None]], False, rgb(GREEN), 1, cv2.LINE_AA, _SHIFT)
        cv2.circle(canvas, tuple(map(int, fixed[-1])), 2 << _SHIFT, rgb(GREEN), -1, cv2.LINE_AA, _SHIFT)
    return np.asarray(canvas, dtype=np.uint8)


def _draw_image(ax: Axes, moment: Moment) -> None:
    ax.clear()
    ax.imshow(moment.picture)
    ax.set_axis_off()
    name = moment.state.name.replace("_", " ").lower()
    ax.text(
        8, 12, name, va="top", fontsize=10, color=INK, bbox={"fc": STATE_COLOURS[moment.state], "ec": "none"}
    )


def _draw_space(ax: Axes, poses: Float64, i: int, truth: Float64 | None) -> None:
    """The path up to frame ``i`` and the camera there as a pyramid."""
    ax.clear()
    everything = _seen(poses[:, :3, 3] if truth is None else np.concatenate([poses[:, :3, 3], truth]))
    extent = float(np.ptp(everything, axis=0).max()) or 1.0
    if truth is not None:
        ax.plot(*_seen(truth).T, color=GREY, lw=4, alpha=0.35, solid_capstyle="round")
    ax.plot(*_seen(poses[: i + 1, :3, 3]).T, color=BLUE, lw=1.4)
    corners = 0.16 * extent * np.array([[-0.8, -0.6, 1], [0.8, -0.6, 1], [0.8, 0.6, 1], [-0.8, 0.6, 1]])
    at, tips = poses[i, :3, 3], corners @ poses[i, :3, :3].T + poses[i, :3, 3]
    edges = [[at, tip] for tip in tips] + [[tips[k], tips[(k + 1) % 4]] for k in range(4)]
    lines = [_seen(np.array(edge)) for edge in edges]
    ax.add_collection(LineCollection([line.tolist() for line in lines], colors=INK, lw=1))
    ax.plot(*_seen(tips[:2]).T, color=STATE_COLOURS[State.LOST], lw=2)  # the image's upper edge
    middle = (everything.max(axis=0) + everything.min(axis=0)) / 2
    ax.set_xlim(middle[0] - 0.68 * extent, middle[0] + 0.68 * extent)
    ax.set_ylim(middle[1] - 0.68 * extent, middle[1] + 0.68 * extent)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _draw_speed(ax: Axes, seconds: Float64, poses: Float64, states: list[State]) -> None:
    """How fast the camera turns, with the states as a band above."""
    rate = rotation_errors_deg(poses[:-1], poses[1:]) / np.diff(seconds)
    ax.fill_between(seconds[1:], rate, color=GREY, alpha=0.35, lw=0)
    for begin, end, state in zip(seconds, seconds[1:], states, strict=False):
        ax.axvspan(begin, end, ymin=0.9, color=STATE_COLOURS[state], lw=0)
    ax.set_xlim(0, seconds[-1])
    ax.set_ylim(0, 1.15 * float(rate.max()) or 1.0)
    ax.set_ylabel("turning [deg/s]", fontsize=8)
    ax.set_xlabel("time [s]", fontsize=8)
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def _seen(points: Float64) -> Float64:
    """Parallel projection (N, 2) of points (N, 3) in camera axes (x right, y down, z forward)."""
    x, y, z = points.T
    ahead = np.cos(_YAW) * z - np.sin(_YAW) * x
    return np.stack(
        [np.cos(_YAW) * x + np.sin(_YAW) * z, np.sin(_PITCH) * ahead - np.cos(_PITCH) * y], axis=1
    )

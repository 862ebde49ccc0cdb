# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A run as one picture (path, errors, states, an image with features), and the curve of an endurance run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.errors import extra
from hybrid_features_ros.core.types import Features, Float64, State, Trajectory
from hybrid_features_ros.evaluation.metrics import rotation_errors_deg
from hybrid_features_ros.io.trajectory import align, associate
from hybrid_features_ros.visualization.palette import BLUE, GREEN, GREY, INK, ORANGE, RED, STATE_COLOURS

with extra("eval"):
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection, PatchCollection
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle, Patch


@dataclass(frozen=True, eq=False)
class TrackedImage:
    """An image and what was found in it.

    Attributes:
        image: (H, W) or (H, W, 3) uint8, grey or BGR.
        features: of that image; None draws the image alone.
        inliers: rows of the features that agreed with the motion.
    """

    image: NDArray[Any]
    features: Features | None = None
    inliers: NDArray[np.int32] | None = None


@dataclass(frozen=True, eq=False)
class RunSummary:
    """A run to be drawn.

    Attributes:
        estimate: camera poses; aligned to the truth when drawn, by the similarity of least squares.
        truth: None leaves the errors out.
        states: state of every image by its stamp [ns].
        shown: one of the images.
    """

    estimate: Trajectory
    truth: Trajectory | None
    states: Sequence[tuple[int, State]]
    shown: TrackedImage


def draw_summary(path: Path, run: RunSummary, title: str, lines: Sequence[str]) -> None:
    """Draw the trajectory against the truth, errors and states over time, and a frame with its features.

    Args:
        path: PNG to write.
        title, lines: above and below.
    """
    figure = Figure(figsize=(12, 8.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 2, height_ratios=[5, 2.3, 0.75], width_ratios=[1, 1.08])
    paths = grid[0, 0].subgridspec(2, 1, height_ratios=[1.5, 1])
    above, side = figure.add_subplot(paths[0]), figure.add_subplot(paths[1])
    estimate, begin = run.estimate, int(run.estimate.stamps[0])
    true: Trajectory | None = None
    if run.truth is not None:
        found, true = associate(estimate, run.truth)
        estimate = align(found.poses[:, :3, 3], true.poses[:, :3, 3], True).apply(found)
    _draw_paths(above, side, estimate, true)
    _draw_frame(figure.add_subplot(grid[0, 1]), run.shown)
    errors = figure.add_subplot(grid[1, :])
    _draw_motion(errors, estimate, true, begin)
    _draw_states(figure.add_subplot(grid[2, :], sharex=errors), run.states, begin)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=INK)
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=9, color=INK)
    figure.savefig(path)


def _draw_paths(first: Axes, second: Axes, estimate: Trajectory, truth: Trajectory | None) -> None:
    """The path seen along the direction in which it spreads least, and along the one next to it."""
    shown = truth if truth is not None else estimate
    centre = shown.poses[:, :3, 3].mean(axis=0)
    axes = np.linalg.svd(shown.poses[:, :3, 3] - centre, full_matrices=False)[2]
    for ax, (i, j), name in ((first, (0, 1), "widest view"), (second, (0, 2), "from the side")):
        if truth is not None:
            p = (truth.poses[:, :3, 3] - centre) @ axes.T
            ax.plot(p[:, i], p[:, j], color=GREY, lw=3, alpha=0.6, label="truth", solid_capstyle="round")
        p = (estimate.poses[:, :3, 3] - centre) @ axes.T
        ax.plot(p[:, i], p[:, j], color=BLUE, lw=1.4, label="estimate")
        ax.plot(*p[0, [i, j]], "o", color=INK, ms=5, label="start")
        ax.set_title(f"Camera path, {name}", fontsize=10, loc="left")
        ax.set_aspect("equal", adjustable="datalim")
        ax.set_xlabel("m" if truth is not None else "m (scale assumed)")
        _calm(ax)
    first.legend(frameon=False, fontsize=8, loc="best")


def _draw_frame(ax: Axes, shown: TrackedImage) -> None:
    image, features = shown.image, shown.features
    gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    ax.imshow(gray, cmap="gray", vmin=-60, vmax=300, interpolation="lanczos")
    ax.set_axis_off()
    if features is None:
        ax.set_title("A frame", fontsize=10, loc="left")
        return
    agreed = np.zeros(len(features), np.bool_)
    if shown.inliers is not None:
        agreed[shown.inliers] = True
    for chosen, colour, width in ((~agreed, ORANGE, 0.5), (agreed, GREEN, 0.9)):
        points, radius = features.points[chosen], 2.5 * features.scales[chosen]
        angle = np.nan_to_num(features.angles[chosen])
        tips = points + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        circles = [Circle((float(x), float(y)), float(r)) for (x, y), r in zip(points, radius, strict=True)]
        ax.add_collection(PatchCollection(circles, facecolor="none", edgecolor=colour, lw=width))
        ax.add_collection(LineCollection(np.stack([points, tips], axis=1), colors=colour, lw=width))  # type: ignore[arg-type]
    ax.set_xlim(-0.5, features.width - 0.5)
    ax.set_ylim(features.height - 0.5, -0.5)
    ax.set_title(
        f"{len(features)} features (circle: scale, line: orientation); green agree with the motion",
        fontsize=10, loc="left",
    )  # fmt: skip


def _draw_motion(ax: Axes, estimate: Trajectory, truth: Trajectory | None, begin: int) -> None:
    """Speed of turning, and how far orientation and position are from the truth."""
    reference = truth if truth is not None else estimate
    seconds = (estimate.stamps - begin) * 1e-9
    turned = rotation_errors_deg(reference.poses[:-1], reference.poses[1:])
    rate = turned / np.diff(seconds)
    ax.fill_between(seconds[1:], rate, color=GREY, alpha=0.25, lw=0)
    ax.set_ylabel("turning [deg/s]", color=GREY)
    ax.set_ylim(0, None)
    _calm(ax)
    ax.tick_params(labelbottom=False)
    if truth is None:
        return
    handles = []
    for offset, colour, label, values in (
        (0, BLUE, "orientation error [deg]", _orientation_errors(estimate, truth)),
        (60, RED, "position error [cm]",
         100 * np.linalg.norm(estimate.poses[:, :3, 3] - truth.poses[:, :3, 3], axis=1)),
    ):  # fmt: skip
        twin = ax.twinx()
        twin.spines["right"].set_position(("outward", offset))
        handles += twin.plot(seconds, values, color=colour, lw=1.2, label=label)
        twin.set_ylabel(label, color=colour)
        twin.tick_params(axis="y", colors=colour)
        twin.set_ylim(0, 1.15 * max(float(values.max()), 1e-3))
        for name in ("top", "left"):
            twin.spines[name].set_visible(False)


def _orientation_errors(estimate: Trajectory, truth: Trajectory) -> Float64:
    """Angles (N,) [deg] to the truth, both counted from the first pose."""
    return rotation_errors_deg(
        np.linalg.inv(estimate.poses[0]) @ estimate.poses, np.linalg.inv(truth.poses[0]) @ truth.poses
    )


def _draw_states(ax: Axes, states: Sequence[tuple[int, State]], begin: int) -> None:
    seconds = [(stamp - begin) * 1e-9 for stamp, _ in states]
    for i, (_, state) in enumerate(states):
        end = seconds[i + 1] if i + 1 < len(seconds) else seconds[i] + 0.05
        ax.axvspan(seconds[i], end, color=STATE_COLOURS[state], lw=0)
    seen = [s for s in State if any(s is state for _, state in states)]
    patches = [Patch(color=STATE_COLOURS[s], label=s.name.replace("_", " ").lower()) for s in seen]
    ax.legend(
        handles=patches,
        ncol=len(patches),
        frameon=False,
        fontsize=8,
        loc="upper left",
        bbox_to_anchor=(0, -0.55),
    )
    ax.set_yticks([])
    ax.set_ylabel("state", rotation=0, ha="right", va="center")
    ax.set_xlabel("time [s]", loc="right")
    for name in ("top", "right", "left"):
        ax.spines[name].set_visible(False)


def _calm(ax: Axes) -> None:
    for name in ("top", "right"):
        ax.spines[name].set_visible(False)
    ax.grid(color="#e8e8e8", lw=0.6)
    ax.set_axisbelow(True)


def draw_endurance(path: Path, milliseconds: Sequence[float], landmarks: Sequence[int]) -> None:
    """Cost of a frame [ms] and size of the map for every minute of a walk, as PNG."""
    figure = Figure(figsize=(8, 3.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    cost = figure.add_subplot()
    size = cost.twinx()
    time = np.arange(1, len(milliseconds) + 1)
    cost.plot(time, milliseconds, color=BLUE)
    size.plot(time, landmarks, color=ORANGE)
    cost.set_ylabel("median frame [ms of one core]", color=BLUE)
    size.set_ylabel("landmarks of known depth", color=ORANGE)
    cost.set_xlabel("minutes of a walk in circles, ten frames a second", color=GREY)
    for ax in (cost, size):
        ax.set_ylim(0, 1.15 * ax.dataLim.y1)
        ax.spines["top"].set_visible(False)
    figure.savefig(path)

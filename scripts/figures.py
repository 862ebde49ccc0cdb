#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Draw the figures of docs/algorithm.md and the moving picture of README, all from the rendered room.

``make figures`` runs this; what was rendered and evaluated before is used again.
"""

from __future__ import annotations

import argparse
import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from hybrid_features_ros.core.config import Config, FeatureConfig
from hybrid_features_ros.core.types import State
from hybrid_features_ros.evaluation.evaluate import Mode, evaluate, with_mode
from hybrid_features_ros.features import make_extractor
from hybrid_features_ros.features.detector import SCALE
from hybrid_features_ros.features.patches import SIDE, SPACING
from hybrid_features_ros.io.source import Source
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.io.trajectory import align, associate
from hybrid_features_ros.matching.pair import match_images
from hybrid_features_ros.simulation.render import render_sequence
from hybrid_features_ros.visualization.animation import TrackFilm
from hybrid_features_ros.visualization.draw import draw_features, draw_matches
from hybrid_features_ros.visualization.gallery import FrameGallery
from hybrid_features_ros.visualization.palette import BLUE, GREEN, GREY, INK, ORANGE, STATE_COLOURS
from hybrid_features_ros.visualization.report import Run, read_page, write_report

TURN_DEG = 70
PATCHES = 12
FILM_STRIDE = 2  # frames of the recording from one picture of the film to the next
FILM_QUALITY = 35  # of its WebP


def main() -> None:
    """Draw everything into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("results/figures"), help="sequence and run")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="folder of the figures")
    given = parser.parse_args()
    source = open_source(render_sequence(given.work / "room"))
    film = given.work / "turning.webp"
    if not film.exists():
        draw_film(film, source)
    one, depth = (_run(source, given.work, mode) for mode in ("mono", "rgbd"))
    image = next(f.image for i, f in enumerate(source) if i == len(source) // 4)
    given.out.mkdir(parents=True, exist_ok=True)
    shutil.copy(film, given.out)
    draw_detection(given.out, image)
    draw_patches(given.out, image)
    draw_matching(given.out, image)
    draw_motion(given.out, one)
    draw_tracking(given.out, one)
    draw_path(given.out, depth)
    draw_uncertainty(given.out, depth)


def _run(source: Source, work: Path, mode: Mode) -> Run:
    if not (work / mode / "report.html").exists():
        frames = slice(None, None, 2 if mode == "rgbd" else 1)
        gallery = FrameGallery(source.stamps[frames])
        evaluation = evaluate(source, with_mode(Config(), mode), frames, watchers=[gallery])
        write_report(work / mode, evaluation, gallery.snapshots)
    return read_page(work / mode)[0]


def draw_film(path: Path, source: Source) -> None:
    """The moving picture at the top of README, at the speed of the recording; leaves the run beside it."""
    film, gallery = TrackFilm(), FrameGallery(source.stamps)
    run = evaluate(source, Config(), watchers=[film, gallery])
    write_report(path.parent / "mono", run, gallery.snapshots)
    assert run.truth is not None
    found, true = associate(run.trajectory, run.truth)
    positions = align(true.poses[:, :3, 3], found.poses[:, :3, 3], True).apply(true).poses[:, :3, 3]
    pictures = [Image.fromarray(frame) for frame in film.frames(FILM_STRIDE, positions)]
    milliseconds = round(FILM_STRIDE * float(np.median(np.diff(source.stamps))) * 1e-6)
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0, quality=FILM_QUALITY,
        method=4,
    )  # fmt: skip
    print(path)


def draw_detection(out: Path, image: Any) -> None:
    """The same keypoints on an image and on its turned copy."""
    extractor = make_extractor(FeatureConfig(extractor="hybrid", max_keypoints=250))
    with figure(out / "detection.jpg", 9.6, 3.9, 1, 2) as axes:
        for ax, shown, title in (
            (axes[0], image, "an image"),
            (axes[1], turned(image), f"turned by {TURN_DEG}°"),
        ):
            drawn = draw_features((0.5 * shown + 90).astype(np.uint8), extractor.extract(shown))
            ax.imshow(drawn[..., ::-1])
            ax.set_title(f"{title}: circle = scale, line = orientation", fontsize=9, loc="left")
            ax.set_axis_off()


def draw_matching(out: Path, image: Any) -> None:
    """Matches between an image and its turned copy."""
    extractor = make_extractor(FeatureConfig(extractor="hybrid", max_keypoints=300))
    other = turned(image)
    pair = match_images(extractor, image, other)
    with figure(out / "matching.jpg", 9.6, 3.9, 1, 1) as (ax,):
        ax.imshow(draw_matches(image, other, pair.a, pair.b, pair.matches)[..., ::-1])
        ax.set_title(
            f"{len(pair)} matches of {len(pair.a)} and {len(pair.b)} features", fontsize=9, loc="left"
        )
        ax.set_axis_off()


def draw_patches(out: Path, image: Any) -> None:
    """Oriented patches of the same keypoints in an image and in its turned copy."""
    extractor = make_extractor(FeatureConfig(extractor="hybrid", max_keypoints=300))
    other = turned(image)
    pair = match_images(extractor, image, other)
    best = np.argsort(-pair.matches.scores, kind="stable")[:PATCHES]
    rows = (
        (image, pair.a, pair.matches.index_a[best], "an image"),
        (other, pair.b, pair.matches.index_b[best], f"turned by {TURN_DEG}°"),
    )
    with figure(out / "patches.png", 9.6, 2.2, 2, PATCHES) as axes:
        for r, (picture, features, chosen, title) in enumerate(rows):
            for c, i in enumerate(chosen):
                ax = axes[r * PATCHES + c]
                ax.imshow(
                    _patch(picture, features.points[i], features.scales[i], features.angles[i]), cmap="gray"
                )
                ax.set_xticks([])
                ax.set_yticks([])
            axes[r * PATCHES].set_ylabel(title, fontsize=8)


def _patch(image: Any, point: Any, scale: float, angle: float, side: int = 60) -> Any:
    """(side, side) grey values around a keypoint, turned by its orientation, of its descriptor's extent."""
    reach = SIDE * SPACING * scale / SCALE / side  # pixels of the image from one sample to the next
    c, s = reach * np.cos(angle), reach * np.sin(angle)
    middle = (side - 1) / 2
    M = np.array([[c, -s, point[0] - (c - s) * middle], [s, c, point[1] - (s + c) * middle]])
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    return cv2.warpAffine(gray, M, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def draw_tracking(out: Path, run: Run) -> None:
    """The picture of the frame that turned fastest among those that the run kept."""
    seconds, turning = np.array(run["seconds"]), np.array(run["turning"])
    shot = max(run["shots"], key=lambda s: turning[np.abs(seconds - s["t"]).argmin()])
    (out / "tracking.jpg").write_bytes(base64.b64decode(shot["jpeg"]))
    print(out / "tracking.jpg")


def draw_motion(out: Path, run: Run) -> None:
    """How fast the camera turns, and what the odometry says about each image."""
    seconds = np.array(run["seconds"])
    with figure(out / "motion.png", 9.6, 3.0, 1, 1) as (ax,):
        ax.fill_between(seconds, run["turning"], color=GREY, alpha=0.35, lw=0, label="turning [deg/s]")
        ax.set_ylabel("turning [deg/s]")
        top = 1.12 * max(run["turning"])
        for begin, end, state in zip(
            seconds, np.append(seconds[1:], seconds[-1]), run["states"], strict=True
        ):
            ax.axvspan(begin, end, ymin=0.93, color=STATE_COLOURS[State(state)], lw=0)
        ax.set_ylim(0, top)
        for state in sorted(set(run["states"])):
            name = State(state).name.replace("_", " ").lower()
            ax.plot([], [], color=STATE_COLOURS[State(state)], lw=6, label=name)
        twin = ax.twinx()
        twin.plot(seconds, run["inliers"], color=INK, lw=0.9)
        twin.set_ylabel("inliers")
        twin.set_ylim(0, 1.1 * max(run["inliers"]))
        ax.set_xlabel("time [s]")
        ax.legend(fontsize=8, frameon=False, ncol=4, loc="upper left", bbox_to_anchor=(0, -0.18))


def draw_path(out: Path, run: Run) -> None:
    """The path from above with the way the camera looks, and the truth."""
    path, forward, truth = (np.array(run[k], float) for k in ("path", "forward", "truth"))
    with figure(out / "path.png", 7.2, 4.4, 1, 1) as (ax,):
        ax.plot(truth[:, 0], truth[:, 1], color=GREY, lw=5, alpha=0.5, label="truth")
        ax.plot(path[:, 0], path[:, 1], color=BLUE, lw=1.4, label="estimate")
        some = slice(None, None, max(1, len(path) // 40))
        ax.quiver(*path[some, :2].T, *forward[some, :2].T, color=GREEN, width=0.003, scale=22, label="looks")
        ax.set_aspect("equal", adjustable="datalim")
        ax.set_xlabel("m")
        ax.legend(fontsize=8, frameon=False)


def draw_uncertainty(out: Path, run: Run) -> None:
    """Errors of position beside the estimated standard deviation."""
    with figure(out / "uncertainty.png", 9.6, 2.6, 1, 1) as (ax,):
        ax.plot(
            run["seconds"],
            100 * np.array(run["errors"]["position"], float),
            color=BLUE,
            lw=1.2,
            label="error",
        )
        ax.plot(
            run["seconds"],
            100 * np.array(run["sigma"], float),
            color=ORANGE,
            lw=1.2,
            label="standard deviation",
        )
        ax.set_ylabel("position [cm]")
        ax.set_xlabel("time [s]")
        ax.legend(fontsize=8, frameon=False, ncol=2)


def turned(image: Any) -> Any:
    """The image (H, W, 3) turned about its centre."""
    height, width = image.shape[:2]
    M = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), TURN_DEG, 1.0)
    return cv2.warpAffine(image, M, (width, height), borderValue=(128, 128, 128))


@contextmanager
def figure(path: Path, width: float, height: float, rows: int, columns: int) -> Iterator[list[Axes]]:
    """Axes of a figure that is saved at the end."""
    drawing = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(drawing)
    axes = [drawing.add_subplot(rows, columns, i + 1) for i in range(rows * columns)]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    yield axes
    drawing.savefig(path)
    print(path)


if __name__ == "__main__":
    main()

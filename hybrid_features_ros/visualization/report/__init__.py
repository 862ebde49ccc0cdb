# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The report: one page with everything inside it, readable without a network and by `report` again."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hybrid_features_ros.core.config import Config, options
from hybrid_features_ros.core.errors import InputError, reading
from hybrid_features_ros.core.types import Bool, Float64, State
from hybrid_features_ros.evaluation.evaluate import MAX_GAP_NS, Evaluation, stages
from hybrid_features_ros.evaluation.metrics import rotation_errors_deg
from hybrid_features_ros.evaluation.results import write_results
from hybrid_features_ros.io.trajectory import align, interpolate
from hybrid_features_ros.visualization.gallery import Snapshot
from hybrid_features_ros.visualization.palette import STATE_COLOURS

Run = Mapping[str, Any]
FORMAT = 1  # of the data inside a page
_DATA = re.compile(r'<script id="data" type="application/json">(.*?)</script>', re.DOTALL)


def write_report(out: Path, evaluation: Evaluation, snapshots: Sequence[Snapshot]) -> None:
    """Write everything about one run into a folder: :func:`.write_results` and ``report.html``.

    Raises:
        InputError: the folder cannot be made, or the sequence had no frame.
    """
    write_results(out, evaluation)
    write_page(out / "report.html", [run_data(evaluation, snapshots)])


def run_data(evaluation: Evaluation, snapshots: Sequence[Snapshot] = ()) -> Run:
    """Everything that a page shows of one run, as JSON; numbers are rounded to what a screen can show.

    Positions are those of the camera, aligned to the truth where there is one, in axes whose z is up [m];
    times are seconds since the first frame.
    """
    results = evaluation.results
    begin = results[0].stamp
    poses, true, known, scale = _aligned(evaluation)
    upright = _upright(poses if true is None else true[known])
    seconds = np.array([(r.stamp - begin) * 1e-9 for r in results])
    rate = rotation_errors_deg(poses[:-1], poses[1:]) / np.diff(seconds) if len(poses) > 1 else np.zeros(0)
    sigmas = [scale * math.sqrt(max(float(np.trace(r.covariance[:3, :3])), 0.0)) for r in results]
    reasons = list(dict.fromkeys(r.reason for r in results))
    return {
        "format": FORMAT,
        "name": evaluation.name,
        "metrics": evaluation.report,
        "seconds": _rounded(seconds, 6),
        "states": [int(r.state) for r in results],
        "reasons": reasons,
        "reason": [reasons.index(r.reason) for r in results],
        "keypoints": [r.keypoints for r in results],
        "matches": [len(r.matches) for r in results],
        "inliers": [int(r.motion.inliers.sum()) for r in results],
        "landmarks": [r.landmarks for r in results],
        "ms": {name: _rounded(times, 3) for name, times in stages(results, evaluation.extract_ms).items()},
        "path": _rows(poses[:, :3, 3] @ upright.T),
        "forward": _rows(poses[:, :3, 2] @ upright.T, 3),
        "right": _rows(poses[:, :3, 0] @ upright.T, 3),
        "truth": None if true is None else _rows(_masked(true[:, :3, 3] @ upright.T, known[:, None])),
        "errors": _errors(poses, true, known),
        "sigma": _rounded(sigmas),
        "turning": _rounded([0.0, *rate]),
        "shots": [
            {
                "t": round((s.stamp - begin) * 1e-9, 3),
                "features": s.features,
                "inliers": s.inliers,
                "jpeg": base64.b64encode(s.jpeg).decode(),
            }
            for s in snapshots
        ],
    }  # fmt: skip


def _errors(poses: Float64, true: Float64 | None, known: Bool) -> dict[str, Any]:
    """Of every frame whose truth is known: position [m], and orientation since the first of them [deg]."""
    if true is None:
        return {"position": None, "orientation": None}
    distance = np.linalg.norm(poses[:, :3, 3] - true[:, :3, 3], axis=1)
    first = int(np.flatnonzero(known)[0])
    turned = rotation_errors_deg(np.linalg.inv(poses[first]) @ poses, np.linalg.inv(true[first]) @ true)
    return {
        "position": _rounded(_masked(distance, known)),
        "orientation": _rounded(_masked(turned, known)),
    }


def write_page(path: Path, runs: Sequence[Run]) -> None:
    """Write one page about one or several runs; it needs no other file and no network.

    Raises:
        InputError: the file cannot be written.
    """
    parts = resources.files(__package__)
    content = {
        "runs": runs,
        "states": [s.name.replace("_", " ").lower() for s in State],
        "defaults": {o.name: o.value for o in options(Config())},
    }
    # A "<" inside the data could end the script element that holds it.
    data = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    title = " · ".join(str(r["name"]) for r in runs).replace("&", "&amp;").replace("<", "&lt;")
    page = (parts / "page.html").read_text(encoding="utf-8")
    for mark, text in (
        ("{{title}}", title),
        ("{{style}}", (parts / "page.css").read_text(encoding="utf-8")),
        ("{{states}}", " ".join(f"--s{int(state)}: {colour};" for state, colour in STATE_COLOURS.items())),
        ("{{script}}", (parts / "page.js").read_text(encoding="utf-8")),
        ("{{data}}", data),
    ):
        page = page.replace(mark, text, 1)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot write: {error.strerror}") from None


def read_page(path: Path) -> list[Run]:
    """The runs inside a page, or inside the ``report.html`` of a folder of results.

    Raises:
        InputError: there is no such page, or it was made by another version.
    """
    file = path / "report.html" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{path}: no report.html; make one with `hybrid-features evaluate SEQUENCE`")
    found = _DATA.search(file.read_text(encoding="utf-8", errors="replace"))
    with reading(file, "run `hybrid-features evaluate` again"):
        runs: list[Run] = json.loads(found.group(1))["runs"] if found else []
    if not runs or any(r.get("format") != FORMAT for r in runs):
        raise InputError(
            f"{file}: not a report that this version reads; run `hybrid-features evaluate` again"
        )
    return runs


def _aligned(evaluation: Evaluation) -> tuple[Float64, Float64 | None, Bool, float]:
    """Poses (N, 4, 4) in the truth's frame, the truth at their stamps, where it is known, and the scale."""
    estimate, truth = evaluation.trajectory, evaluation.truth
    if truth is None:
        return estimate.poses, None, np.ones(len(estimate), np.bool_), 1.0
    true, known = interpolate(truth, estimate.stamps, MAX_GAP_NS)
    similarity = align(estimate.poses[known, :3, 3], true[known, :3, 3], evaluation.mode == "mono")
    return similarity.apply(estimate).poses, true, known, similarity.scale


def _upright(poses: Float64) -> Float64:
    """Rotation (3, 3) to axes whose z points up: against the cameras' mean down, or, for a camera that
    rolls all around, along the direction in which it moved least.
    """
    down = poses[:, :3, 1].mean(axis=0)
    up = -down / max(float(np.linalg.norm(down)), 1e-9)
    if np.linalg.norm(down) < 0.3:
        up = np.linalg.svd(poses[:, :3, 3] - poses[:, :3, 3].mean(axis=0))[2][2]
    forward = poses[0, :3, 2] - up * (up @ poses[0, :3, 2])
    if np.linalg.norm(forward) < 1e-6:
        forward = np.cross(up, [1.0, 0.0, 0.0]) + np.cross(up, [0.0, 1.0, 0.0])
    y = forward / np.linalg.norm(forward)
    return np.stack([np.cross(y, up), y, up])


def _masked(values: Float64, known: Bool) -> Float64:
    return np.where(known, values, np.nan)


def _rounded(values: ArrayLike, digits: int = 4) -> list[float | None]:
    return [round(v, digits) if math.isfinite(v) else None for v in np.asarray(values, float).tolist()]


def _rows(values: Float64, digits: int = 4) -> list[list[float | None]]:
    return [_rounded(row, digits) for row in values]

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A run streamed to Rerun (https://rerun.io): images, features, matches, trajectory and covariance."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError, extra
from hybrid_features_ros.core.types import Float64, Trajectory
from hybrid_features_ros.evaluation.run import Step
from hybrid_features_ros.visualization.palette import GREEN, GREY, INLIER, OUTLIER, STATE_COLOURS, rgb
from hybrid_features_ros.visualization.tracks import PointHistory

QUALITY = 80  # of the JPEG images


class RerunView:
    """Writes what an evaluation sees into a ``.rrd`` file, without a window; ``rerun FILE`` shows it.

    Args:
        path: file to write.
        name: of the recording.
        camera: of the images.
        truth: drawn beside the estimate, moved to begin where that begins; None draws nothing.

    Raises:
        InputError: rerun-sdk is not installed, or the file cannot be written.
    """

    def __init__(self, path: Path, name: str, camera: Camera, truth: Trajectory | None) -> None:
        with extra("rerun"):
            import rerun
        if not path.parent.is_dir():
            raise InputError(f"{path}: no such folder; make it first")
        self._rr: Any = rerun
        self._to: Any = rerun.RecordingStream("hybrid_features_ros", recording_id=name)
        self._to.save(str(path), default_blueprint=_layout())
        self._camera = camera
        self._truth = truth
        self._history = PointHistory(sys.maxsize)
        self._path: list[Float64] = []
        # The first camera's axes: x right, y down, z forward.
        self._to.log("world", rerun.ViewCoordinates.RDF, static=True)

    def see(self, step: Step) -> None:
        """Log one frame at its stamp."""
        rr, to, result, features = self._rr, self._to, step.result, step.features
        to.set_time("time", timestamp=np.datetime64(step.frame.stamp, "ns"))
        if not self._path:
            self._log_truth(step)
        T = result.T_world_camera
        colour = rgb(STATE_COLOURS[result.state])
        self._path.append(T[:3, 3].copy())
        to.log("world/camera", rr.Transform3D(translation=T[:3, 3], mat3x3=T[:3, :3]))
        to.log(
            "world/camera/image",
            rr.Pinhole(
                image_from_camera=self._camera.K, width=self._camera.width, height=self._camera.height
            ),
        )
        encoded = cv2.imencode(".jpg", step.frame.image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
        to.log("world/camera/image", rr.EncodedImage(contents=encoded.tobytes(), media_type="image/jpeg"))
        self._log_features(step)
        if len(self._path) > 1:
            to.log("world/path", rr.LineStrips3D([np.array(self._path)], colors=[rgb(GREEN)]))
        to.log("world/uncertainty", self._ellipsoid(T, result.covariance, colour))
        to.log("state", rr.TextLog(f"{result.state.name} {result.reason}".strip(), color=colour))
        to.log("counts/keypoints", rr.Scalars(float(len(features))))
        to.log("counts/inliers", rr.Scalars(float(result.motion.inliers.sum())))
        for stage, spent in {"extract": step.extract_ms, **result.milliseconds}.items():
            to.log(f"milliseconds/{stage}", rr.Scalars(float(spent)))

    def close(self) -> None:
        """Write what is still in memory."""
        self._to.disconnect()

    def _log_features(self, step: Step) -> None:
        features, result = step.features, step.result
        tracks = np.stack(self._history.add(result, features), axis=1)
        colours = np.tile(np.array([rgb(OUTLIER)], np.uint8), (len(features), 1))
        colours[result.matches.index_b[result.motion.inliers]] = rgb(INLIER)
        radii = np.maximum(0.3 * features.scales, 1.0)
        circles = self._rr.Points2D(features.points, colors=colours, radii=radii)
        self._to.log("world/camera/image/features", circles)
        if len(tracks):
            strips = self._rr.LineStrips2D(tracks, colors=[rgb(INLIER)])
            self._to.log("world/camera/image/matches", strips)

    def _log_truth(self, step: Step) -> None:
        """The true path, moved to begin where the estimate begins; its scale stays as it is."""
        if self._truth is None:
            return
        first = int(np.abs(self._truth.stamps - step.frame.stamp).argmin())
        move = step.result.T_world_camera @ se3.inverse(self._truth.poses[first])
        points = (move @ self._truth.poses)[:, :3, 3]
        self._to.log("world/truth", self._rr.LineStrips3D([points], colors=[rgb(GREY)]), static=True)

    def _ellipsoid(self, T: Float64, covariance: Float64, colour: tuple[int, int, int]) -> Any:
        """Where the camera is with one standard deviation, in the world's axes."""
        R = T[:3, :3]
        values, axes = np.linalg.eigh(se3.symmetric(R @ covariance[:3, :3] @ R.T))
        axes[:, 0] *= np.sign(np.linalg.det(axes))
        return self._rr.Ellipsoids3D(
            centers=[T[:3, 3]],
            half_sizes=[np.sqrt(np.maximum(values, 0.0))],
            quaternions=[se3.to_quaternion(se3.make(axes, np.zeros(3)))],
            colors=[colour],
        )


def _layout() -> Any:
    """The path beside the image; below, what each frame cost, how much it matched, and the states."""
    from rerun import blueprint as rrb

    return rrb.Blueprint(
        rrb.Vertical(
            rrb.Horizontal(
                rrb.Spatial3DView(origin="world", name="path"),
                rrb.Spatial2DView(origin="world/camera/image", name="image"),
            ),
            rrb.Horizontal(
                rrb.TimeSeriesView(origin="milliseconds"),
                rrb.TimeSeriesView(origin="counts"),
                rrb.TextLogView(origin="state"),
            ),
            row_shares=[3, 2],
        ),
        rrb.SelectionPanel(state="collapsed"),
    )

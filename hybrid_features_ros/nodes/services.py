# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What an operator may ask of the odometry."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from std_srvs.srv import Trigger

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Float64
from hybrid_features_ros.nodes import conversions
from hybrid_features_ros.nodes.trajectory_log import TrajectoryLog
from hybrid_features_ros.srv import ResetToPose, SaveTrajectory


class Operable(Protocol):
    """What an operator acts on: :class:`~hybrid_features_ros.nodes.odometry_node.OdometryNode`.

    Attributes:
        paused: images are ignored.
        log: poses so far.
    """

    paused: bool
    log: TrajectoryLog
    create_service: Any

    def reset(self, T_odom_base: Float64 | None = None) -> None:
        """Forget the map; continue from the last pose, or from the given one (4, 4)."""
        ...


def offer_services(node: Operable) -> None:
    """Create ``~/reset``, ``~/reset_to_pose``, ``~/pause``, ``~/resume`` and ``~/save_trajectory``.

    What they raise becomes the answer, see :meth:`ManagedNode.create_service`.
    """

    def reset(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        node.reset()
        response.success, response.message = True, "continues from the last pose"
        return response

    def reset_to_pose(request: ResetToPose.Request, response: ResetToPose.Response) -> ResetToPose.Response:
        T_odom_base = conversions.pose_from_msg(request.pose)
        if not np.isfinite(T_odom_base).all():
            raise InputError("the pose is not finite")
        node.reset(T_odom_base)
        response.success = True
        return response

    def pause(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        node.paused = True
        response.success, response.message = True, "images are ignored until ~/resume"
        return response

    def resume(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        node.paused = False
        response.success, response.message = True, "images are used again"
        return response

    def save(request: SaveTrajectory.Request, response: SaveTrajectory.Response) -> SaveTrajectory.Response:
        response.poses = node.log.save(Path(request.path).expanduser(), request.format)
        response.success = True
        return response

    node.create_service(Trigger, "~/reset", reset)
    node.create_service(ResetToPose, "~/reset_to_pose", reset_to_pose)
    node.create_service(Trigger, "~/pause", pause)
    node.create_service(Trigger, "~/resume", resume)
    node.create_service(SaveTrajectory, "~/save_trajectory", save)

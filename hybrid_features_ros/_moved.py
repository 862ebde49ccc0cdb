# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Names of modules as they were in version 0.1: they still import, with a DeprecationWarning, until 0.3."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

PACKAGE = __package__
MOVED = {
    "types": "core.types",
    "camera": "core.camera",
    "pose": "core.se3",
    "config": "core.config",
    "errors": "core.errors",
    "features.handcrafted": "features.sift",
    "pair": "matching.pair",
    "odometry.matching": "matching.mutual",
    "odometry.two_view": "geometry.model_selection",
    "odometry.plane": "geometry.homography",
    "odometry.pnp": "geometry.pnp",
    "odometry.view": "odometry.frame",
    "odometry.prediction": "odometry.motion_model",
    "odometry.tracking": "odometry.tracker",
    "odometry.unmapped": "odometry.initializer",
    "odometry.resection": "odometry.pose_optimizer",
    "odometry.mapping": "odometry.mapper",
    "odometry.bundle": "odometry.bundle_adjustment",
    "odometry.uncertainty": "odometry.covariance",
    "odometry.published": "odometry.pose_smoother",
    "odometry.tracked": "odometry.tracking_result",
    "evaluation.source": "io.source",
    "evaluation.sources": "io.sources",
    "evaluation.folders": "io.folders",
    "evaluation.bags": "io.bags",
    "evaluation.trajectory": "io.trajectory",
    "evaluation.datasets": "io.datasets",
    "evaluation.scene": "simulation.scene",
    "evaluation.render": "simulation.render",
    "evaluation.pano": "simulation.pano",
    "evaluation.paths": "simulation.paths",
    "evaluation.rotation": "benchmarks.rotation",
    "evaluation.homography": "benchmarks.homography",
    "evaluation.speed": "benchmarks.speed",
    "evaluation.consistency": "benchmarks.consistency",
    "evaluation.endurance": "benchmarks.endurance",
    "evaluation.tables": "benchmarks.tables",
    "evaluation.bench": "benchmarks.bench",
    "evaluation.agreement": "benchmarks.agreement",
    "evaluation.yardsticks": "benchmarks.baselines",
    "evaluation.textbook": "benchmarks.baseline_odometry",
    "evaluation.draw": "visualization.draw",
    "evaluation.report": "visualization.figures",
    "evaluation.page": "visualization.report",
    "evaluation.rerun": "visualization.rerun",
    "evaluation.strip": "visualization.gallery",
}


class MovedModules(MetaPathFinder, Loader):
    """Finds a module under its old name; goes last in ``sys.meta_path``, after the real ones."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Spec of a moved module; None for every other name."""
        parent, _, name = fullname.partition(".")
        return ModuleSpec(fullname, self) if parent == PACKAGE and name in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of the new name in the place of the old one."""
        old = module.__name__
        new = f"{PACKAGE}.{MOVED[old.partition('.')[2]]}"
        warnings.warn(f"{old} is {new} since version 0.2", DeprecationWarning, stacklevel=2)
        sys.modules[old] = import_module(new)

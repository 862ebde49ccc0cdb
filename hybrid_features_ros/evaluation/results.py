# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Files of an evaluation: trajectory, metrics and configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from hybrid_features_ros.core.config import Config, options
from hybrid_features_ros.core.errors import InputError, reading
from hybrid_features_ros.evaluation.evaluate import Evaluation
from hybrid_features_ros.io.trajectory import write_tum


def make_folder(out: Path) -> None:
    """Make a folder for results, before anything is computed for it.

    Raises:
        InputError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot make this folder: {error.strerror}") from None


def write_results(out: Path, evaluation: Evaluation) -> None:
    """Write ``trajectory.tum``, ``metrics.json`` and ``config.yaml`` into a folder.

    Raises:
        InputError: the folder cannot be made or written to, or the sequence had no frame.
    """
    if not evaluation.results:
        raise InputError(f"{evaluation.name}: no frames to report on")
    make_folder(out)
    with reading(f"{out}: cannot write"):
        write_tum(out / "trajectory.tum", evaluation.trajectory)
        (out / "metrics.json").write_text(json.dumps(evaluation.report, indent=1) + "\n")
        (out / "config.yaml").write_text(parameter_file(evaluation.config))


def parameter_file(config: Config) -> str:
    """The configuration as a parameter file that the nodes take (``params_file:=``)."""
    tree: dict[str, Any] = {}
    for o in options(config):
        *groups, leaf = o.name.split(".")
        inner = tree
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[leaf] = o.value
    return str(yaml.safe_dump({"/**": {"ros__parameters": tree}}, sort_keys=False))

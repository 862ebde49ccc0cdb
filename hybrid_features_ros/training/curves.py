# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How trainings went, drawn from their logs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from hybrid_features_ros.core.errors import InputError, extra


def draw_curves(
    runs: Sequence[Path], column: str, out: Path, reference: tuple[str, float] | None = None
) -> None:
    """Draw one column of the logs of several trainings over their steps, the highest at the end first.

    Args:
        runs: folders of trainings; the folder's name is the curve's.
        column: of ``log.csv``, such as ``correct`` or ``repeatability``.
        out: picture to write.
        reference: name and value of a horizontal line.

    Raises:
        InputError: a folder has no log, or the log no such column.
    """
    with extra("eval"):
        import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    curves = [(run.name, *_read(run / "log.csv", column)) for run in runs]
    for name, steps, values in sorted(curves, key=lambda c: -c[2][-1]):
        axes.plot(steps, values, label=f"{name}: {values[-1]:.4g}", marker=".", linewidth=1.5)
    if reference:
        axes.axhline(reference[1], color="0.4", linestyle="--", label=f"{reference[0]}: {reference[1]:.4g}")
    axes.set_xlabel("steps")
    axes.set_ylabel(column)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(out, dpi=110)
    plt.close(figure)


def _read(log: Path, column: str) -> tuple[list[int], list[float]]:
    if not log.is_file():
        raise InputError(f"{log}: no such file; give folders that `hybrid-features train` has made")
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or column not in rows[0]:
        raise InputError(f"{log}: no column {column!r}; it has {', '.join(rows[0]) if rows else 'no rows'}")
    return [int(r["step"]) for r in rows], [float(r[column]) for r in rows]

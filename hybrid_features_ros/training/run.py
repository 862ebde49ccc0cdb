# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What every training of the package shares: a log, checkpoints that resume to the bit, several processes."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from hybrid_features_ros.core.errors import InputError

T = TypeVar("T")


class Run:
    """A folder with ``log.csv``, ``curve.json`` (the same and the configuration), TensorBoard events,
    ``last.pt`` and ``best.pt``.

    Random numbers are drawn from ``[seed, rank, step]``, so that a training needs to remember its step
    only. Under ``torchrun`` every process draws its own pairs and gradients are averaged.

    Args:
        folder: of the results.
        config: a dataclass; kept in every checkpoint.
        resume: go on from ``last.pt`` where there is one.

    Raises:
        InputError: the folder has a checkpoint, and ``resume`` is false or its configuration differs.
    """

    def __init__(self, folder: Path, config: Any, model: nn.Module, optimiser: Any, resume: bool) -> None:
        self.folder, self.config, self.model, self.optimiser = folder, config, model, optimiser
        self.rank, self.processes = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        if self.processes > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        folder.mkdir(parents=True, exist_ok=True)
        self.step, self.best = 0, float("-inf")
        last = folder / "last.pt"
        if last.exists():
            self._resume(last, resume)
        self._board = SummaryWriter(str(folder)) if self.rank == 0 else None

    def seed(self) -> list[int]:
        """For the random numbers of this step in this process."""
        return [int(self.config.seed), self.rank, self.step]

    def first(self, work: Callable[[], T]) -> T:
        """The result of some work that leaves a file: the first process does it, the others find it done."""
        if self.rank == 0:
            work()
        if self.processes > 1:
            dist.barrier()
        return work()

    def descend(self, loss: torch.Tensor) -> None:
        """One step down the gradient, averaged over the processes."""
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        if self.processes > 1:
            for gradient in (p.grad for p in parameters if p.grad is not None):
                dist.all_reduce(gradient)
                gradient /= self.processes
        nn.utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
        self.optimiser.step()
        self.step += 1

    def log(self, values: Mapping[str, float]) -> None:
        """One row of the log and one point of every curve."""
        if self._board is None:
            return
        path = self.folder / "log.csv"
        row = {"step": self.step, **values}
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow({k: f"{v:.6g}" for k, v in row.items()})
        curve = {"config": asdict(self.config), "columns": read_log(path)}
        (self.folder / "curve.json").write_text(json.dumps(curve, indent=1))
        for name, value in values.items():
            self._board.add_scalar(name, value, self.step)

    def keep(self, score: float | None = None) -> None:
        """Write ``last.pt``, and ``best.pt`` if there is a validation score and it is the best so far."""
        if self.rank:
            return
        better = score is not None and score > self.best
        self.best = max(self.best, score if score is not None else self.best)
        state = {
            "config": asdict(self.config),
            "step": self.step,
            "best": self.best,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        for name in ("last.pt", *(["best.pt"] if better else [])):
            torch.save(state, self.folder / f"{name}.part")
            (self.folder / f"{name}.part").replace(self.folder / name)

    def _resume(self, last: Path, resume: bool) -> None:
        if not resume:
            raise InputError(f"{last}: a training is there; add --resume to go on or choose another folder")
        state = torch.load(last, weights_only=True, map_location="cpu")
        mine = asdict(self.config)
        differing = [k for k in mine if mine[k] != state["config"].get(k) and k != "steps"]
        if differing:
            raise InputError(f"{last}: was trained with another {', '.join(differing)}; use a new folder")
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.best = state["step"], state["best"]


def read_log(file: Path) -> dict[str, list[float | None]]:
    """Columns of a ``log.csv`` by name; None where nothing was measured."""
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    values = {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else ())}
    return {name: [None if math.isnan(x) else x for x in column] for name, column in values.items()}

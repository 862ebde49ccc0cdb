# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A whole turn in a panorama of noise: orientation comes back, nothing moves, the state says why."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from hybrid_features_ros.benchmarks.turn import AXES
from hybrid_features_ros.cli.main import main

pytestmark = pytest.mark.slow


def cube(folder: Path) -> Path:
    """Six faces of soft noise, each of its own; edges do not continue."""
    folder.mkdir()
    for seed, name in enumerate(("posx", "negx", "posy", "negy", "posz", "negz")):
        noise = np.random.default_rng(seed).normal(128, 400, (300, 300, 3))
        cv2.imwrite(
            f"{folder}/{name}.png", cv2.GaussianBlur(noise, (0, 0), 2.0).clip(0, 255).astype(np.uint8)
        )
    return folder


def test_every_axis_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "turn.json"
    main(
        [
            "bench",
            "turn",
            str(cube(tmp_path / "cube")),
            "--rate",
            "450",
            "--extractor",
            "sift",
            "--json",
            str(out),
        ]
    )
    printed = capsys.readouterr()
    report = json.loads(out.read_text())
    assert json.loads(printed.out) == report and "| cube | pan |" in printed.err
    axes = report["panoramas"]["cube"]
    assert list(axes) == list(AXES)
    for figures in axes.values():
        assert figures["after_turn_deg"] < 0.3
        assert figures["moved"] == 0 and figures["resets"] == 0
        assert list(figures["states"]) == ["ROTATION_ONLY"]


def test_what_cannot_be_turned_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"--rate 0\.0: give degrees per second"):
        main(["bench", "turn", str(tmp_path), "--rate", "0"])
    with pytest.raises(SystemExit, match="no such file"):
        main(["bench", "turn", str(tmp_path / "nothing")])

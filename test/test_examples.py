# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The example scripts run as they are."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import sequences

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name, *arguments):
    command = [sys.executable, EXAMPLES / name, *arguments]
    done = subprocess.run(command, cwd=EXAMPLES.parent, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_match_two_images(tmp_path, photograph):
    cv2.imwrite(str(tmp_path / "a.png"), photograph)
    cv2.imwrite(str(tmp_path / "b.png"), np.rot90(photograph))
    text = run("match_two_images.py", tmp_path / "a.png", tmp_path / "b.png")
    matches, agreeing = (int(word) for word in text.split() if word.isdigit())
    assert agreeing > 0.9 * matches > 50
    assert "[[" in text


def test_track_a_sequence(tmp_path):
    path = sequences.plain(tmp_path / "walk")
    assert json.loads((path / "calib.json").read_text())["width"] == sequences.WIDTH
    lines = run("track_a_sequence.py", path).splitlines()
    assert len(lines) == sequences.COUNT
    assert "INITIALIZING" in lines[0]


def test_every_example_is_run():
    called = Path(__file__).read_text()
    assert all(f'run("{path.name}"' in called for path in EXAMPLES.glob("*.py"))

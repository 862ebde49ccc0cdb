# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Curves from the logs of trainings."""

import cv2
import pytest

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.training.curves import draw_curves

pytestmark = pytest.mark.slow

pytest.importorskip(
    "matplotlib", reason="matplotlib is not installed: pip install 'hybrid_features_ros[eval]'"
)


def test_draws_what_the_logs_say(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.csv").write_text("step,loss,correct\n0,nan,200\n50,0.5,230\n")
    draw_curves([tmp_path / "a", tmp_path / "b"], "correct", tmp_path / "out.png", ("SIFT", 220.0))
    assert cv2.imread(str(tmp_path / "out.png")).shape[1] > 500
    with pytest.raises(InputError, match="no column 'mma9'; it has step, loss, correct"):
        draw_curves([tmp_path / "a"], "mma9", tmp_path / "out.png")
    with pytest.raises(InputError, match="no such file"):
        draw_curves([tmp_path / "c"], "correct", tmp_path / "out.png")

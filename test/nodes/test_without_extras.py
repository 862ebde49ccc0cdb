# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The nodes need what apt and rosdep install; tools beside them say in one line what they miss."""

import pytest
from missing import run_without

pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")

EXTRAS = ("rosbags", "matplotlib", "onnxruntime", "torch", "rerun", "pooch", "skimage", "sklearn")
NODES = ("vo_node", "feature_node", "odometry_node")


@pytest.mark.parametrize("node", NODES)
def test_a_node_starts_without_any_extra(node):
    code = f"""
import numpy as np
from hybrid_features_ros.nodes import {node}
from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.features import make_extractor
noise = np.random.default_rng(0).integers(0, 255, (240, 320), np.uint8)
print(len(make_extractor(FeatureConfig()).extract(noise)))
"""
    result = run_without((*EXTRAS, "tqdm"), code)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 0


@pytest.mark.parametrize(
    ("tool", "words", "said"),
    [
        ("bag_player", ["BAG"], "rosbags is not installed (extra `bags`): pip install rosbags"),
        ("demo", ["--out", "OUT"], "matplotlib is not installed (extra `eval`): pip install matplotlib"),
    ],
)
def test_a_tool_names_what_it_misses_in_one_line(tool, words, said, tmp_path):
    code = f"from hybrid_features_ros.nodes.{tool} import main; sys.argv[1:] = {words}; main()"
    result = run_without(EXTRAS, code, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"error: {said}")
    assert "Traceback" not in result.stderr

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""OpenCV and ONNX Runtime compute the same networks; what `auto` takes."""

import cv2
import numpy as np
import pytest

from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features import engine, onnx
from hybrid_features_ros.features.hybrid import HybridExtractor
from hybrid_features_ros.features.onnx import OnnxNetwork, read_onnx
from hybrid_features_ros.features.pyramid import pyramid
from hybrid_features_ros.features.weights import load_weights
from hybrid_features_ros.features.workspace import Workspace


@pytest.fixture(scope="module")
def scene():
    """Blobs and edges of every size, with a camera's noise."""
    rng = np.random.default_rng(4)
    image = sum(
        s * cv2.GaussianBlur(rng.normal(0, 1, (360, 480)).astype(np.float32), (0, 0), s) for s in (2, 4, 9)
    )
    image = np.where(image > 0.3, image + 1, image) + rng.normal(0, 0.05, image.shape)
    return np.clip(128 + 40 * image, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def pair():
    """The same extractor on both engines."""
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed: pip install onnxruntime")
    config = {"extractor": "hybrid", "max_keypoints": 400}
    return [HybridExtractor(FeatureConfig(engine=name, **config)) for name in ("opencv", "onnx")]


def test_heatmaps_are_the_same_where_keypoints_are(scene, pair):
    """Stencils miss one part in a hundred of the strongest response, 6 in its sixth power."""
    for number, level in enumerate(pyramid(scene, 9)):
        ours, theirs = (e.detector.network.heat(level, number) for e in pair)
        turn = np.angle(
            (ours.gradient[0] + 1j * ours.gradient[1]) * (theirs.gradient[0] - 1j * theirs.gradient[1])
        )
        strong = np.hypot(*theirs.gradient) > np.median(np.hypot(*theirs.gradient))
        assert np.degrees(np.abs(turn[strong])).max() < (1 if number else 3)  # level 0 is less smooth
        if number < len(pair[0].detector.network.level_bias):
            high = theirs.logits > np.percentile(theirs.logits, 90)
            assert np.abs(ours.logits - theirs.logits)[high].std() < 0.1


def test_keypoints_and_descriptors_are_the_same(scene, pair):
    """97 of 100 keypoints within a tenth of a pixel; the others stand at the end of the budget."""
    ours, theirs = (e.extract(scene) for e in pair)
    distance = np.linalg.norm(ours.points[:, None] - theirs.points[None], axis=2)
    distance[ours.scales[:, None] != theirs.scales] = np.inf
    partner, same = distance.argmin(axis=1), distance.min(axis=1) < 0.1
    assert same.mean() > 0.97
    assert np.median(np.abs(ours.angles - theirs.angles[partner])[same]) < 0.01
    likeness = np.einsum("nd,nd->n", ours.descriptors[same], theirs.descriptors[partner[same]])
    assert np.median(likeness) > 0.9999 and np.percentile(likeness, 5) > 0.99
    assert ours.format == theirs.format


def test_the_descriptor_network_is_the_same_to_rounding(pair):
    rng = np.random.default_rng(0)
    patches = [rng.random((150, 20, 20), np.float32) for _ in pair[0]._network.coarser]
    handcrafted = rng.random((150, 128), np.float32)
    ours, theirs = (e._network(patches, handcrafted) for e in pair)
    assert np.abs(ours - theirs).max() < 1e-5


@pytest.mark.parametrize("name", ["strek", "hybrid"])
def test_both_files_of_a_network_hold_the_same_weights(name):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed: pip install onnxruntime")
    assert OnnxNetwork(read_onnx(f"{name}.onnx")).digest == load_weights(name).digest


@pytest.mark.parametrize(
    ("providers", "chosen"),
    [
        ([], "opencv"),
        (["CPUExecutionProvider"], "opencv"),
        (["CUDAExecutionProvider", "CPUExecutionProvider"], "onnx"),
    ],
)
def test_auto_takes_a_gpu_or_opencv(monkeypatch, providers, chosen):
    monkeypatch.setattr(engine, "available_providers", lambda: providers)
    assert engine.choose_engine("auto") == chosen
    assert engine.choose_engine("opencv") == "opencv"


def test_without_onnx_runtime_everything_works_but_what_needs_it(monkeypatch, scene):
    monkeypatch.setattr(onnx, "available_providers", list)
    monkeypatch.setattr(engine, "available_providers", list)
    extractor = HybridExtractor(FeatureConfig())
    assert "OpenCV" in extractor.provider and len(extractor.extract(scene)) == 1000
    with pytest.raises(InputError, match="pip install onnxruntime"):
        HybridExtractor(FeatureConfig(engine="onnx"))


def test_a_workspace_hands_out_the_same_memory_and_grows():
    workspace = Workspace()
    a = workspace.array("a", 3, 4)
    a[:] = 7
    assert np.shares_memory(a, workspace.array("a", 2, 5))
    assert not np.shares_memory(a, workspace.array("b", 3, 4))
    assert workspace.array("a", 40, 40).shape == (40, 40)

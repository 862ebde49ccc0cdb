# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The deep detector turns, mirrors and moves with its image, whatever its weights."""

from dataclasses import asdict

import cv2
import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="torch is not installed: pip install 'hybrid_features_ros[train]'"
)

from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_features_ros.benchmarks.bench import contestants
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features.strek import StrekDetector
from hybrid_features_ros.training.deep import DeepConfig, DeepDetector
from hybrid_features_ros.training.detector import DetectorTraining
from hybrid_features_ros.training.export import export
from hybrid_features_ros.training.validation import ModelNetwork

pytestmark = pytest.mark.slow
SEEDS = st.integers(0, 2**31)


def network(seed, **shape):
    torch.manual_seed(seed)
    model = DeepDetector(DeepConfig(**shape)).double()
    with torch.no_grad():
        for p in model.parameters():
            p += 0.1 * torch.randn(p.shape, dtype=p.dtype)
    return model


def picture(seed, height, width):
    """(1, 1, height, width) float64 of the smoothness of a pyramid's level."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width))
    return torch.from_numpy(0.5 + cv2.GaussianBlur(noise, (0, 0), 2.0))[None, None]


@settings(max_examples=12, deadline=None)
@given(SEEDS, st.integers(24, 40), st.integers(24, 40), st.integers(1, 3), st.integers(1, 3))
def test_quarter_turns_are_exact_to_the_border(seed, height, width, turns, layers):
    model, image = network(seed, layers=layers), picture(seed, height, width)
    with torch.no_grad():
        (logits, gradient), (turned, turned_gradient) = (
            model(x) for x in (image, torch.rot90(image, turns, (2, 3)))
        )
    assert torch.allclose(torch.rot90(logits, turns, (2, 3)), turned, atol=1e-9)
    vector = torch.rot90(gradient, turns, (2, 3))
    for _ in range(turns):  # (x, y) of a picture turned against the clock
        vector = torch.stack([vector[:, 1], -vector[:, 0]], dim=1)
    assert torch.allclose(vector, turned_gradient, atol=1e-9)


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.integers(24, 40), st.integers(24, 40))
def test_a_mirror_image_is_exact(seed, height, width):
    model, image = network(seed), picture(seed, height, width)
    with torch.no_grad():
        assert torch.allclose(model(image)[0].flip(3), model(image.flip(3))[0], atol=1e-9)


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.integers(1, 8), st.integers(1, 8))
def test_whole_pixels_are_exact(seed, down, right):
    model, image = network(seed), picture(seed, 56, 60)
    margin = 12  # what the border reaches
    with torch.no_grad():
        whole, part = (
            x[..., margin:-margin, margin:-margin]
            for x in (model(image)[0], model(image[..., down:, right:])[0])
        )
    assert torch.allclose(whole[..., down:, right:], part, atol=1e-9)


@pytest.mark.parametrize("degrees", [5.0, 45.0, 75.0, 200.0])
def test_any_angle_keeps_the_map(degrees):
    """On levels as smooth as the pyramid's, twice resampled: by .95 in the median of nine random networks."""
    assert np.median([_likeness_after_a_turn(seed, degrees) for seed in range(9)]) > 0.95


def _likeness_after_a_turn(seed, degrees):
    """Correlation of the map of an image with the map of the turned image, turned back, within a disc."""
    model, image = network(seed), picture(seed, 121, 121)[0, 0].numpy()
    M = cv2.getRotationMatrix2D((60, 60), degrees, 1.0)
    B = cv2.getRotationMatrix2D((60, 60), -degrees, 1.0)
    turned = cv2.warpAffine(image, M, (121, 121), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    with torch.no_grad():
        a, b = (model(torch.from_numpy(x)[None, None])[0][0, 0].numpy() for x in (image, turned))
    back = cv2.warpAffine(b, B, (121, 121), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    y, x = np.mgrid[:121, :121] - 60
    disc = np.hypot(x, y) < 42
    return np.corrcoef(a[disc], back[disc])[0, 1]


def test_light_hardly_changes_the_ranking():
    model, image = network(0), picture(0, 80, 80)
    with torch.no_grad():
        a, b = (model(x)[0].flatten().numpy() for x in (image, 0.6 * image + 0.2))
    assert np.corrcoef(a, b)[0, 1] > 0.97


def test_it_starts_at_the_determinant_or_nowhere_and_every_weight_learns():
    image = picture(3, 40, 40).float()
    for start in ("random", "hessian"):
        torch.manual_seed(0)
        model = DeepDetector(DeepConfig(start=start))
        logits, _ = model(image)
        logits[..., 20, 20].sum().backward()
        still = [n for n, p in model.named_parameters() if n != "level_bias" and not p.grad.abs().max() > 0]
        assert not still


def test_a_checkpoint_is_an_extractor(tmp_path):
    """Its keypoints are those of the network in the checkpoint; what has no exported form says so."""
    model = DeepDetector(DeepConfig(layers=1))
    config = asdict(DetectorTraining(network=model.config))
    torch.save({"config": config, "model": model.state_dict()}, tmp_path / "best.pt")
    options = f"{{checkpoint: {tmp_path / 'best.pt'}}}"
    name = "hybrid_features_ros.training.checkpoint:CheckpointExtractor"
    found = contestants("strek", (), 50, [f"{name}={options}"])
    extractor = found[f"CheckpointExtractor={options}"]
    image = np.clip(128 + 60 * (picture(0, 96, 128)[0, 0].numpy() - 0.5) / 0.14, 0, 255).astype(np.uint8)
    features = extractor.extract(image)
    expected = StrekDetector(ModelNetwork(model)).detect(image, 50)[1]
    assert np.array_equal(features.points, expected.points) and features.descriptors.shape == (50, 128)
    with pytest.raises(InputError, match="no exported form"):
        export(tmp_path / "best.pt", tmp_path / "out.onnx")

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What holds for any weights: the network turns, mirrors and moves with its image."""

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="torch is not installed: pip install 'hybrid_features_ros[train]'"
)

import hybrid_features_ros
from hybrid_features_ros.features.onnx import OnnxNetwork
from hybrid_features_ros.training.export import export, load
from hybrid_features_ros.training.network import RADIUS, Detector, NetworkConfig

pytestmark = pytest.mark.slow


@pytest.fixture
def network():
    torch.manual_seed(3)
    model = Detector(NetworkConfig())
    with torch.no_grad():
        for p in model.parameters():
            p += 0.3 * torch.randn(p.shape)
    return model.double()


@pytest.fixture
def image():
    return torch.rand(1, 1, 40, 52, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_exact_to_the_border(network, image, turns):
    logits, gradient = network(image)
    turned, turned_gradient = network(torch.rot90(image, turns, (2, 3)))
    assert torch.allclose(torch.rot90(logits, turns, (2, 3)), turned, atol=1e-9)
    vector = torch.rot90(gradient, turns, (2, 3))
    for _ in range(turns):  # (x, y) of a picture turned against the clock
        vector = torch.stack([vector[:, 1], -vector[:, 0]], dim=1)
    assert torch.allclose(vector, turned_gradient, atol=1e-9)


def test_a_mirror_image_is_exact(network, image):
    logits, gradient = network(image)
    mirrored, mirrored_gradient = network(image.flip(3))
    assert torch.allclose(logits.flip(3), mirrored, atol=1e-9)
    assert torch.allclose(
        gradient.flip(3) * torch.tensor([-1.0, 1.0])[:, None, None], mirrored_gradient, atol=1e-9
    )


def test_whole_pixels_are_exact(network, image):
    logits, _ = network(image[..., 5:, 8:])
    whole, _ = network(image)
    margin = 6
    assert torch.allclose(
        logits[..., margin:-margin, margin:-margin], whole[..., 5 + margin : -margin, 8 + margin : -margin]
    )


def turned(image, degrees):
    """The image (H, W) turned about its centre, against the clock."""
    centre = ((image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2)
    M = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    how = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REFLECT_101}
    return cv2.warpAffine(image, M, image.shape[::-1], **how)


@pytest.mark.parametrize("name", ["camera.png", "coins.png"])
@pytest.mark.parametrize("degrees", [15.0, 45.0, 140.0])
def test_any_angle_is_as_exact_as_the_grid_allows(name, degrees):
    """On photographs, twice resampled: maps correlate by .97, three quarters of a photograph's stronger
    gradients are off by less than two degrees, half of them by less than one.
    """
    skimage = pytest.importorskip("skimage", reason="the photographs lie in scikit-image")
    photo = cv2.imread(str(Path(skimage.__file__).parent / "data" / name), cv2.IMREAD_GRAYSCALE)
    photo = cv2.GaussianBlur(photo[:300, :300].astype(np.float32) / 255, (0, 0), 1.0)
    shipped = load(Path(hybrid_features_ros.__file__).parent / "weights" / "strek.pt").eval()
    with torch.no_grad():
        (a, ga), (b, gb) = (
            [t[0].numpy() for t in shipped(torch.from_numpy(x)[None, None])]
            for x in (photo, turned(photo, degrees))
        )
    y, x = np.mgrid[:300, :300] - 149.5
    disc = np.hypot(x, y) < 130
    assert np.corrcoef(turned(b[0], -degrees)[disc], a[0][disc])[0, 1] > 0.97
    back = (turned(gb[0], -degrees) + 1j * turned(gb[1], -degrees)) * np.exp(1j * np.radians(degrees))
    there = ga[0] + 1j * ga[1]
    off = np.degrees(np.abs(np.angle(back * np.conj(there))))[disc]
    off = off[np.abs(there[disc]) > np.median(np.abs(there[disc]))]
    assert np.quantile(off, 0.5) < 1 and np.quantile(off, 0.75) < 2


def test_export_equals_pytorch(tmp_path):
    from dataclasses import asdict

    from hybrid_features_ros.training.detector import DetectorTraining

    model = Detector(NetworkConfig())
    torch.save({"config": asdict(DetectorTraining()), "model": model.state_dict()}, tmp_path / "best.pt")
    assert export(tmp_path / "best.pt", tmp_path / "out.onnx") < 1e-3
    engine = OnnxNetwork((tmp_path / "out.onnx").read_bytes(), 1)
    level = np.random.default_rng(0).random((1, 1, 50, 70), dtype=np.float32)
    logits, gradient = engine(level)
    expected = load(tmp_path / "best.pt").padded(torch.from_numpy(level))
    assert logits.shape[2:] == (50 - 2 * RADIUS, 70 - 2 * RADIUS)
    assert np.allclose(gradient, expected[1].detach().numpy(), atol=1e-5)


def test_free_filters_keep_no_turn(image):
    """The ablation's network has as many filters and none of the symmetry."""
    torch.manual_seed(0)
    free, steerable = (
        Detector(NetworkConfig(filters=kind, start="random")).double() for kind in ("free", "steerable")
    )
    assert free.filters.kernel().shape == steerable.filters.kernel().shape
    turned = torch.rot90(image, 1, (2, 3))
    for model, same in ((free, False), (steerable, True)):
        assert torch.allclose(torch.rot90(model(image)[0], 1, (2, 3)), model(turned)[0], atol=1e-9) == same

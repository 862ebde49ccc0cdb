# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What validation measures, on real photographs where they are there."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="torch is not installed: pip install 'hybrid_features_ros[train]'"
)

from hybrid_features_ros.benchmarks.homography import transfer
from hybrid_features_ros.features.strek import StrekDetector
from hybrid_features_ros.training.correspondences import corresponding, describable
from hybrid_features_ros.training.pairs import local_scale
from hybrid_features_ros.training.validation import validation_pairs

pytestmark = pytest.mark.slow

KODAK = Path(__file__).resolve().parents[3] / "shared" / "data" / "val" / "kodak24"


@pytest.mark.skipif(not KODAK.is_dir(), reason=f"{KODAK} is missing")
def test_sigmas_are_calibrated():
    """Errors between warped views over what the sigmas say: about one, and never far too small."""
    detector = StrekDetector()
    errors = []
    for pair in validation_pairs(KODAK)[:24]:
        (a, _), (b, _) = (describable(detector, image, (0,)) for image in (pair.a, pair.b))
        i, j = corresponding(a, b, pair)
        here = a.points[i].astype(float)
        sigma = np.hypot(a.sigmas[i] * local_scale(pair.H_b_a, here), b.sigmas[j])
        errors.append((transfer(pair.H_b_a, here) - b.points[j]) / sigma[:, None])
    rms = float(np.sqrt((np.concatenate(errors) ** 2).mean()))
    assert 0.6 < rms < 1.2

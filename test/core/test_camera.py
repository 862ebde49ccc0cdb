# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pixels to rays and back, for every lens."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_features_ros.core.camera import Camera, Distortion
from hybrid_features_ros.core.errors import InputError

K = [458.0, 0, 367.2, 0, 457.0, 248.4, 0, 0, 1]
LENSES = {
    "none": (),
    "plumb_bob": (-0.28, 0.074, 2e-4, 1.8e-5, 0.0),
    "rational_polynomial": (0.1, 0.02, 1e-4, -1e-4, 0.01, 0.1, 0.05, 0.01),
    "equidistant": (0.01, -0.01, 0.002, 0.001),
}
pixels = st.tuples(st.floats(0, 751), st.floats(0, 479))


def lens(name):
    return Camera.from_calibration(752, 480, K, name, LENSES[name])


@pytest.mark.parametrize("name", LENSES)
@given(pixel=pixels, depth=st.floats(0.1, 100))
def test_a_pixel_survives_the_way_out_and_back(name, pixel, depth):
    camera = lens(name)
    bearing = camera.bearings([pixel])
    assert np.linalg.norm(bearing) == pytest.approx(1)
    assert np.allclose(camera.project(bearing * depth), [pixel], atol=1e-6)


def test_pinhole_by_hand():
    camera = Camera(640, 480, 500, 400, 320, 240)
    assert np.allclose(camera.project([[1, 2, 4]]), [[320 + 125, 240 + 200]])


def test_equidistant_by_hand():
    """With zero coefficients the image radius is the focal length times the angle."""
    camera = Camera.from_calibration(640, 480, [300, 0, 320, 0, 300, 240, 0, 0, 1], "equidistant", [0.0] * 4)
    assert camera.distortion is Distortion.EQUIDISTANT
    assert np.allclose(camera.project([[1, 0, 1]]), [[320 + 300 * np.pi / 4, 240]])


def test_points_behind_are_not_seen():
    assert np.isnan(lens("plumb_bob").project([[0, 0, -1], [0.1, 0, 0]])).all()


@given(factor=st.sampled_from([0.25, 0.5, 2.0]), pixel=pixels)
def test_scaling_keeps_the_rays(factor, pixel):
    camera = lens("plumb_bob")
    resized = (np.array(pixel) + 0.5) * factor - 0.5
    assert np.allclose(camera.scaled(factor).bearings([resized]), camera.bearings([pixel]), atol=1e-9)


def test_all_zero_coefficients_mean_no_distortion():
    assert Camera.from_calibration(640, 480, K, "plumb_bob", [0.0] * 5).distortion is Distortion.NONE


@pytest.mark.parametrize(
    ("model", "given", "kept"),
    [
        ("equidistant", [0.02, -0.01, 0.003, 0, 0, 0, 0], (0.02, -0.01, 0.003, 0)),
        ("equi", [0.02, -0.01, 0.003, 0.001], (0.02, -0.01, 0.003, 0.001)),
        ("radial-tangential", [-0.3, 0.1, 0.001, 0, 0, 0], (-0.3, 0.1, 0.001, 0)),
        ("plumb_bob", [-0.3, 0.1, 0, 0, 0.02, 0, 0, 0], (-0.3, 0.1, 0, 0, 0.02)),
        ("Brown Conrady", [-0.3, 0, 0, 0.01, 0], (-0.3, 0, 0, 0.01, 0)),
        ("rational_polynomial", [0.1, 0.2, 0, 0], (0.1, 0.2, 0, 0, 0, 0, 0, 0)),
        ("rational_polynomial", [0.1] * 9, (*[0.1] * 9, 0, 0, 0)),
    ],
)
def test_zeros_that_a_model_does_not_have_are_dropped(model, given, kept):
    assert Camera.from_calibration(640, 480, K, model, given).coefficients == kept


@pytest.mark.parametrize("model", ["", "none", "pinhole"])
def test_coefficients_without_a_model_are_refused(model):
    with pytest.raises(InputError, match="name their model"):
        Camera.from_calibration(640, 480, K, model, [0, 0, 0, 0, 0.3])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({4: 1.0}, "fx = 458 and fy = 1 are of different order"),
        ({0: 0.7, 4: 0.7}, "fx = 0.7 does not fit 752x480 pixels"),
        ({5: -900.0}, "principal point .* far outside"),
        ({2: 2000.0}, "principal point .* far outside"),
        ({1: 3.0}, r"K\[1\] = 3, but skew"),
        ({8: 0.0}, r"K\[6:9\]"),
        ({3: 240.0}, r"K\[3\] = 240"),
    ],
)
def test_numbers_that_are_no_calibration_of_the_image(changes, message):
    with pytest.raises(InputError, match=message):
        Camera.from_calibration(752, 480, [changes.get(i, v) for i, v in enumerate(K)], "none", [])


@given(
    st.lists(st.floats(width=32) | st.integers(-2, 2000), max_size=10),
    st.sampled_from([*LENSES, "", "words"]),
    st.lists(st.floats(-1, 1) | st.just(math.nan) | st.just(0), max_size=15),
)
def test_any_numbers_make_a_camera_or_one_line(numbers, model, coefficients):
    try:
        camera = Camera.from_calibration(640, 480, numbers, model, coefficients)
    except InputError:
        return
    assert 0.25 <= camera.fx / camera.fy <= 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((640, 480, [0.0] * 9, "plumb_bob", []), r"K\[0\] = 0 means uncalibrated"),
        ((640, 480, K[:4], "plumb_bob", []), "K has 4 elements"),
        ((640, 480, K, "thin_prism", [1.0]), "unknown distortion model 'thin_prism'; use one of"),
        ((640, 480, K, "plumb_bob", [0.1]), "1 coefficients for plumb_bob; give 4 or 5"),
        ((0, 480, K, "none", []), "image size 0x480 is empty"),
        ((640, 480, [np.nan, *K[1:]], "none", []), "is no calibration"),
        ((640, 480, [*K[:8], math.inf], "none", []), "K = .* is not finite"),
    ],
)
def test_bad_calibration(arguments, message):
    with pytest.raises(InputError, match=message):
        Camera.from_calibration(*arguments)

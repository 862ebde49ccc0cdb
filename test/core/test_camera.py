"""Pixels to rays and back, for every lens."""

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
    ("arguments", "message"),
    [
        ((640, 480, [0.0] * 9, "plumb_bob", []), r"K\[0\] = 0 means uncalibrated"),
        ((640, 480, K[:4], "plumb_bob", []), "K has 4 elements"),
        ((640, 480, K, "thin_prism", [1.0]), "unknown distortion model 'thin_prism'; use one of"),
        ((640, 480, K, "plumb_bob", [0.1]), "1 coefficients for plumb_bob; give 4 or 5"),
        ((0, 480, K, "none", []), "image size 0x480 is empty"),
        ((640, 480, [np.nan, *K[1:]], "none", []), "is no calibration"),
    ],
)
def test_bad_calibration(arguments, message):
    with pytest.raises(InputError, match=message):
        Camera.from_calibration(*arguments)

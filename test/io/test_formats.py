# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of what is read is that of the code, and every form in it has a test that reads it."""

from pathlib import Path

import test_calibration
import test_images

from hybrid_features_ros.io import formats
from hybrid_features_ros.io.images import ENCODINGS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "evaluation.md"


def test_the_page_has_the_table_of_the_code():
    page = PAGE.read_text()
    assert all(mark in page for mark in formats.MARKS)
    assert page == formats.fill(page), "run `make docs`"


def test_every_encoding_and_kind_of_calibration_is_read_by_a_test():
    assert all(test_images.example(name) for name in ENCODINGS)
    assert len(formats.CALIBRATION_FILES) == len(test_calibration.FILES)


def test_no_row_is_empty():
    assert all(what and forms and "``" not in forms for what, forms in formats.rows())

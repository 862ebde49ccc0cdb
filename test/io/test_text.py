# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Lists as other programs write them."""

import codecs
import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.text import natural, parse_stamp, read_list, read_rows, read_table, read_text

NS = 1_403_715_273_262_142_976


@pytest.mark.parametrize(
    "data",
    [
        "1.5 ä.png\n".encode(),
        codecs.BOM_UTF8 + "1.5 ä.png\r\n".encode(),
        "1.5 ä.png\n".encode("utf-16"),
        "1.5 ä.png\r\n".encode("utf-16-le"),
        "1.5 ä.png\n".encode("utf-16-be"),
        "1.5 ä.png\n".encode("latin-1"),
        b"# written \xfcberall\n1.5,\xe4.png",
    ],
)
def test_every_code_page_that_editors_write(tmp_path, data):
    (tmp_path / "l").write_bytes(data)
    stamps, names = read_list(tmp_path / "l", "s")
    assert (stamps.tolist(), names) == ([1_500_000_000], ["ä.png"])


@pytest.mark.parametrize("text", [f"{NS}", f"{NS}.0", "1403715273.262142976", f"{NS / 1e18:.15f}e18"])
@pytest.mark.parametrize("unit", ["s", "ns"])
def test_the_size_of_a_stamp_tells_its_unit(text, unit):
    assert parse_stamp(text, unit) == pytest.approx(NS, abs=200)
    assert parse_stamp(str(NS // 10**6), unit) == NS // 10**6 * 10**6, "milliseconds"
    assert parse_stamp(str(NS // 10**3), unit) == NS // 10**3 * 10**3, "microseconds"


def test_small_stamps_are_of_the_lists_own_unit():
    assert parse_stamp("50", "ns") == 50 and parse_stamp("50", "s") == 50 * 10**9
    assert parse_stamp("0.05", "ns") == 50_000_000


@pytest.mark.parametrize("text", ["nan", "inf", "soon", "", "1e400", "12:30", "0x10", "9" * 40])
def test_what_is_no_stamp(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_stamp(text)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("1.0 left camera/7 a.png", "left camera/7 a.png"),
        ("1.0\tx.png  ", "x.png"),
        ("1.0, x.png", "x.png"),
        ('1.0 "my images/x.png"', "my images/x.png"),
        ("1.0 images\\x.png", "images/x.png"),
    ],
)
def test_the_rest_of_the_line_is_the_name(tmp_path, line, name):
    (tmp_path / "l").write_text(line)
    assert read_list(tmp_path / "l", "s")[1] == [name]


def test_a_header_without_a_mark_is_left_out(tmp_path):
    (tmp_path / "l").write_text("timestamp,filename\n\n1,a.png\n")
    assert read_list(tmp_path / "l", "ns")[1] == ["a.png"]
    (tmp_path / "l").write_text("t x y\n1 2 3\n\n2 nan inf\n")
    stamps, numbers = read_table(tmp_path / "l", 3, "t x y", "s")
    assert stamps.tolist() == [10**9, 2 * 10**9]
    assert np.array_equal(numbers, [[2, 3], [np.nan, np.inf]], equal_nan=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3\n2 x 4\n", "l:2: could not convert"),
        ("1 2 3\n2 4\n", "l:2: 2 values; expected t x y"),
        ("1 2 3\nsoon 2 3\n", "l:2: not t x y: 'soon' is no stamp; stamps are in s"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, message):
    (tmp_path / "l").write_text(text)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "l", 3, "t x y", "s")


def test_what_is_no_file(tmp_path):
    with pytest.raises(InputError, match="no such file; expected words"):
        read_rows(tmp_path, 1, "words")
    with pytest.raises(InputError, match="Is a directory"):
        read_text(tmp_path)


def test_numbers_in_names_are_compared_as_numbers():
    names = ["img10.png", "img2.png", "img1b.png", "img1.png", "a"]
    assert sorted(names, key=natural) == ["a", "img1.png", "img1b.png", "img2.png", "img10.png"]


@given(st.lists(st.text(max_size=20)))
def test_any_names_can_be_sorted(names):
    assert len(sorted(names, key=natural)) == len(names)


@given(st.binary(max_size=300))
def test_any_file_is_a_table_or_one_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "f"
    path.write_bytes(data)
    for read in (lambda: read_list(path, "s"), lambda: read_table(path, 3, "t x y", "ns")):
        try:
            stamps, rest = read()
        except InputError:
            continue
        assert len(stamps) == len(rest)


@given(st.text(max_size=30) | st.floats().map(str) | st.integers().map(str))
def test_any_text_is_a_stamp_or_refused(text):
    with contextlib.suppress(ValueError):
        assert -(2**63) <= parse_stamp(text) < 2**63


@pytest.mark.parametrize("begin", [0, 5, 200, 200_000])
def test_nanoseconds_of_a_simulator_are_those_from_zero_on(tmp_path, begin):
    stamps = begin * 10**9 + 50_000_000 * np.arange(100)
    (tmp_path / "data.csv").write_text("#timestamp [ns],x\n" + "\n".join(f"{t},1" for t in stamps))
    assert read_table(tmp_path / "data.csv", 2, "t x", "ns")[0].tolist() == stamps.tolist()


def test_microseconds_under_the_label_of_nanoseconds_are_told_by_their_steps(tmp_path):
    stamps = NS // 1000 + 50_000 * np.arange(5)
    (tmp_path / "data.csv").write_text("#timestamp [ns],x\n" + "\n".join(f"{t},1" for t in stamps))
    assert read_table(tmp_path / "data.csv", 2, "t x", "ns")[0].tolist() == (1000 * stamps).tolist()

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Text files as other programs write them: byte-order marks, headers, spaces in names, units of time."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.errors import InputError, reading
from hybrid_features_ros.core.types import Float64

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# A number of at least so much is no count of seconds since 1970 (the year 5138), but of smaller units.
SHORTEST_STEP_NS = 100_000  # between measurements of one sensor
_UNITS = ((10**17, 1), (10**14, 10**3), (10**11, 10**6))


def read_text(path: Path) -> str:
    """A text file: UTF-8 or what its byte-order mark says; otherwise Latin-1, where every byte is a letter.

    Raises:
        InputError: it cannot be read.
    """
    with reading(path):
        data = path.read_bytes()
        for mark, name in _MARKS:
            if data.startswith(mark):
                return data.decode(name)
        if b"\0" in data:
            return data.decode("utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be")
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data.decode("latin-1")


def read_rows(path: Path, columns: int, meaning: str) -> list[list[str]]:
    """Words of every line that is not a comment; commas count as spaces.

    A first line of words, where numbers follow, is a header and is left out too.

    Raises:
        InputError: the file is missing, or a line has fewer words than ``columns``.
    """
    return [line.replace(",", " ").split() for _, line in _lines(path, columns, meaning)]


def read_list(path: Path, unit: Literal["s", "ns"]) -> tuple[NDArray[np.int64], list[str]]:
    """Stamps (N,) [ns] and file names of a list; the name is the rest of the line, spaces and all.

    Args:
        path: of the list.
        unit: of whole numbers that may be either, see :func:`parse_stamp`.

    Raises:
        InputError: the file is missing, or a line is no stamp and name.
    """
    lines, names = _lines(path, 2, f"stamp [{unit}] and file"), []
    for _, line in lines:
        word = line.replace(",", " ").split()[0]
        names.append(line.lstrip()[len(word) :].strip(" \t,;\"'").replace("\\", "/"))
    return _stamps(path, lines, unit, "stamps and files"), names


def read_table(
    path: Path, columns: int, meaning: str, unit: Literal["s", "ns"]
) -> tuple[NDArray[np.int64], Float64]:
    """Stamps (N,) [ns] and the ``columns - 1`` numbers (N, ...) that follow each; NaN where it says so.

    Raises:
        InputError: the file is missing, or a line holds something else.
    """
    lines, rows = _lines(path, columns, meaning), []
    stamps = _stamps(path, lines, unit, meaning)
    for number, line in lines:
        words = line.replace(",", " ").split()
        try:
            rows.append([float(w) for w in words[1:columns]])
        except ValueError as error:
            raise InputError(f"{path}:{number}: {error}; expected {meaning}") from None
    return stamps, np.array(rows).reshape(-1, columns - 1)


def parse_stamp(text: str, unit: Literal["s", "ns"] = "s") -> int:
    """Nanoseconds of a stamp, without rounding through a float; digits beyond 1e-9 s are cut.

    The unit is told by the size: what cannot be seconds since 1970 is milli-, micro- or nanoseconds. Numbers
    with a point or exponent that can be, are; whole ones are of the given unit.

    Raises:
        ValueError: the text is no finite number that fits.
    """
    try:
        value = Decimal(text)
        if not value.is_finite() or value.adjusted() > 19:
            raise ValueError(f"{text!r} is no stamp")
        factor = next((f for least, f in _UNITS if abs(value) >= least), None)
        if factor is None:
            factor = 1 if unit == "ns" and value == value.to_integral_value() and text.isdigit() else 10**9
        stamp = int(value * factor)
    except (InvalidOperation, OverflowError):
        raise ValueError(f"{text!r} is no stamp") from None
    if not -(2**63) <= stamp < 2**63:
        raise ValueError(f"{text!r} is no stamp: it does not fit into 64 bits of nanoseconds")
    return stamp


def natural(name: str) -> list[Any]:
    """Key that sorts names by the numbers in them: 2 before 10."""
    return [int(word) if i % 2 else word for i, word in enumerate(re.split("([0-9]+)", name))]


def _lines(path: Path, columns: int, meaning: str) -> list[tuple[int, str]]:
    """Number and text of every line that holds something."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected {meaning}")
    lines = [
        (number, line)
        for number, line in enumerate(re.split("\r\n|\r|\n", read_text(path)), 1)
        if line.replace(",", " ").strip() and not line.lstrip().startswith("#")
    ]
    if len(lines) > 1 and not _is_number(lines[0][1]) and _is_number(lines[1][1]):
        lines = lines[1:]
    for number, line in lines:
        words = len(line.replace(",", " ").split())
        if words < columns:
            raise InputError(f"{path}:{number}: {words} values; expected {meaning}")
    return lines


def _is_number(line: str) -> bool:
    try:
        float(line.replace(",", " ").split()[0])
    except ValueError:
        return False
    return True


def _stamps(
    path: Path, lines: Sequence[tuple[int, str]], unit: Literal["s", "ns"], meaning: str
) -> NDArray[np.int64]:
    """Stamps (N,) [ns] at the beginning of lines.

    Whole numbers under the label [ns] are that however small, as of simulators that count from 0, unless
    their steps are too short for it.
    """
    words = [line.replace(",", " ").split()[0] for _, line in lines]
    if unit == "ns" and all(w.isdigit() and len(w) < 19 for w in words) and _is_labelled_ns(path):
        exact = np.array([int(w) for w in words], dtype=np.int64)
        if len(exact) > 1 and np.median(np.abs(np.diff(exact))) >= SHORTEST_STEP_NS:
            return exact
    stamps = []
    for (number, _), word in zip(lines, words, strict=True):
        try:
            stamps.append(parse_stamp(word, unit))
        except ValueError as error:
            raise InputError(f"{path}:{number}: not {meaning}: {error}; stamps are in {unit}") from None
    return np.array(stamps, dtype=np.int64)


def _is_labelled_ns(path: Path) -> bool:
    """Whether the file begins with a header whose first column is in [ns]."""
    header = next((line for line in read_text(path).splitlines() if line.strip()), "")
    return "[ns]" in re.split("[,;\t]", header)[0]

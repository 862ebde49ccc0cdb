# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Sequences that are folders of images: the files, and what belongs together in time.

The plain layout of this package: ``calib.json`` (width, height, K, dist, model; see
:mod:`~hybrid_features_ros.io.calibration` for the optional keys), ``rgb.txt`` (stamp [s], file), and where
known ``depth.txt`` (stamp, 16-bit PNG in units of ``depth_scale``, or floats in metres), ``groundtruth.txt``
(TUM format, camera to world, optical axes), ``imu.csv`` (EuRoC format). How the inertial unit is mounted is
said by ``T_camera_imu`` in ``calib.json`` (4x4, row by row: coordinates of the unit to the camera's optical
axes); without it the measurements are taken to be in the camera's axes. A stereo pair is two sibling folders
``NAME_left`` and ``NAME_right``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.errors import InputError, reading
from hybrid_features_ros.core.types import Float32, Float64, Trajectory
from hybrid_features_ros.io.images import eight_bits, metres, read_pixels
from hybrid_features_ros.io.source import Choice, Frame, Imu, Notes, RecordedPrior, Source
from hybrid_features_ros.io.stamps import partners, usable
from hybrid_features_ros.io.text import natural, parse_stamp, read_list, read_table

DEPTH_UNITS = 5000.0  # of a TUM depth image, per metre
DEPTH_INTERVAL_NS = Choice.max_interval_ns  # longest time between an image and its depth
IMAGE_FILES = (".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".bmp", ".tif", ".tiff", ".webp")  # in either case
RATE_HZ = 30.0  # of images without stamps, if the calibration tells no other


@dataclass(frozen=True, eq=False)
class FolderSource:
    """A :class:`~hybrid_features_ros.io.source.Source` made of image files.

    ``depths`` holds the depth image of every image, or None where there is none; ``depth_scale`` is its units
    per metre, None: :data:`DEPTH_UNITS` of integers, metres of floats.
    """

    name: str
    camera: Camera
    stamps: NDArray[np.int64]
    images: Sequence[Path]
    depths: Sequence[Path | None] = ()
    ground_truth: Trajectory | None = None
    imu: Imu | None = None
    prior: RecordedPrior | None = None
    right: Source | None = None
    baseline: float = 0.0
    depth_scale: float | None = None
    notes: Notes = field(default_factory=Notes)

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Frame]:
        for i, (stamp, path) in enumerate(zip(self.stamps.tolist(), self.images, strict=True)):
            depth = self.depths[i] if self.depths else None
            try:
                image = eight_bits(read_pixels(path))
            except InputError as error:
                self.notes.skipped[f"{self.name}: {path.name} of {stamp} ns"] = str(error)
                continue
            yield Frame(stamp, image, None if depth is None else self._depth(stamp, depth))

    def _depth(self, stamp: int, path: Path) -> Float32 | None:
        """Depth at every pixel of the image: of the nearest pixel of a smaller depth image."""
        try:
            with reading(path):
                raw = np.load(path) if path.suffix == ".npy" else read_pixels(path)
            depth = metres(raw, self.depth_scale or DEPTH_UNITS, self.depth_scale or 1.0)
        except InputError as error:
            self.notes.skipped[f"{self.name}: {path.name} of {stamp} ns"] = str(error)
            return None
        height, width = self.camera.height, self.camera.width
        if abs(depth.shape[0] * width - depth.shape[1] * height) > max(height, width):
            return depth  # of another view: it will be refused where it meets the image
        rows, columns = (
            np.rint(np.arange(n) * (m / n)).astype(int).clip(0, m - 1)
            for n, m in zip((height, width), depth.shape, strict=True)
        )
        return np.asarray(depth[rows][:, columns])


def listed(
    path: Path, name: str, unit: Literal["s", "ns"], rate_hz: float | None, notes: Notes, folder: str = "."
) -> tuple[NDArray[np.int64], list[Path]]:
    """Stamps (N,) [ns] and files of a list, or of a folder of images.

    Files of a folder are taken by the stamps or numbers in their names; names that are no stamps are spread
    evenly in time, which is noted.

    Args:
        path: of the sequence.
        name: of the list or folder in it.
        unit: of whole numbers in a list.
        rate_hz: of images without stamps; None: :data:`RATE_HZ`.
        notes: of the recording.
        folder: in the sequence, that the names of a list lie in.

    Raises:
        InputError: there is neither, or a line is no stamp and name.
    """
    if not (path / name).is_dir():
        stamps, names = read_list(path / name, unit)
        return stamps, [_file(path / folder, n) for n in names]
    files = image_files(path / name)
    kinds = sorted({re.sub("[0-9.]+", "#", p.stem) for p in files})
    if len(kinds) > 1:
        raise InputError(
            f"{path / name}: images of several kinds ({', '.join(kinds[:4])}; # for numbers): put those to "
            "be read into a folder of their own, or name a list of stamps and files"
        )
    if files and all(_is_stamp(p.stem) for p in files):
        return np.array([parse_stamp(p.stem, "ns") for p in files], dtype=np.int64), files
    rate = rate_hz or RATE_HZ
    if rate_hz is None:
        notes.assumed["stamps"] = f"{rate:g} images per second: no list has their stamps, no rate_hz the rate"
    counts = _numbers(files)
    if len(counts) and counts[-1] >= len(counts):
        notes.assumed["numbers"] = (
            f"{counts[-1] + 1 - len(counts)} numbers are missing between {files[0].name} and {files[-1].name}"
            ": the images are stamped by their numbers"
        )
    return np.array([round(i * 1e9 / rate) for i in counts.tolist()], dtype=np.int64), files


def _numbers(files: Sequence[Path]) -> NDArray[np.int64]:
    """Numbers (N,) in the files' names, less the first one; 0 ... N - 1 where names do not count images."""
    words = [re.findall("[0-9]+", p.stem) for p in files]
    if all(len(w) == 1 and len(w[0]) < 10 for w in words):
        numbers = np.array([int(w[0]) for w in words], dtype=np.int64)
        steps = np.diff(numbers)
        if len(steps) and np.median(steps) == 1 and steps.min() == 1:
            return np.asarray(numbers - numbers[0])
    return np.arange(len(files))


def image_files(folder: Path) -> list[Path]:
    """The images of a folder in the order of the numbers in their names."""
    found = (p for p in folder.iterdir() if p.suffix.lower() in IMAGE_FILES) if folder.is_dir() else ()
    return sorted(found, key=lambda p: natural(p.name))


def _file(path: Path, name: str) -> Path:
    """The file that a line names; more words may follow the name."""
    file = path / name
    first = path / name.split()[0] if name.split() else file
    return first if first.is_file() and not file.is_file() else file


def _is_stamp(stem: str) -> bool:
    """Whether a file's name is a time since 1970, in seconds with decimals or in nanoseconds."""
    try:
        return parse_stamp(stem, "ns") > 10**17
    except ValueError:
        return False


def _depths(
    path: Path,
    stamps: NDArray[np.int64],
    name: str = "depth.txt",
    max_interval_ns: int = DEPTH_INTERVAL_NS,
    notes: Notes | None = None,
    rate_hz: float | None = None,
) -> list[Path | None]:
    """The depth image nearest in time to every image (N,), if near enough; empty without a list."""
    notes = notes or Notes()
    if not (path / name).exists():
        notes.missing["depth"] = (
            f"there is no {path / name} (stamp and file on each line); --depth names another"
        )
        return []
    known, files = listed(path, name, "s", rate_hz, Notes())
    order = np.argsort(known, kind="stable")
    index = partners(str(path / name), stamps, known[order], max_interval_ns, notes, "depth")
    return [files[order[i]] if i >= 0 else None for i in index.tolist()]


def read_imu(path: Path, T_camera_imu: Float64 | None, notes: Notes) -> Imu | None:
    """Measurements ``t wx wy wz ax ay az``, turned into the camera's axes by ``T_camera_imu`` (4, 4).

    Lines that are not finite are left out.

    Raises:
        InputError: a line holds something else.
    """
    if not path.exists():
        notes.missing["imu"] = f"there is no {path}"
        return None
    stamps, values = read_table(path, 7, "stamp [ns], angular velocity, acceleration", "ns")
    finite = np.isfinite(values).all(axis=1)
    if not finite.any():
        notes.missing["imu"] = f"{path} has no line of seven finite numbers"
        return None
    stamps, first = np.unique(stamps[finite], return_index=True)
    values = values[finite][first]
    if T_camera_imu is None:
        notes.assumed["imu"] = (
            "the inertial unit's axes are taken for the camera's: T_camera_imu in calib.json says others"
        )
    into_camera = np.eye(3) if T_camera_imu is None else T_camera_imu[:3, :3].T
    return Imu(stamps, values[:, :3] @ into_camera, values[:, 3:] @ into_camera)


def checked(source: FolderSource) -> FolderSource:
    """The source in the order of its stamps, each once.

    Raises:
        InputError: it has no images, or stamps that cannot be.
    """
    if not source.images:
        raise InputError(f"{source.name}: no images; expected a list in rgb.txt or image files")
    index = usable(source.name, source.stamps, source.notes)
    return replace(
        source,
        stamps=source.stamps[index],
        images=[source.images[i] for i in index],
        depths=[source.depths[i] for i in index] if source.depths else (),
    )


def paired(left: FolderSource, right: FolderSource, max_interval_ns: int) -> FolderSource:
    """The right images nearest in time to the left ones, under the stamps of those."""
    index = partners(right.name, left.stamps, right.stamps, max_interval_ns, left.notes, "right")
    has = index >= 0
    return replace(right, stamps=left.stamps[has], images=[right.images[i] for i in index[has]])


def there(path: Path, named: str, usual: str, option: str) -> Path:
    """A file that was asked for, which must be there, or the usual one, which may be missing."""
    if named and not (path / named).is_file():
        raise InputError(f"{path / named}: no such file ({option})")
    return path / (named or usual)


def has_no(choice: Choice, path: Path, layout: str, *names: str) -> None:
    """Refuse what was asked for and the layout does not have."""
    for name in names:
        if getattr(choice, name):
            raise InputError(
                f"{path}: --{name} {getattr(choice, name)}: a folder of {layout} has no choice of it"
            )

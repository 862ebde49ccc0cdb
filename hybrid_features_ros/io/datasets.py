# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Public data sets: where they are, on what terms, and a download that goes on where it was cut off.

None of their publishers gives checksums. So the SHA-256 of an archive is written beside it when it first
arrives whole, and compared whenever it is fetched again.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlparse

from tqdm import tqdm

from hybrid_features_ros.core.errors import InputError, extra

_TIMEOUT_S = 30
_CHUNK = 1 << 20
# What tells the folder of one sequence, or of a matching data set, in an unpacked archive.
_MARKS = ("rgb.txt", "mav0", "image_0", "image_2", "image_left", "v_wall")


@dataclass(frozen=True)
class Dataset:
    """Archives that belong together.

    Attributes:
        name: for the command line.
        title, page: for people; the page has the terms and, where needed, the registration.
        licence: of the data, in one line.
        urls: of the archives, as last published; they were not fetched when this table was written.
        use: the command that takes it.
        note: what else to know.
    """

    name: str
    title: str
    page: str
    licence: str
    urls: tuple[str, ...]
    use: str = "evaluate"
    note: str = ""


def _tum(camera: int, sequence: str) -> Dataset:
    name = f"rgbd_dataset_freiburg{camera}_{sequence}"
    return Dataset(
        f"tum/fr{camera}_{sequence}",
        f"TUM RGB-D, freiburg{camera} {sequence}",
        "https://cvg.cit.tum.de/data/datasets/rgbd-dataset",
        "CC BY 4.0; cite Sturm et al., IROS 2012",
        (f"https://cvg.cit.tum.de/rgbd/dataset/freiburg{camera}/{name}.tgz",),
    )


def _euroc(place: str, sequence: str) -> Dataset:
    base = "http://robotics.ethz.ch/~asl-datasets/ijrr_euroc_mav_dataset"
    return Dataset(
        f"euroc/{sequence}",
        f"EuRoC MAV, {sequence}",
        "https://projects.asl.ethz.ch/datasets/doku.php?id=kmavvisualinertialdatasets",
        "for research; cite Burri et al., IJRR 2016",
        (f"{base}/{place}/{sequence}/{sequence}.zip",),
        note="If the address is gone, the page names the present one: use --source.",
    )


def _tartanair(place: str, level: str) -> Dataset:
    base = f"https://tartanair.blob.core.windows.net/tartanair-release1/{place}/{level}"
    return Dataset(
        f"tartanair/{place}_{level.lower()}",
        f"TartanAir V1, {place}, {level}",
        "https://theairlab.org/tartanair-dataset/",
        "CC BY 4.0; cite Wang et al., IROS 2020",
        (f"{base}/image_left.zip", f"{base}/depth_left.zip"),
        note="If the address is gone, the page names the present one: use --source.",
    )


DATASETS = (
    *(_tum(1, s) for s in ("xyz", "rpy", "360", "floor", "desk", "desk2", "room", "plant", "teddy")),
    *(_tum(2, s) for s in ("xyz", "rpy", "360_hemisphere", "desk", "large_no_loop", "large_with_loop")),
    *(_tum(3, s) for s in ("long_office_household", "nostructure_texture_near_withloop")),
    *(_euroc("machine_hall", s)
      for s in ("MH_01_easy", "MH_02_easy", "MH_03_medium", "MH_04_difficult", "MH_05_difficult")),
    *(_euroc("vicon_room1", s) for s in ("V1_01_easy", "V1_02_medium", "V1_03_difficult")),
    *(_euroc("vicon_room2", s) for s in ("V2_01_easy", "V2_02_medium", "V2_03_difficult")),
    Dataset(
        "kitti",
        "KITTI odometry, grey images, calibration and poses (more than 20 GB)",
        "https://www.cvlibs.net/datasets/kitti/eval_odometry.php",
        "CC BY-NC-SA 3.0; cite Geiger et al., CVPR 2012",
        tuple(f"https://s3.eu-central-1.amazonaws.com/avg-kitti/data_odometry_{part}.zip"
              for part in ("calib", "poses", "gray")),
        note="The publishers ask you to register on the page first.",
    ),
    *(_tartanair(place, level) for place in ("abandonedfactory", "office", "westerndesert")
      for level in ("Easy", "Hard")),
    Dataset(
        "hpatches",
        "HPatches, full image sequences",
        "https://github.com/hpatches/hpatches-dataset",
        "several, see the page; cite Balntas et al., CVPR 2017",
        ("http://icvl.ee.ic.ac.uk/vbalnt/hpatches/hpatches-sequences-release.tar.gz",),
        use="bench homography --dataset",
        note="If the address is gone, the page names the present one: use --source.",
    ),
)  # fmt: skip


def find_dataset(name: str) -> Dataset:
    """The data set of a name.

    Raises:
        InputError: there is none.
    """
    for dataset in DATASETS:
        if dataset.name == name:
            return dataset
    raise InputError(f"{name}: no such data set; `hybrid-features dataset list` names them")


def describe(dataset: Dataset, folder: Path) -> str:
    """What is known of a data set, with the checksums of what lies in ``folder`` already."""
    lines = [f"{dataset.name}: {dataset.title}", f"page:    {dataset.page}", f"licence: {dataset.licence}"]
    for url in dataset.urls:
        seen = _checksum_file(folder / dataset.name / _file_name(url))
        known = (
            f"{seen.read_text().split()[0]} (of your first download)" if seen.exists() else "none published"
        )
        lines += [f"archive: {url}", f"sha256:  {known}"]
    return "\n".join(lines + ([f"note:    {dataset.note}"] if dataset.note else []))


def download(dataset: Dataset, folder: Path, source: str = "") -> list[Path]:
    """Fetch and unpack the archives into ``folder/NAME``; what is there already is kept.

    Args:
        source: folder or address where the archives lie, if not where they were published.

    Returns:
        the folders in it that other commands take.

    Raises:
        InputError: the network or a file cannot be reached, a checksum differs, or pooch is not installed.
    """
    with extra("datasets"):
        import pooch
    pooch.get_logger().setLevel("WARNING")
    target = folder / dataset.name
    target.mkdir(parents=True, exist_ok=True)
    for url in dataset.urls:
        name = _file_name(url)
        unpack = pooch.Unzip if name.endswith(".zip") else pooch.Untar
        checksum = _checksum_file(target / name)
        try:
            pooch.retrieve(
                _address(url, source),
                known_hash=checksum.read_text().split()[0] if checksum.exists() else None,
                fname=name,
                path=target,
                downloader=_Resuming(target / f"{name}.part", dataset.page),
                processor=unpack(extract_dir="."),
            )
        except InputError:
            raise
        except (ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
            # A checksum that differs, or no archive at all.
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{target / name}: {reason}; delete it to fetch it again") from None
        if not checksum.exists():
            checksum.write_text(f"{_sha256(target / name)}  {name}\n")
    return sequences(target)


def sequences(folder: Path) -> list[Path]:
    """Folders below ``folder`` that ``evaluate`` or ``bench homography`` takes, sorted."""
    return sorted({mark.parent for name in _MARKS for mark in folder.rglob(name)})


@dataclass(frozen=True)
class _Resuming:
    """A downloader for pooch; what had arrived when it was cut off stays in ``part`` and counts."""

    part: Path
    page: str

    def __call__(self, url: str, output_file: Any, pooch: Any) -> None:
        have = self.part.stat().st_size if self.part.exists() else 0
        asked = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        try:
            with urllib.request.urlopen(asked, timeout=_TIMEOUT_S) as answer:
                self._store(answer, have if getattr(answer, "status", 200) == 206 else 0)
        except urllib.error.HTTPError as error:
            if error.code != 416 or not have:  # 416: nothing is left to send
                raise InputError(
                    f"{url}: {error}; see {self.page}, and --source for another address"
                ) from None
        except (urllib.error.URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise InputError(
                f"{url}: cannot be fetched ({reason}); where this network is closed, get the archive from "
                f"{self.page} elsewhere and name its folder with --source"
            ) from None
        shutil.move(self.part, str(output_file))

    def _store(self, answer: Any, begin: int) -> None:
        left = answer.headers.get("Content-Length")
        total = begin + int(left) if left else None
        with (
            self.part.open("ab" if begin else "wb") as file,
            tqdm(
                total=total, initial=begin, unit="B", unit_scale=True, desc=self.part.stem, disable=None
            ) as bar,
        ):
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
        if total is not None and self.part.stat().st_size != total:
            raise OSError(f"cut off after {self.part.stat().st_size} of {total} bytes; repeat to go on")


def _address(url: str, source: str) -> str:
    if not source:
        return url
    base = source if urlparse(source).scheme else Path(source).resolve().as_uri()
    return f"{base.rstrip('/')}/{_file_name(url)}"


def _file_name(url: str) -> str:
    return PurePosixPath(urlparse(url).path).name


def _checksum_file(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.sha256")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def table(datasets: Sequence[Dataset] = DATASETS) -> str:
    """Name, title and licence of every data set, one a line."""
    width = max(len(d.name) for d in datasets)
    return "\n".join(f"{d.name:{width}}  {d.title}  [{d.licence.partition(';')[0]}]" for d in datasets)

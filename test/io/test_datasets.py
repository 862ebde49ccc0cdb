# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Downloads on this machine only: local files and a server of our own that is cut off."""

import functools
import http.server
import tarfile
import threading
import zipfile
from typing import ClassVar

import pytest

pytest.importorskip("pooch", reason="pooch is not installed: pip install .[datasets]")

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.io.datasets import (
    DATASETS,
    describe,
    download,
    find_dataset,
    sequences,
    table,
)

RPY = find_dataset("tum/fr1_rpy")
ARCHIVE = "rgbd_dataset_freiburg1_rpy.tgz"


@pytest.fixture
def shelf(tmp_path):
    """A folder with one archive as TUM packs it, large enough to be cut."""
    folder = tmp_path / "rgbd_dataset_freiburg1_rpy"
    folder.mkdir()
    (folder / "rgb.txt").write_text("# nothing\n")
    (folder / "big.bin").write_bytes(bytes(range(256)) * 4000)
    (tmp_path / "shelf").mkdir()
    with tarfile.open(tmp_path / "shelf" / ARCHIVE, "w:") as archive:
        archive.add(folder, folder.name)
    return tmp_path / "shelf"


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, knows ranges, and hangs up after ``patience`` bytes."""

    patience = None
    asked: ClassVar[list[str]] = []

    def do_GET(self):
        data = (type(self).folder / self.path.lstrip("/")).read_bytes()
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.asked.append(self.headers.get("Range", ""))
        if begin >= len(data):
            return self.send_error(416)
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        return self.wfile.write(data[begin : type(self).patience])

    def log_message(self, *_):
        pass


@pytest.fixture
def served(shelf):
    handler = type("Handler", (Server,), {"folder": shelf, "asked": [], "patience": None})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(shelf))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_local_archive_is_unpacked_and_its_checksum_kept(shelf, tmp_path):
    assert "none published" in describe(RPY, tmp_path / "data")
    found = download(RPY, tmp_path / "data", str(shelf))
    assert [p.name for p in found] == ["rgbd_dataset_freiburg1_rpy"]
    assert (found[0] / "big.bin").stat().st_size == 256 * 4000
    assert "of your first download" in describe(RPY, tmp_path / "data")
    (shelf / ARCHIVE).unlink()
    assert download(RPY, tmp_path / "data", str(shelf)) == found, "nothing is fetched twice"


def test_another_archive_of_the_same_name_is_refused(shelf, tmp_path):
    download(RPY, tmp_path / "data", str(shelf))
    (tmp_path / "data" / RPY.name / ARCHIVE).unlink()
    (shelf / ARCHIVE).write_bytes((shelf / ARCHIVE).read_bytes()[:-512] + b"x" * 512)
    with pytest.raises(InputError, match="does not match the known hash"):
        download(RPY, tmp_path / "data", str(shelf))


def test_a_download_goes_on_where_it_was_cut_off(served, tmp_path, shelf):
    handler, address = served
    handler.patience = 300_000
    with pytest.raises(InputError, match="cut off after 300000 of"):
        download(RPY, tmp_path / "data", address)
    handler.patience = None
    (found,) = download(RPY, tmp_path / "data", address)
    assert handler.asked == ["", "bytes=300000-"]
    assert (found.parent / ARCHIVE).read_bytes() == (shelf / ARCHIVE).read_bytes()


def test_all_of_it_had_arrived_when_it_was_cut_off(served, tmp_path, shelf):
    part = tmp_path / "data" / RPY.name / f"{ARCHIVE}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes((shelf / ARCHIVE).read_bytes())
    assert len(download(RPY, tmp_path / "data", served[1])) == 1
    assert not part.exists()


def test_several_zips_make_one_data_set(tmp_path):
    office = find_dataset("tartanair/office_easy")
    (tmp_path / "shelf").mkdir()
    for part in ("image_left", "depth_left"):
        with zipfile.ZipFile(tmp_path / "shelf" / f"{part}.zip", "w") as archive:
            archive.writestr(f"office/Easy/P000/{part}/000000_left.png", b"")
    (found,) = download(office, tmp_path / "data", str(tmp_path / "shelf"))
    assert {p.name for p in found.iterdir()} == {"image_left", "depth_left"}


@pytest.mark.parametrize(("name", "archives"), [
    ("tum/fr1_rpy", [ARCHIVE]), ("tartanair/office_easy", ["image_left.zip", "depth_left.zip"]),
])  # fmt: skip
def test_what_is_no_archive_is_said_in_one_line(tmp_path, name, archives):
    (tmp_path / "shelf").mkdir()
    for archive in archives:
        (tmp_path / "shelf" / archive).write_bytes(b"PK\3\4 a page of a proxy")
    with pytest.raises(InputError, match="delete it to fetch it again") as stopped:
        download(find_dataset(name), tmp_path / "data", str(tmp_path / "shelf"))
    assert "\n" not in str(stopped.value)


def test_hpatches_is_found_where_its_sequences_lie(tmp_path):
    (tmp_path / "hpatches-sequences-release" / "v_wall").mkdir(parents=True)
    assert sequences(tmp_path) == [tmp_path / "hpatches-sequences-release"]


def test_a_closed_network_is_said_in_one_line(tmp_path):
    with pytest.raises(InputError, match=r"cannot be fetched \(.*refused.*--source") as stopped:
        download(RPY, tmp_path, "http://127.0.0.1:9")
    assert "\n" not in str(stopped.value) and RPY.page in str(stopped.value)
    with pytest.raises(InputError, match="cannot be fetched"):
        download(RPY, tmp_path, str(tmp_path / "nowhere"))


def test_every_data_set_says_where_it_is_from_and_on_what_terms():
    assert len({d.name for d in DATASETS}) == len(DATASETS)
    assert {d.name.partition("/")[0] for d in DATASETS} == {"tum", "euroc", "kitti", "tartanair", "hpatches"}
    for dataset in DATASETS:
        assert dataset.licence and dataset.page.startswith("https://")
        assert all(url.endswith((".zip", ".tgz", ".tar.gz")) for url in dataset.urls)
        assert dataset.name in table()
    with pytest.raises(InputError, match="no such data set"):
        find_dataset("tum/nothing")

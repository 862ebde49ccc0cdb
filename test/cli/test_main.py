# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line: what it makes, and what it says when it cannot."""

import json
import sys
from types import ModuleType

import cv2
import numpy as np
import pytest
import sequences
from synthetic import LENS, panned

from hybrid_features_ros.cli.main import main
from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import FeatureConfig
from hybrid_features_ros.features.sift import SiftExtractor
from hybrid_features_ros.features.weights import load_weights
from hybrid_features_ros.io.bags import topics
from hybrid_features_ros.io.trajectory import format_stamp, read_tum
from hybrid_features_ros.visualization.report import read_page

KEYS = {
    "protocol", "frames", "with_orientation", "with_translation", "resets", "states", "ate_rmse_m",
    "rpe_trans_30f_median_m", "rot_rpe_30f_median_deg", "rot_rpe_30f_p95_deg", "nees_mean", "ms",
    "start", "fewest_inliers", "coverage_3sigma",
}  # fmt: skip


@pytest.fixture
def photo(tmp_path, photograph):
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), photograph)
    return path


def test_extract(photo, tmp_path, capsys):
    main(["extract", str(photo), "--out", str(tmp_path / "f.png"), "--set", "features.max_keypoints=30"])
    assert "30 s-trek features" in capsys.readouterr().out
    assert cv2.imread(str(tmp_path / "f.png")).shape == (240, 320, 3)


def test_match_finds_the_turned_image(photo, tmp_path, photograph, capsys):
    cv2.imwrite(str(tmp_path / "turned.png"), np.rot90(photograph))
    main(["match", str(photo), str(tmp_path / "turned.png"), "--out", str(tmp_path / "m.png")])
    found = int(capsys.readouterr().out.split()[0])
    assert found > 100
    assert cv2.imread(str(tmp_path / "m.png")).shape == (320, 320 + 8 + 240, 3)


def test_evaluate_knows_the_lens(tmp_path, photograph):
    """A camera with strong distortion pans over a wall by 3 degrees an image."""
    path, K = sequences.plain(tmp_path / "pan"), [200, 0, 159.5, 0, 200, 119.5, 0, 0, 1]
    lens = Camera.from_calibration(320, 240, K, "plumb_bob", LENS)
    for i in range(sequences.COUNT):
        cv2.imwrite(str(path / f"images/{i}.png"), panned(photograph, lens, 3.0 * i))
    calibration = {"width": 320, "height": 240, "model": "radtan", "K": K, "dist": LENS}
    (path / "calib.json").write_text(json.dumps(calibration))
    main(["evaluate", str(path), "--out", str(tmp_path / "run")])
    poses = read_tum(tmp_path / "run" / "trajectory.tum").poses
    turned = np.degrees(se3.rotation_angle(poses[0, :3, :3].T @ poses[-1, :3, :3]))
    assert turned == pytest.approx(3.0 * (sequences.COUNT - 1), abs=0.1)


def test_evaluate_reports_every_figure_with_its_protocol(tmp_path, photograph, capsys):
    path = sequences.plain(tmp_path / "walk")
    for i in range(5):
        turn = cv2.getRotationMatrix2D((159.5, 119.5), 3.0 * i, 1)
        cv2.imwrite(str(path / f"images/{i}.png"), cv2.warpAffine(photograph, turn, (320, 240)))
    calibration = json.loads((path / "calib.json").read_text())
    K = [300, 0, 159.5, 0, 300, 119.5, 0, 0, 1]
    (path / "calib.json").write_text(json.dumps({**calibration, "width": 320, "height": 240, "K": K}))
    main(
        [
            "evaluate",
            str(path),
            "--out",
            str(tmp_path / "run"),
            "--json",
            str(tmp_path / "r.json"),
            "--tum",
            str(tmp_path / "t.tum"),
        ]
    )
    report = json.loads((tmp_path / "r.json").read_text())
    assert set(report) >= KEYS
    assert report == json.loads(capsys.readouterr().out)
    assert report["frames"] == sum(report["states"].values()) == 5
    assert report["protocol"]["mode"] == "mono"
    assert report["protocol"]["metrics"]["alignment"].startswith("sim3")
    assert len(report["coverage_3sigma"]) == 6 and report["start"] == 0
    assert set(report["ms"]["track"]) == {"median", "p95"}
    assert len((tmp_path / "t.tum").read_text().splitlines()) == 6
    assert {p.name for p in (tmp_path / "run").iterdir()} == {
        "trajectory.tum", "metrics.json", "config.yaml", "report.html",
    }  # fmt: skip
    (run,) = read_page(tmp_path / "run")
    assert run["shots"] and run["metrics"] == report
    main(["report", str(tmp_path / "run"), str(tmp_path / "run"), "--out", str(tmp_path / "both.html")])
    assert len(read_page(tmp_path / "both.html")) == 2


def test_evaluate_from_another_start(tmp_path, capsys):
    path = sequences.plain(tmp_path / "walk")
    (path / "groundtruth.txt").unlink()
    main(["evaluate", str(path), "--start", "1", "--every", "2", "--out", str(tmp_path / "run")])
    report = json.loads(capsys.readouterr().out)
    assert (report["start"], report["frames"]) == (1, 2)
    assert report["coverage_3sigma"] is None and report["fewest_inliers"] is None
    stamps = [line.split()[0] for line in (tmp_path / "run" / "trajectory.tum").read_text().splitlines()[1:]]
    assert stamps == [format_stamp(int(s)) for s in sequences.stamps()[1::2]]
    with pytest.raises(SystemExit, match="start = 5, but it has 5 frames: 0 to 4"):
        main(["evaluate", str(path), "--start", "5", "--out", str(tmp_path / "run")])


def test_bag_make(tmp_path, capsys):
    path = sequences.plain(tmp_path / "walk", depth=True)
    main(["bag", "make", str(path), str(tmp_path / "bag"), "--storage", "mcap", "--compressed"])
    assert "/camera/image_raw/compressed" in topics(tmp_path / "bag")


def test_dataset_list_and_info(tmp_path, capsys):
    main(["dataset", "list"])
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert {"tum/fr1_rpy", "euroc/V1_01_easy", "kitti", "hpatches"} <= set(names)
    main(["dataset", "info", "kitti", "--out", str(tmp_path)])
    text = capsys.readouterr().out
    assert text.count("archive: ") == 3 and "CC BY-NC-SA" in text and "register" in text


def test_bench_all_says_what_it_lacks(tmp_path, capsys):
    main(["bench", "all", "--parts", "rotation", "homography", "speed", "--out", str(tmp_path / "bench")])
    said = capsys.readouterr()
    assert "skipped rotation: needs --images DIR" in said.err
    assert "skipped homography: needs --dataset DIR" in said.err
    assert set(json.loads((tmp_path / "bench" / "bench.json").read_text())["skipped"]) == {
        "rotation", "homography", "speed",
    }  # fmt: skip


def test_bench_messages(tmp_path, capsys, monkeypatch):
    pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")
    from hybrid_features_ros.nodes import bench_messages

    monkeypatch.setattr(bench_messages, "ROUNDS", 2)
    main(["bench", "messages", "--json", str(tmp_path / "m.json")])
    methods = json.loads(capsys.readouterr().out)["methods"]
    assert set(methods) == {
        "features to message", "message to features", "yardstick: descriptors assigned as a list",
    }  # fmt: skip
    assert json.loads((tmp_path / "m.json").read_text())["methods"] == methods


def test_export_writes_weights_and_compares_onnx_with_pytorch(tmp_path, capsys):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install .[train]")
    main(["export", "--weights", str(tmp_path / "net.npz"), "--onnx", str(tmp_path / "net.onnx")])
    assert float(capsys.readouterr().out.splitlines()[1].split()[-1]) < 1e-3
    assert load_weights("strek", tmp_path / "net.npz").digest == load_weights("strek").digest


def test_export_of_the_whole_extractor(tmp_path, capsys):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install .[train]")
    from hybrid_features_ros.features.onnx import OnnxNetwork

    file = tmp_path / "whole.onnx"
    main(["export", "--module", str(file), "--size", "96x80", "--keypoints", "50"])
    assert float(capsys.readouterr().out.split()[-1]) < 1e-3
    network = OnnxNetwork(file.read_bytes(), 1, ("CPUExecutionProvider",))
    assert network.inputs == {"image": (80, 96)} and network.config["width"] == 96
    flat = network(np.full((80, 96), 9, np.uint8))
    assert [len(output) for output in flat] == [0] * 5


@pytest.mark.parametrize("size", ["640", "0x480", "axb"])
def test_sizes_that_are_none(size, capsys):
    with pytest.raises(SystemExit):
        main(["export", "--module", "whole.onnx", "--size", size])
    assert "--size" in capsys.readouterr().err


def test_evaluate_records_for_rerun(tmp_path):
    pytest.importorskip("rerun", reason="rerun-sdk is not installed: pip install .[rerun]")
    path = sequences.plain(tmp_path / "walk")
    main(["evaluate", str(path), "--out", str(tmp_path / "run"), "--rerun", str(tmp_path / "run.rrd")])
    assert (tmp_path / "run.rrd").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["extract", "none.png"], "none.png: no such file"),
        (["extract", "PHOTO", "--out", "nowhere/f.png"], "cannot write"),
        (["extract", "PHOTO", "--out", "f"], "cannot write"),
        (["extract", "PHOTO", "--out", "f.xyz"], "cannot write"),
        (["extract", "PHOTO", "--set", "odometry.seed=1"], "this command does not use odometry.seed"),
        (["match", "PHOTO", "PHOTO", "--set", "frames.odom=x"], "here act features., odometry.matching."),
        (["render", "/proc/nothing"], "/proc/nothing"),
        (["render", "photo.png"], "photo.png"),
        (["bench", "rotation", "--json", "no/x.json"], "--json no/x.json: cannot write"),
        (["bench", "spin", "SEQUENCE", "--json", "no/x.json"], "--json no/x.json: cannot write"),
        (["bench", "spin", "SEQUENCE", "--write", "w", "--json", "f"], "does not use --json: leave it out"),
        (["bench", "spin", "SEQUENCE", "--write", "w", "--mode", "rgbd", "--tum", "f"], "--mode, --tum"),
        (["bench", "spin", "SEQUENCE", "--bags"], "say with --write DIR where to"),
        (["report", "SEQUENCE/images/0.png"], "not a report that this version reads"),
        (["extract", "PHOTO", "--set", "features.max_keypoints"], "write NAME=VALUE"),
        (["extract", "PHOTO", "--set", "features.max_keypoints=many"], "'many': give a int"),
        (["extract", "PHOTO", "--set", "features.max_keypoints=0"], "must lie in"),
        (["extract", "PHOTO", "--set", "features.keypoints=1"], "unknown parameter 'features.keypoints'"),
        (["evaluate", "nowhere"], "nowhere: no such file or folder"),
        (["bag", "make", "nowhere", "out"], "nowhere: no such file or folder"),
        (["report", "nowhere"], "nowhere: no report.html"),
        (["evaluate", "SEQUENCE", "--out", "photo.png"], "photo.png: cannot make this folder"),
        (["dataset", "info", "nothing"], "nothing: no such data set"),
        (["bench", "rotation"], "needs --images DIR"),
        (["export"], "say what to write: --weights FILE"),
    ],
)
def test_bad_input_is_one_line_and_status_one(photo, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    sequences.plain(tmp_path / "SEQUENCE")
    with pytest.raises(SystemExit) as stopped:
        main([str(photo) if a == "PHOTO" else a for a in arguments])
    text = str(stopped.value)
    assert text.startswith("error: ") and message in text
    assert "\n" not in text


def test_an_extractor_of_ones_own_is_taken_by_its_name(photo, tmp_path, capsys, monkeypatch):
    module = ModuleType("my_module")
    module.make = lambda max_keypoints: SiftExtractor(FeatureConfig("sift", max_keypoints=max_keypoints))
    monkeypatch.setitem(sys.modules, "my_module", module)
    arguments = ["extract", str(photo), "--out", str(tmp_path / "f.png"), "--extractor"]
    main([*arguments, "my_module:make"])
    assert "sift features" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*arguments, "surf"])
    assert "choose one of sift" in capsys.readouterr().err


def test_a_parameter_given_twice_is_refused(photo):
    with pytest.raises(SystemExit, match="given twice, first as 30"):
        main(["extract", str(photo), *["--set", "features.max_keypoints=30"] * 2])


def test_no_output_overwrites_an_input_or_another_output(photo, tmp_path):
    walk = sequences.plain(tmp_path / "walk")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    run = ["evaluate", str(walk), "--out", str(tmp_path / "run")]
    both = str(tmp_path / "new")
    for arguments in (
        ["extract", str(photo), "--out", str(photo)],
        ["match", str(photo), str(walk / "images/0.png"), "--out", str(walk / "images/0.png")],
        [*run, "--tum", str(walk / "groundtruth.txt")],
        [*run, "--json", str(walk / "calib.json")],
        [*run, "--tum", str(walk / "images/1.png")],
        [*run, "--json", both, "--tum", both],
    ):
        with pytest.raises(SystemExit, match=r"this file is an input|writes the same file"):
            main(arguments)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before

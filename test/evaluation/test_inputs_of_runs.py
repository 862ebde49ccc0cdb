# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What an evaluation does with recordings that lack something, and with options that do not fit."""

import json
import shutil
from itertools import pairwise
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import sequences

from hybrid_features_ros.cli.main import main
from hybrid_features_ros.core import se3
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import Config, with_options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import State, Trajectory
from hybrid_features_ros.evaluation import plausibility
from hybrid_features_ros.evaluation import run as run_module
from hybrid_features_ros.evaluation.evaluate import evaluate, with_mode
from hybrid_features_ros.evaluation.metrics import TruthNoise
from hybrid_features_ros.io.bags import make_bag
from hybrid_features_ros.io.source import Choice, Imu, Notes
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.io.trajectory import write_tum
from hybrid_features_ros.odometry import prior_doubt

pytestmark = pytest.mark.slow

CONFIG = with_options(Config(), {"features.extractor": "sift"})
CAMERA = Camera(320, 240, 300.0, 300.0, 159.5, 119.5)


@pytest.fixture
def walk(tmp_path, photograph):
    """A photograph that turns, with depth 2 m, as a pair whose right image is 15 px further left (0.1 m)."""
    for side, shift in (("left", 0), ("right", -15)):
        path = sequences.plain(tmp_path / f"walk_{side}", depth=True)
        for i in range(5):
            turn = cv2.getRotationMatrix2D((159.5, 119.5), 3.0 * i, 1)
            turn[0, 2] += shift
            cv2.imwrite(str(path / f"images/{i}.png"), cv2.warpAffine(photograph, turn, (320, 240)))
            cv2.imwrite(str(path / f"depth/{i}.png"), np.full((240, 320), 10000, np.uint16))
        calibrate(path, width=320, height=240, K=CAMERA.K.tolist(), baseline_m=0.1, dist=[0] * 4)
    return tmp_path / "walk_left"


def calibrate(path, **more):
    content = json.loads((path / "calib.json").read_text())
    (path / "calib.json").write_text(json.dumps({**content, **more}))


def as_bag(path):
    make_bag(open_source(path), path.with_name("bag"))
    return path.with_name("bag")


def no_depth(path):
    (path / "depth.txt").unlink()


def late_depth(path):
    lines = [line.split() for line in (path / "depth.txt").read_text().splitlines()]
    (path / "depth.txt").write_text("\n".join(f"{float(a) + 0.024:.9f} {b}" for a, b in lines))


def other_size(path):
    for i in range(5):
        cv2.imwrite(str(path / f"depth/{i}.png"), np.full((100, 300), 10000, np.uint16))


def no_right(path):
    shutil.rmtree(path.with_name("walk_right"))


def no_baseline(path):
    calibrate(path, baseline_m=0)


def distorted(path):
    calibrate(path, dist=[-0.2, 0.1, 0, 0])


def another_focal_length(path):
    calibrate(path.with_name("walk_right"), K=[[290, 0, 159.5], [0, 290, 119.5], [0, 0, 1]])


def empty_depth(path):
    for i in range(5):
        cv2.imwrite(str(path / f"depth/{i}.png"), np.zeros((240, 320), np.uint16))


def swapped(path):
    left, right, other = path / "images", path.with_name("walk_right") / "images", path.with_name("other")
    left.rename(other)
    right.rename(left)
    other.rename(right)


def same_images(path):
    shutil.rmtree(path.with_name("walk_right") / "images")
    shutil.copytree(path / "images", path.with_name("walk_right") / "images")


def no_measurement(path):
    (path / "imu.csv").write_text("# t, wx\n1305031231.5,nan,nan,nan,0,0,0\n")


@pytest.mark.parametrize(
    ("mode", "change", "message"),
    [
        ("rgbd", empty_depth, "no frame has depth: .*none holds a valid depth"),
        ("stereo", swapped, "swap left and right"),
        ("stereo", same_images, "left and right images are the same"),
        ("gyro", no_measurement, "no inertial measurements: .*imu.csv has no line of seven finite"),
        ("rgbd", no_depth, "no frame has depth: .*depth.txt"),
        ("rgbd", late_depth, "no frame has depth: .*0.024 s or more from every image"),
        ("rgbd", other_size, r"no usable frame: depth image is \(300, 100\)"),
        ("stereo", no_right, "no right camera: there is no .*walk_right"),
        ("stereo", no_baseline, "no baseline of the pair; write baseline_m"),
        ("stereo", distorted, "the images of the pair are not rectified"),
        ("stereo", another_focal_length, "not rectified to one another: fx 300 and 290"),
    ],
)
def test_what_a_mode_needs_and_a_recording_lacks(walk, mode, change, message):
    change(walk)
    with pytest.raises(InputError, match=message):
        evaluate(
            open_source(walk), with_mode(CONFIG, "mono" if mode == "gyro" else mode, gyro=mode == "gyro")
        )


def test_frames_without_depth_are_counted(walk):
    for i in range(4):
        cv2.imwrite(str(walk / f"depth/{i}.png"), np.zeros((240, 320), np.uint16))
    lines = evaluate(open_source(walk), with_mode(CONFIG, "rgbd")).report["protocol"]["assumed"]
    assert "4 of 5 frames have no depth" in lines


def test_a_prior_carries_the_pose_through_dark_images(walk):
    stamps = open_source(walk).stamps
    path = np.array([se3.make(np.eye(3), [0.1 * i, 0, 0]) for i in range(5)])
    for i in (2, 3, 4):
        cv2.imwrite(str(walk / f"images/{i}.png"), np.zeros((240, 320), np.uint8))
    write_tum(walk / "wheels.txt", Trajectory(stamps, path))
    source = open_source(walk, choice=Choice(prior="wheels.txt"))
    evaluation = evaluate(source, with_mode(CONFIG, "mono", prior=True))
    dark = evaluation.trajectory.poses[2:]
    assert np.allclose(np.diff(dark[:, 0, 3]), 0.1, atol=1e-3)
    assert "told the motion to 4 of 4 frames" in source.notes.assumed["motion prior"]
    assert evaluation.report["protocol"]["prior"] == "wheels.txt"


def test_a_prior_in_millimetres_is_doubted(walk, monkeypatch):
    monkeypatch.setattr(prior_doubt, "PLAUSIBLE", prior_doubt.Plausible(fewest=2))
    stamps = open_source(walk).stamps
    path = np.array([se3.make(np.eye(3), [100.0 * i, 0, 0]) for i in range(5)])
    write_tum(walk / "wheels.txt", Trajectory(stamps, path))
    source = open_source(walk, choice=Choice(prior="wheels.txt"))
    lines = evaluate(source, with_mode(CONFIG, "rgbd", prior=True)).report["protocol"]["assumed"]
    assert any("images contradict it; the motion prior" in line for line in lines)
    assert any("is it in metres?" in line for line in lines)


@pytest.mark.parametrize(
    ("late_s", "name", "message"),
    [
        (100.0, "wheels.txt", "no pose of the prior is of the images' time"),
        (0.0, "", "no motion prior was chosen"),
    ],
)
def test_a_prior_that_cannot_act_is_refused(walk, late_s, name, message):
    stamps = open_source(walk).stamps + round(late_s * 1e9)
    write_tum(walk / "wheels.txt", Trajectory(stamps, np.tile(np.eye(4), (5, 1, 1))))
    with pytest.raises(InputError, match=message):
        evaluate(open_source(walk, choice=Choice(prior=name)), with_mode(CONFIG, "mono", prior=True))


def test_a_gyroscope_of_a_part_of_the_images_is_said(walk):
    first = open_source(walk).stamps.tolist()[0]
    (walk / "imu.csv").write_text("".join(f"{first + k * 10_000_000},0,0,0,0,0,9.8\n" for k in range(8)))
    lines = evaluate(open_source(walk), with_mode(CONFIG, "mono", gyro=True)).report["protocol"]["assumed"]
    assert any("did not measure between 2 of 4 images" in line for line in lines)


def test_baselines_that_contradict_are_said(walk):
    calibrate(walk.with_name("walk_right"), baseline_m=1.0)
    assert "contradicts it with 1" in open_source(walk).notes.assumed["right"]


def test_far_depths_of_a_pair_are_not_doubted(walk, monkeypatch):
    monkeypatch.setattr(plausibility, "LOOKED_AT", 3)
    calibrate(walk, baseline_m=4.0)  # 80 m
    lines = evaluate(open_source(walk), with_mode(CONFIG, "stereo")).report["protocol"]["assumed"]
    assert not any("the median depth is" in line for line in lines)


@pytest.mark.parametrize("mode", ["rgbd", "stereo"])
def test_a_bag_gives_the_figures_of_its_folder(walk, mode):
    found = [evaluate(open_source(p), with_mode(CONFIG, mode)).results for p in (walk, as_bag(walk))]
    for a, b in zip(*found, strict=True):
        assert a.stamp == b.stamp and np.allclose(a.T_world_camera, b.T_world_camera, atol=1e-6)


def test_principal_points_that_differ_change_no_depth(walk):
    """The right image cropped by ten columns on its left: all points, and cx, ten pixels less."""
    right = walk.with_name("walk_right")
    for i in range(5):
        image = cv2.imread(str(right / f"images/{i}.png"), cv2.IMREAD_UNCHANGED)
        moved = np.roll(image, -10, axis=1)
        cv2.imwrite(str(right / f"images/{i}.png"), moved)
    calibrate(right, K=[[300, 0, 149.5], [0, 300, 119.5], [0, 0, 1]])
    depths = next(iter(run_module.run(open_source(walk), with_mode(CONFIG, "stereo")))).features.depths
    assert np.isfinite(depths).sum() > 100
    assert np.nanmedian(depths) == pytest.approx(2.0, rel=0.02)


def test_frames_that_cannot_be_used_are_counted_and_named(walk):
    (walk / "images/1.png").write_bytes(b"no image")
    cv2.imwrite(str(walk / "images/3.png"), np.zeros((100, 100), np.uint8))
    evaluation = evaluate(open_source(walk), CONFIG)
    assert len(evaluation.results) == 3
    skipped = evaluation.report["protocol"]["skipped"]
    assert skipped["count"] == 2 and "1.png" in skipped["first"]
    for i in range(5):
        cv2.imwrite(str(walk / f"images/{i}.png"), np.zeros((100, 100), np.uint8))
    with pytest.raises(
        InputError, match="no usable frame: the image has 100x100 pixels, its calibration is for"
    ):
        evaluate(open_source(walk), CONFIG)


class Interrupts:
    """Somebody who presses Ctrl-C at a frame."""

    def __init__(self, frame):
        self.left = frame

    def see(self, step):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("frame", [0, 2, 4])
def test_an_interrupted_run_keeps_what_it_has(walk, frame):
    evaluation = evaluate(open_source(walk), CONFIG, watchers=[Interrupts(frame)])
    assert len(evaluation.results) == frame + 1
    assert evaluation.report["protocol"]["interrupted"] is True
    assert (evaluation.report["ate_rmse_m"] is None) == (frame < 2)


def test_an_interrupted_command_writes_and_says_so(walk, monkeypatch, capsys):
    class Interrupted(run_module.Odometry):
        def process(self, stamp, *given):
            if stamp == sequences.stamps()[3]:
                raise KeyboardInterrupt
            return super().process(stamp, *given)

    monkeypatch.setattr(run_module, "Odometry", Interrupted)
    out = walk.with_name("run")
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", str(walk), "--out", str(out), "--extractor", "sift"])
    assert stopped.value.code == 130
    assert "interrupted after 3 of 5 frames" in capsys.readouterr().err
    assert json.loads((out / "metrics.json").read_text())["frames"] == 3


@pytest.mark.parametrize(
    ("scale", "said"), [(5000.0, False), (5.0, True), (1e5, False), (3e5, True)]
)  # 2 m, 2 km, 0.1 m, 0.03 m
def test_depths_that_cannot_be_are_doubted(walk, tmp_path, scale, said, monkeypatch):
    monkeypatch.setattr(plausibility, "LOOKED_AT", 3)
    calibrate(walk, depth_scale=scale)
    lines = evaluate(open_source(walk), with_mode(CONFIG, "rgbd")).report["protocol"]["assumed"]
    assert any("the median depth is" in line for line in lines) == said


def test_a_baseline_that_cannot_be_is_doubted(walk, monkeypatch):
    monkeypatch.setattr(plausibility, "LOOKED_AT", 3)
    calibrate(walk, baseline_m=100.0)  # millimetres
    lines = evaluate(open_source(walk), with_mode(CONFIG, "stereo")).report["protocol"]["assumed"]
    assert any("the baseline is in metres" in line for line in lines)


@pytest.mark.parametrize("state", [State.TRACKING, State.ROTATION_ONLY])
@pytest.mark.parametrize(
    ("factor", "axes", "said"),
    [(1.0, [0, 1, 2], False), (57.3, [0, 1, 2], True), (1 / 57.3, [0, 1, 2], True), (1.0, [1, 2, 0], True)],
)
def test_a_gyroscope_that_turns_otherwise_than_the_images_is_doubted(factor, axes, said, state):
    poses = [se3.exp([0, 0, 0, 0, 0.02 * i, 0.005 * i]) for i in range(40)]
    stamps = np.arange(40) * 50_000_000
    results = [
        SimpleNamespace(stamp=s, state=state, T_world_camera=T)
        for s, T in zip(stamps.tolist(), poses, strict=True)
    ]
    rates = [se3.rotation_vector(a[:3, :3].T @ b[:3, :3]) / 0.05 for a, b in pairwise(poses)]
    imu = Imu(stamps[1:], factor * np.array(rates)[:, axes], np.zeros((39, 3)))
    notes = Notes()
    plausibility.doubt_gyro(imu, results, notes)
    assert ("is it in rad/s" in notes.assumed.get("gyroscope", "")) == said


def test_what_was_assumed_is_printed_and_stands_in_the_protocol(walk, capsys):
    (walk / "groundtruth.txt").unlink()
    main(
        ["evaluate", str(walk), "--out", str(walk.with_name("run")), "--extractor", "sift", "--mode", "rgbd"]
    )
    said = capsys.readouterr()
    assumed = json.loads(said.out)["protocol"]["assumed"]
    assert any("5000 units per metre" in line for line in assumed)
    assert any("no truth: there is no" in line for line in assumed)
    assert all(f"note: {line}" in said.err for line in assumed)


@pytest.mark.parametrize("kind", ["folder", "bag"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--depth", "x"], "--depth x: only --mode rgbd uses it"),
        (["--depth-scale", "1000"], "--depth-scale 1000.0: only --mode rgbd uses it"),
        (["--right", "x"], "--right x: only --mode stereo uses it"),
        (["--left", "x"], "--left x: only --mode stereo uses it"),
        (["--imu", "x"], "--imu x: only --gyro uses it"),
        (["--mode", "stereo", "--left", "x", "--image", "y"], "are the same: give one"),
        (["--set", "input.depth=true"], "input.depth = true: say --mode rgbd"),
        (["--set", "input.stereo=true"], "input.stereo = true: say --mode stereo"),
        (["--set", "input.imu=true"], "input.imu = true: say --gyro"),
        (["--set", "input.prior=true"], "input.prior = true: say --prior"),
        (
            ["--set", "frames.odom=world"],
            "this command does not use frames.odom; here act features., odometry.",
        ),
        (["--set", "features.own_process=true"], "this command does not use features.own_process"),
        (["--set", "input.transport=compressed"], "this command does not use input.transport"),
        (["--mode", "rgbd", "--depth", "nothing"], "nothing"),
        (["--mode", "stereo", "--right", "nothing"], "nothing"),
        (["--gyro", "--imu", "nothing"], "nothing"),
        (["--gyro"], "no inertial measurements"),
        (["--image", "nothing"], "nothing"),
        (["--calib", "nothing.json"], "nothing.json: no such file"),
        (["--calib", "c.json", "--camera-info", "/c"], "give one of them"),
        (["--set", "features.extractor=orb"], "--extractor sift and --set features.extractor=orb: give one"),
        (["--truth", "nothing"], "nothing"),
        (["--mode", "rgbd", "--depth-scale", "0.001"], "give units per metre"),
        (["--tum", "no/t.tum"], "--tum no/t.tum: cannot write: No such file"),
        (["--json", "no/r.json"], "--json no/r.json: cannot write"),
        (["--rerun", "no/r.rrd"], "--rerun no/r.rrd: cannot write"),
        (["--tum", "/dev/full"], "/dev/full: cannot write: No space left"),
    ],
)
def test_every_option_acts_or_is_refused(walk, monkeypatch, kind, options, message):
    path = walk if kind == "folder" else as_bag(walk)
    monkeypatch.chdir(walk.parent)
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", str(path), "--out", "run", "--extractor", "sift", *options])
    assert str(stopped.value).startswith("error: ") and message in str(stopped.value)


def test_bags_that_cannot_be_written(walk, monkeypatch):
    for out in ("/proc/none", "/dev/null/bag"):
        with pytest.raises(SystemExit, match=f"error: {out}: cannot write"):
            main(["bag", "make", str(walk), out])


def test_a_configuration_of_results_makes_nodes_do_the_same(walk):
    evaluation = evaluate(open_source(walk), with_mode(CONFIG, "stereo"))
    assert evaluation.config.input.stereo and not evaluation.config.input.depth


def test_the_error_of_a_truth_that_is_not_there_is_refused(walk):
    (walk / "groundtruth.txt").unlink()
    with pytest.raises(InputError, match="no truth, of which --truth-sigma tells the error"):
        evaluate(open_source(walk), with_mode(CONFIG, "mono"), truth_noise=TruthNoise(0.02, 0.1))

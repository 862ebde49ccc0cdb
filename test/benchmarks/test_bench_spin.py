# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rolled recordings as a benchmark: ours, another system's trajectory, and sequences to hand out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import sequences

from hybrid_features_ros.benchmarks.spin import bench_spin
from hybrid_features_ros.cli.main import main
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.core.config import Config, with_options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.core.types import Trajectory
from hybrid_features_ros.io.sources import open_source
from hybrid_features_ros.io.trajectory import write_tum
from hybrid_features_ros.simulation.render import render_sequence
from hybrid_features_ros.simulation.roll import RolledSource, RollProfile

pytestmark = pytest.mark.slow

SIFT = with_options(Config(), {"features.extractor": "sift"})


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    camera = Camera(320, 240, 260.0, 260.0, 159.5, 119.5)
    return render_sequence(tmp_path_factory.mktemp("room") / "room", camera=camera, duration_s=1.0)


def test_roll_costs_nothing_with_depth(room: Path) -> None:
    profiles = [RollProfile.parse("constant:0"), RollProfile.parse("spin:360")]
    report = bench_spin(open_source(room), SIFT, profiles, "rgbd", 1)
    figures = report["sequences"]["room"]
    assert list(figures) == ["constant0", "spin360"]
    for figure in figures.values():
        assert figure["ate_rmse_m"]["worst"] < 0.01
        assert figure["resets"] == 0
    json.dumps(report)


def test_the_trajectory_of_another_system(room: Path, tmp_path: Path) -> None:
    source, profile = open_source(room), RollProfile.parse("swing:300")
    truth = RolledSource(source, profile).ground_truth
    write_tum(tmp_path / "exact.txt", truth)
    unrolled = Trajectory(truth.stamps, source.ground_truth.poses[: len(truth)])
    write_tum(tmp_path / "unrolled.txt", unrolled)
    exact, wrong = (
        bench_spin(source, SIFT, [profile], "rgbd", tum=tmp_path / f"{name}.txt")["sequences"]["room"]
        for name in ("exact", "unrolled")
    )
    assert exact[profile.name]["ate_rmse_m"]["worst"] < 1e-5
    assert exact[profile.name]["rot_rpe_30f_median_deg"] < 0.01
    assert wrong[profile.name]["rot_rpe_30f_median_deg"] > 10


def test_what_cannot_be_measured_is_said(room: Path, tmp_path: Path) -> None:
    source = open_source(room)
    with pytest.raises(InputError, match="a rolled pair is not rectified"):
        bench_spin(source, SIFT, [], "stereo")
    with pytest.raises(InputError, match="there are 2; give one"):
        bench_spin(source, SIFT, [RollProfile()] * 2, tum=tmp_path / "x.txt")


def test_the_command_writes_sequences_to_run_others_on(tmp_path: Path, capsys) -> None:
    sequences.plain(tmp_path / "a", depth=True)
    arguments = [str(tmp_path / "a"), "--profiles", "constant:30", "spin:90", "--every", "2"]
    main(["bench", "spin", *arguments, "--write", str(tmp_path / "out")])
    written = [Path(line) for line in capsys.readouterr().out.split()]
    assert [p.name for p in written] == ["a_constant30_every2", "a_spin90_every2"]
    assert len(open_source(written[0])) == 3
    main(["bench", "spin", *arguments, "--write", str(tmp_path / "bags"), "--bags"])
    bag = open_source(Path(capsys.readouterr().out.split()[0]))
    assert len(bag) == 3
    assert np.allclose(bag.ground_truth.poses, open_source(written[0]).ground_truth.poses, atol=1e-6)


def test_the_command_prints_figures(room: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "spin.json"
    command = ["bench", "spin", str(room), "--mode", "rgbd", "--profiles", "spin:200", "--starts", "1"]
    main([*command, "--every", "2", "--extractor", "sift", "--json", str(out)])
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads(out.read_text())
    assert list(report["sequences"]["room"]) == ["spin200_every2"]

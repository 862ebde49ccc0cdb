# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Recordings from several starts: lists, shards, figures and the comparison with earlier ones."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import sequences
from hypothesis import given
from hypothesis import strategies as st

from hybrid_features_ros.benchmarks.recordings import (
    FEWEST_FRAMES,
    Run,
    bench_recordings,
    first_frames,
    read_list,
    run_starts,
    shard,
    summary,
    table,
    worse,
)
from hybrid_features_ros.benchmarks.tables import tables
from hybrid_features_ros.cli.main import main
from hybrid_features_ros.core.config import Config, with_options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.evaluation.metrics import TruthNoise
from hybrid_features_ros.evaluation.run import run
from hybrid_features_ros.io.sources import open_source

pytestmark = pytest.mark.slow

SIFT = with_options(Config(), {"features.extractor": "sift"})
NOTHING = ("a: one run", "a")


@given(st.integers(1, 500), st.integers(1, 20))
def test_starts_are_spread_and_leave_a_run(count: int, starts: int) -> None:
    begins = first_frames(count, starts)
    assert all(count - begin >= FEWEST_FRAMES for begin in begins)
    assert begins == sorted(set(begins))
    assert (begins[:1] == [0]) == (count >= FEWEST_FRAMES)
    if count >= FEWEST_FRAMES * starts:
        assert len(begins) == starts


@given(st.integers(0, 30), st.integers(1, 7))
def test_shards_are_the_list_once(count: int, parts: int) -> None:
    runs = [Run(Path(str(i)), "mono") for i in range(count)]
    split = [shard(runs, f"{i}/{parts}") for i in range(1, parts + 1)]
    assert sorted((r for part in split for r in part), key=lambda r: int(r.path.name)) == runs
    assert max(map(len, split)) - min(map(len, split)) <= 1


@pytest.mark.parametrize("text", ["", "0/2", "3/2", "one/2", "2"])
def test_a_shard_that_is_none(text: str) -> None:
    with pytest.raises(InputError, match="give I/N"):
        shard([], text)


def test_a_list_is_read_relative_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(
        "# ours\nseq/a mono rgbd  # both\n\n../b truth_sigma=0.02,0.1 stereo\n"
    )
    assert read_list(tmp_path / "list.txt") == [
        Run(tmp_path / "seq/a", "mono"),
        Run(tmp_path / "seq/a", "rgbd"),
        Run(tmp_path / "../b", "stereo", TruthNoise(0.02, 0.1)),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\n", "list.txt:1: a has no mode; add mono or rgbd or stereo"),
        (b"a mono\nb lidar\n", "list.txt:2: mode 'lidar'; use mono, rgbd, stereo"),
        (b"# nothing\n", "no sequence in it"),
        (b"a mono truth_sigma=1,1 truth_sigma=2,2\n", "truth_sigma= is given 2 times"),
        (b"a mono truth_sigma=1\n", "list.txt:1: truth.*METRES,DEGREES"),
        (b"\xff\xfe\x00", "give a text file"),
    ],
)
def test_a_list_that_is_none(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_list(tmp_path / "list.txt")


def test_runs_that_share_a_pass_are_those_that_go_alone(tmp_path: Path) -> None:
    source = open_source(sequences.plain(tmp_path / "a", depth=True))
    together = run_starts(source, SIFT, "rgbd", 5)
    assert list(together) == [0, 1]
    depth = with_options(SIFT, {"input.depth": True})
    for start, results in together.items():
        alone = [step.result for step in run(source, depth, slice(start, None))]
        assert [r.stamp for r in results] == [r.stamp for r in alone]
        assert all((a.T_world_camera == b.T_world_camera).all() for a, b in zip(results, alone, strict=True))


def test_figures_of_ours_and_of_the_baselines(tmp_path: Path) -> None:
    path = sequences.plain(tmp_path / "a", depth=True)
    report = bench_recordings([Run(path, "mono"), Run(path, "rgbd")], SIFT, 2)
    assert set(report["sequences"]["a"]) == {"mono", "rgbd"}
    assert set(report["baselines"]) == {"textbook", "sift"}
    figures = report["sequences"]["a"]["mono"]
    assert figures["ate_rmse_m"]["worst"] >= figures["ate_rmse_m"]["median"] >= 0
    assert len(figures["coverage_3sigma"]) == 6
    assert {"rot_rpe_30f_median_deg", "with_translation_share", "resets", "fewest_inliers"} <= set(figures)
    assert report["baselines"]["sift"]["a"]["rgbd"] == report["sequences"]["a"]["rgbd"], "ours is SIFT here"
    assert "| a | rgbd |" in table(report)
    assert "| a, depth camera |" in tables({"recordings": report})["recordings"]
    json.dumps(report)


def test_the_worst_start_is_told_beside_the_median() -> None:
    runs = [
        {"ate_rmse_m": ate, "rot_rpe_30f_median_deg": 1.0, "rot_rpe_30f_p95_deg": 2.0} for ate in (1, 2, 9)
    ]
    assert summary(runs)["ate_rmse_m"] == {"median": 2.0, "worst": 9.0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f["ate_rmse_m"].update(median=1.2), "ATE median 1.2, was 1"),
        (lambda f: f["ate_rmse_m"].update(worst=2.3), "ATE worst 2.3, was 2"),
        (lambda f: f.update(rot_rpe_30f_median_deg=0.6), "rotation 0.6, was 0.5"),
        (lambda f: f.update(resets=1), "resets 1, was 0"),
        (lambda f: f.update(with_translation_share=0.9), "frames without translation 0.1, was 0"),
    ],
)
def test_what_is_worse_than_before_is_named(change, words: str) -> None:
    figures = {
        "ate_rmse_m": {"median": 1.0, "worst": 2.0}, "rot_rpe_30f_median_deg": 0.5,
        "resets": 0, "with_translation_share": 1.0,
    }  # fmt: skip
    before = {"sequences": {"a": {"mono": figures}}}
    now = copy.deepcopy(before)
    assert worse(now, before) == []
    change(now["sequences"]["a"]["mono"])
    assert worse(now, before) == [f"a mono: {words}"]
    assert worse({"sequences": {}}, before) == ["a mono: missing"]


def test_the_command_fails_where_figures_are_worse(tmp_path: Path, capsys) -> None:
    sequences.plain(tmp_path / "a")
    (tmp_path / "list.txt").write_text("a mono\n")
    out = tmp_path / "now.json"
    command = ["bench", "recordings", str(tmp_path / "list.txt"), "--starts", "1", "--extractor", "sift"]
    main([*command, "--baselines", "--json", str(out)])
    assert json.loads(capsys.readouterr().out) == json.loads(out.read_text())
    better = json.loads(out.read_text())
    better["sequences"]["a"]["mono"]["ate_rmse_m"]["median"] /= 2
    (tmp_path / "before.json").write_text(json.dumps(better))
    with pytest.raises(SystemExit, match="a mono: ATE median"):
        main([*command, "--baselines", "--baseline", str(tmp_path / "before.json")])


def test_a_baseline_file_that_is_none_is_said_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="give a file that"):
        main(["bench", "recordings", str(tmp_path / "none.txt"), "--baseline", str(tmp_path / "none.json")])


def test_counts_must_be_counts(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--starts 0: give a whole number from 1"):
        main(["bench", "recordings", str(tmp_path / "list.txt"), "--starts", "0"])

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The report holds everything, needs nothing, and its script draws it: under Node and in a browser."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from runs import circle, evaluation, snapshots

from hybrid_features_ros.core.config import options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.evaluation.results import write_results
from hybrid_features_ros.io.trajectory import read_tum
from hybrid_features_ros.visualization.report import read_page, run_data, write_page, write_report

NODE = shutil.which("node")
NODE_VERSION = subprocess.run([NODE, "--version"], capture_output=True, text=True).stdout if NODE else "v0"
NEEDS_NODE = pytest.mark.skipif(
    int(NODE_VERSION[1:].partition(".")[0]) < 18, reason="no Node.js of version 18: apt-get install nodejs"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def test_positions_are_aligned_and_upright():
    data = run_data(evaluation(error=0.0))
    path, truth = np.array(data["path"]), np.array(data["truth"])
    assert np.allclose(path, truth, atol=1e-3)
    assert max(data["errors"]["position"]) < 1e-3 and max(data["errors"]["orientation"]) < 1e-3
    height = -circle(60).poses[:, 1, 3]
    assert np.allclose(path[:, 2] - path[0, 2], height - height[0], atol=1e-3), "z is up"
    assert np.allclose(data["forward"][0], [0, 1, 0], atol=1e-3), "the first camera looks along y"
    assert np.allclose(data["right"][0], [1, 0, 0], atol=1e-3)


def test_without_truth_there_are_no_errors():
    data = run_data(evaluation(truth=False))
    assert data["truth"] is None and data["errors"]["position"] is None
    assert len(data["turning"]) == len(data["seconds"]) == 60


def test_every_frame_has_its_counts_and_times():
    data = run_data(evaluation())
    assert set(data["inliers"]) == {30} and set(data["matches"]) == {40}
    assert data["ms"]["track"] == [None, *[5.0] * 59]
    assert [data["reasons"][i] for i in data["reason"][:2]] == ["", "</script>"]


def test_the_page_is_one_file_without_a_network(tmp_path):
    write_page(tmp_path / "r.html", [run_data(evaluation("<b>"))])
    page = (tmp_path / "r.html").read_text()
    assert "{{" not in page.replace("${{", "")
    # The only address is the name of SVG's namespace, which nobody fetches.
    assert set(re.findall(r"https?://[^\s\"'<)]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<link|<script[^>]*\ssrc=|@import|url\(|fetch\(|XMLHttpRequest", page)
    assert "<title>&lt;b></title>" in page
    assert page.count("</script>") == 2, "data cannot end its script element"


def test_a_page_is_read_back_and_pages_are_put_side_by_side(tmp_path):
    for name in ("a", "b"):
        write_report(tmp_path / name, evaluation(name), snapshots(evaluation(name)))
    runs = [*read_page(tmp_path / "a"), *read_page(tmp_path / "b" / "report.html")]
    assert [r["name"] for r in runs] == ["a", "b"]
    assert runs[0] == run_data(evaluation("a"), snapshots(evaluation("a")))
    write_page(tmp_path / "both.html", runs)
    assert read_page(tmp_path / "both.html") == runs


def test_what_is_no_page_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        write_page(tmp_path / "none" / "r.html", [])
    with pytest.raises(InputError, match=r"no report\.html"):
        read_page(tmp_path)
    (tmp_path / "report.html").write_text("<html></html>")
    with pytest.raises(InputError, match="not a report that this version reads"):
        read_page(tmp_path)


def test_the_folder_holds_trajectory_figures_and_configuration(tmp_path):
    run = evaluation()
    write_results(tmp_path / "run", run)
    assert len(read_tum(tmp_path / "run" / "trajectory.tum")) == 60
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == run.report
    nodes = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["/**"]["ros__parameters"]
    for o in options(run.config):
        value = nodes
        for part in o.name.split("."):
            value = value[part]
        assert value == o.value


def test_seven_hundred_frames_weigh_less_than_ten_megabytes(tmp_path):
    run = evaluation(frames=700)
    write_page(tmp_path / "r.html", [run_data(run, snapshots(run, 12))])
    assert (tmp_path / "r.html").stat().st_size < 10e6


def shown(page: Path) -> dict:
    """What a page draws, see page_driver.js."""
    command = [NODE, str(Path(__file__).with_name("page_driver.js")), str(page)]
    return json.loads(subprocess.run(command, check=True, timeout=60, capture_output=True).stdout)


def end_of(path: str) -> list[float]:
    """The last point of an SVG path."""
    return [float(v) for v in re.findall(r"-?[\d.]+", path)[-2:]]


@NEEDS_NODE
def test_the_script_draws_one_run_and_follows_the_reader(tmp_path):
    run = evaluation("one")
    write_report(tmp_path / "one", run, snapshots(run))
    page = shown(tmp_path / "one" / "report.html")
    assert page["title"] == "one"
    assert {
        "From above",
        "In space",
        "State",
        "Position error",
        "Orientation error",
        "Time",
        "Frames",
    } <= set(page["headings"])
    data = run_data(run)
    traces = [p for p in page["paths"] if p["class"] == "trace"]
    assert len(traces) >= len(set(data["states"])), "a stretch of the path for every state"
    assert all("NaN" not in p["d"] and "undefined" not in p["d"] for p in page["paths"])
    assert ["odometry.seed", "0"] in page["rows"], "the configuration"
    assert page["idle"] == "hidden" and page["reading"].startswith(f"{data['seconds'][-1]:.2f} s")
    assert f"{data['inliers'][-1]} of {data['matches'][-1]} matches" in page["reading"]
    assert len(page["turned"]) == len(page["canvas"]) > 0, "the same lines"
    assert page["turned"] != page["canvas"], "an arrow key turns the path in space"
    assert page["shot"]["open"] and page["shot"]["reading"].startswith("0.00 s")
    assert page["theme"] == "dark"


@NEEDS_NODE
def test_the_script_puts_runs_side_by_side(tmp_path):
    runs = [run_data(evaluation(name, error=error)) for name, error in (("one", 0.01), ("two", 0.05))]
    for run in runs:
        run["shots"] = run_data(evaluation(), snapshots(evaluation()))["shots"]
    runs[1]["keypoints"] = [v // 2 for v in runs[1]["keypoints"]]
    write_page(tmp_path / "r.html", runs)
    page = shown(tmp_path / "r.html")
    assert page["title"] == "Comparison"
    assert ["position error, rmse", "0.010 m", "0.050 m"] in page["rows"]
    assert len(page["details"]) == 2 and page["details"][0] != page["details"][1]
    truth = next(p["d"] for p in page["paths"] if p["class"] == "truth")
    first = next(p["d"] for p in page["paths"] if p["class"] == "trace")
    assert np.allclose(end_of(truth), end_of(first), atol=12), "the paths end at one place"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
def test_a_browser_draws_it(tmp_path):
    write_page(tmp_path / "r.html", [run_data(evaluation("one")), run_data(evaluation("two", error=0.05))])
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
               "--window-size=1400,2600", "--virtual-time-budget=2000",
               f"--user-data-dir={tmp_path / 'user'}", f"--screenshot={tmp_path / 'r.png'}",
               f"file://{tmp_path / 'r.html'}"]  # fmt: skip
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    picture = cv2.imread(str(tmp_path / "r.png"))
    assert picture.shape == (2600, 1400, 3)
    colours = {tuple(c) for c in np.unique(picture.reshape(-1, 3)[:, ::-1], axis=0).tolist()}
    style = (tmp_path / "r.html").read_text().partition("data-theme")[0]
    for state in range(7):  # every state's colour in the band: the scripts ran to the end
        colour = re.search(rf"--s{state}: #(\w{{6}})", style).group(1)
        assert tuple(bytes.fromhex(colour)) in colours, f"state {state}"
    assert (picture[300:800, 720:1340] != picture[300, 720]).any(axis=2).mean() > 0.01, "the path in space"

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Every `hybrid-features` command of the documentation runs, page by page, word for word.

Inputs lie under the very names that the pages give them. What takes long is made short from outside: fewer
frames, steps and rounds. Downloads are tested by ``io/test_datasets.py``, ``make`` and ``ros2`` by CI
and ``test_launch.py``.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from test_docs import GENERATED, in_blocks, in_sentences

from hybrid_features_ros.benchmarks import bench, blur, endurance, speed, zoom
from hybrid_features_ros.benchmarks.baselines import yardstick
from hybrid_features_ros.cli import main as cli
from hybrid_features_ros.core.camera import Camera
from hybrid_features_ros.simulation import places, render, stress, two_views

pytestmark = pytest.mark.slow

SMALL = Camera(160, 120, 131.0, 131.0, 79.5, 59.5)
SHORT = {  # options that are appended
    ("bench", "consistency"): ["--rooms", "1", "--frames", "4"],
    ("bench", "endurance"): ["--minutes", "1"],
    ("bench", "recordings"): ["--starts", "1", "--extractor", "sift"],
    ("bench", "rotation"): ["--yardsticks", "sift"],
    ("bench", "turn"): ["--rate", "900", "--extractor", "sift"],
    ("bench", "spin"): ["--starts", "1", "--profiles", "spin:90", "--extractor", "sift"],
    ("bench", "all"): ["--yardsticks", "sift", "--scenes", "1"],
    ("bench", "pose"): ["--yardsticks", "sift", "--scenes", "1"],
    ("bench", "blur"): ["--yardsticks", "sift", "--scenes", "1"],
    ("bench", "zoom"): ["--yardsticks", "sift", "--scenes", "1"],
}
WRITTEN = (
    "--out",
    "--json",
    "--onnx",
    "--weights",
    "--picture",
    "--rerun",
    "--write",
)  # files that must be there

ELSEWHERE = (["download"], ["realtime"])  # needs the network; has its own test, with nodes in a process


def run_here() -> dict[str, list[list[str]]]:
    """The commands of every page, in order; of those in sentences the ones that name what they read."""
    found: dict[str, list[list[str]]] = {}
    for page, command in in_blocks() + [c for c in in_sentences() if re.search(r"\b[A-Z]+\b", c[1])]:
        program, *words = shlex.split(command)
        if program == "hybrid-features" and page not in GENERATED and words[1:2] not in ELSEWHERE:
            found.setdefault(page, []).append(words)
    return found


def posed_views(folder: Path, picture: np.ndarray) -> None:
    """Two views with K, R and position in Strecha's layout, 10 degrees apart."""
    folder.mkdir()
    height, width = picture.shape[:2]
    K = np.array([[800.0, 0, width / 2], [0, 800.0, height / 2], [0, 0, 1]])
    for i, degrees in enumerate((0.0, 10.0)):
        cv2.imwrite(f"{folder}/{i}.png", picture)
        R = cv2.Rodrigues(np.radians([0.0, degrees, 0.0]))[0]
        rows = [*K, np.zeros(3), *R, np.array([0.5 * i, 0, 0]), np.array([width, height])]
        Path(f"{folder}/{i}.png.camera").write_text("\n".join(" ".join(map(str, row)) for row in rows))


@pytest.fixture
def sandbox(photograph: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with everything that the pages' commands read, in a process where everything takes little."""
    monkeypatch.chdir(tmp_path)
    large = cv2.resize(photograph, (960, 720), interpolation=cv2.INTER_CUBIC)
    for folder in ("PHOTOGRAPHS", "TEST_PHOTOGRAPHS", "OTHERS", "DIR"):
        Path(folder).mkdir()
        cv2.imwrite(f"{folder}/1.png", large)
    for name, picture in (("IMAGE", photograph), ("A", photograph), ("B", np.rot90(photograph))):
        cv2.imwrite(f"{name}.png", picture)
        Path(f"{name}.png").rename(name)
    Path("OXFORD/scene").mkdir(parents=True)
    for i in (1, 2):
        cv2.imwrite(f"OXFORD/scene/{i}.ppm", cv2.cvtColor(photograph, cv2.COLOR_GRAY2BGR))
    Path("LIST").write_text("SEQUENCE mono\n")
    cv2.imwrite("PANORAMA.png", cv2.resize(large, (1600, 800)))
    Path("PANORAMA.png").rename("PANORAMA")
    posed_views(Path("DATASET"), large)
    package = ModuleType("my_package.my_module")
    package.MyExtractor = lambda max_keypoints: yardstick("orb", max_keypoints)
    monkeypatch.setitem(sys.modules, "my_package", ModuleType("my_package"))
    monkeypatch.setitem(sys.modules, "my_package.my_module", package)
    np.savetxt("OXFORD/scene/H_1_2", np.eye(3))
    render.render_sequence(Path("SEQUENCE"), camera=SMALL, duration_s=0.4)
    shutil.copy("SEQUENCE/groundtruth.txt", "SEQUENCE/wheels.txt")
    cli.main(["evaluate", "SEQUENCE", "--out", "RUN"])
    brief = partial(render.render_sequence, duration_s=0.3)
    for module in (render, bench):  # the command line imports it when it renders
        monkeypatch.setattr(module, "render_sequence", brief)
    for kind, name in ((places.PLACES, "corridor"), (stress.STRESS, "people")):
        monkeypatch.setitem(kind, name, replace(kind[name], camera=SMALL, lens=SMALL, duration_s=0.3))
    monkeypatch.setattr(two_views, "PAIRS_PER_SCENE", 1)
    monkeypatch.setattr(blur, "BLURS_PX", (0,))
    monkeypatch.setattr(blur, "LIGHTS", (1.0,))
    monkeypatch.setattr(zoom, "ZOOMS", (2.0,))
    monkeypatch.setattr(endurance, "RATE_HZ", 2.0)
    monkeypatch.setattr(speed, "ROUNDS", 1)
    monkeypatch.setattr(speed, "APART", False)
    monkeypatch.setattr(speed, "WARM_UP", 0)


@pytest.fixture
def little_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of a step or two."""
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install .[train]")
    from hybrid_features_ros.training import descriptor, detector, validation

    small = {
        descriptor: (
            descriptor.DescriptorTraining,
            {"warps": 2, "scenes": 0, "steps": 1, "validate_every": 1},
        ),
        detector: (
            detector.DetectorTraining,
            {"batch": 1, "steps": 1, "scenes": 1, "side": 160, "validate_every": 1},
        ),
    }
    for module, (kind, less) in small.items():
        monkeypatch.setattr(
            module, kind.__name__, lambda kind=kind, less=less, **k: replace(kind(**k), **less)
        )
    monkeypatch.setattr(validation, "PAIRS_PER_PHOTO", 1)


@pytest.mark.parametrize(("page", "lines"), run_here().items(), ids=run_here())
def test_the_commands_of_a_page_run(
    page: str, lines: list[list[str]], sandbox: None, request: pytest.FixtureRequest
) -> None:
    if any(words[0] in ("train", "export") for words in lines):
        request.getfixturevalue("little_training")
    if any("--rerun" in words for words in lines):
        pytest.importorskip("rerun", reason="Rerun is not installed: pip install .[rerun]")
    for words in lines:
        short = [] if "--write" in words else SHORT.get(tuple(words[:2]), [])  # writing measures nothing
        cli.main([*words, *short])
        for option, value in pairwise(words):
            assert option not in WRITTEN or Path(value).exists(), f"{' '.join(words)} left no {value}"

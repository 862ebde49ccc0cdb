# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the documentation says can be done can be done: commands, Python, links, generated pages."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hybrid_features_ros.benchmarks.tables import fill, tables
from hybrid_features_ros.cli.main import make_parser
from hybrid_features_ros.core.config import Config, options, with_options
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.nodes import api_reference

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("*.md")])
GENERATED = ("api.md", "commands.md", "interface.md", "parameters.md")
# Programs of others: that they exist is their business.
OTHERS = {"cd", "colcon", "git", "rerun", "rosdep", "source", "tensorboard"}


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Page and contents of every fenced block of a language."""
    for page in PAGES:
        for block in re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL):
            yield page.name, block


def in_blocks() -> list[tuple[str, str]]:
    """Page and text of every command line in a shell block."""
    return [
        (page, command.strip())
        for page, block in blocks("sh")
        for line in block.splitlines()
        for command in re.split(r"&&|;", line.partition(" #")[0])
        if command.strip()
    ]


def in_sentences() -> list[tuple[str, str]]:
    """Page and text of every command in a sentence; what it needs may be left out there."""
    found = []
    for page in PAGES:
        if page.name not in GENERATED:
            prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
            inline = re.findall(r"`((?:hybrid-features|make|ros2|python3|pip)\s[^`]+)`", prose)
            found += [(page.name, " ".join(c.split())) for c in inline]
    return found


def check(command: str) -> None:
    """That a command exists and takes these arguments; nothing is run."""
    program, *words = shlex.split(command)
    if program == "hybrid-features":
        parses(words)
    elif program == "make":
        targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {w for w in words if "=" not in w} <= targets, command
    elif program == "pip":
        extras = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
        asked = re.search(r"\[([\w,]+)\]", command)
        assert words[0] == "install" and (not asked or set(asked.group(1).split(",")) <= set(extras)), command
    elif program == "ros2":
        ros2(words)
    elif program in ("python3", "scripts/ros_env.sh"):
        python(words if program == "python3" else words[1:])
    else:
        assert program in OTHERS, f"nobody checks {program!r}: {command}"


def parses(words: list[str]) -> None:
    """Parse a command of ours. In a sentence its arguments may be left out, so its words are enough."""
    parser = make_parser()
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            parser.parse_args(words)
        except SystemExit:
            complaint = said.getvalue().splitlines()[-1]
            assert "are required" in complaint, complaint


def ros2(words: list[str]) -> None:
    if words[:2] == ["launch", "hybrid_features_ros"]:
        text = (ROOT / "launch" / words[2]).read_text() + (ROOT / "launch" / "vo.launch.py").read_text()
        for name in (w.partition(":=")[0] for w in words[3:] if ":=" in w):
            assert f'"{name}"' in text, f"{words[2]} has no argument {name}"
    elif words[0] == "param":
        if len(words) > 3 and words[1] == "set":
            kind = type(next(o.value for o in options(Config()) if o.name == words[3]))
            with_options(Config(), {words[3]: kind(words[4])})
        elif len(words) > 3:
            assert words[3] in {o.name for o in options(Config())} | {"PARAMETER"}
    elif words[0] == "topic":
        assert f"`{words[2].lstrip('/')}`" in (ROOT / "docs" / "interface.md").read_text(), words
    else:
        assert words[0] in ("run", "param"), words


def python(words: list[str]) -> None:
    if words[0] == "-m":
        assert (ROOT / (words[1].replace(".", "/") + ".py")).exists() or words[1] in ("pytest", "venv")
    else:
        assert (ROOT / words[0]).exists(), words


@pytest.mark.parametrize(("page", "command"), in_blocks() + in_sentences())
def test_every_command_is_there_and_takes_its_arguments(page: str, command: str) -> None:
    check(command)


@pytest.mark.parametrize(
    "wrong",
    ["hybrid-features evalute X", "hybrid-features evaluate X --mod rgb", "make dem", "pip install .[evil]",
     "ros2 launch hybrid_features_ros vo.launch.py imag:=/a", "python3 examples/none.py", "rm -r x",
     "ros2 param set /odometry_node odometry.matching.lowe_ratio 7"],
)  # fmt: skip
def test_wrong_commands_are_found(wrong: str) -> None:
    with pytest.raises((AssertionError, OSError, InputError)):
        check(wrong)


@pytest.mark.parametrize(("page", "code"), [b for b in blocks("python") if ">>>" not in b[1]])
def test_python_on_the_pages_runs(page: str, code: str, photograph: np.ndarray) -> None:
    from hybrid_features_ros.core.camera import Camera
    from hybrid_features_ros.core.config import Config
    from hybrid_features_ros.features import make_extractor
    from hybrid_features_ros.odometry import Odometry

    given = {
        "image": photograph, "other": np.rot90(photograph).copy(), "stamp": 1, "stamp_ns": 1,
        "camera": Camera(320, 240, 300.0, 300.0, 159.5, 119.5),
        "extractor": make_extractor(Config().features), "odometry": Odometry(Config().odometry),
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, page, "exec"), given)


def test_parameters_and_fields_on_the_pages_exist() -> None:
    known = {o.name for o in options(Config())}
    groups = {name.rpartition(".")[0] for name in known} | {"features", "odometry", "frames", "input"}
    message = (ROOT / "msg" / "OdometryStatus.msg").read_text()
    fields = set(re.findall(r"^[\w/\[\]]+ (\w+)\s", message, re.MULTILINE))
    for page in (p for p in PAGES if p.name != "api.md"):
        for name in re.findall(r"`((?:features|odometry|frames|input)\.[\w.]+)(?:`|: )", page.read_text()):
            assert name in known | groups, f"{page.name}: {name}"
        for name in re.findall(r"`status\.(\w+)`", page.read_text()):
            assert name in fields, f"{page.name}: status.{name}"


def anchors(page: Path) -> set[str]:
    """Names by which the headings of a page can be linked to."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_no_link_is_dead(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} -> {target}"
        assert not anchor or anchor in anchors(file), f"{page.name} -> {target}"


def test_tables_of_the_benchmarks_are_those_of_the_committed_figures() -> None:
    found = tables(json.loads((ROOT / "docs" / "bench.json").read_text()))
    for name in ("README.md", "docs/benchmarks.md"):
        page = (ROOT / name).read_text()
        assert "<!-- bench " in page
        assert page == fill(page, found), f"{name}: run `make docs`"


def test_generated_pages_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")
    from hybrid_features_ros.nodes import reference

    monkeypatch.setenv("ROS_DOMAIN_ID", "77")
    assert (ROOT / "docs" / "interface.md").read_text() == reference.interface(), "run `make docs`"


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse words its help in another way since 3.13")
def test_the_commands_page_is_that_of_the_parser() -> None:
    pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup` or source a ROS 2")
    from hybrid_features_ros.nodes import reference

    assert (ROOT / "docs" / "commands.md").read_text() == reference.commands(), "run `make docs`"


def test_the_api_page_is_that_of_the_docstrings() -> None:
    assert (ROOT / "docs" / "api.md").read_text() == api_reference.page(), "run `make docs`"


def test_docstrings_become_markdown() -> None:
    text = """A call, see :func:`~a.b.other`.

Args:
    one, two: of ``N`` [px],
        on two lines.

Returns:
    A number.

Example:
    >>> call()
    1

The end."""
    assert list(api_reference.markdown(text)) == [
        "A call, see `other`.", "", "**Args**", "", "- `one, two`: of `N` [px],", "  on two lines.", "",
        "**Returns**", "", "A number.", "", "**Example**", "", "```pycon", ">>> call()", "1", "```",
        "", "The end.",
    ]  # fmt: skip


def test_files_named_on_the_pages_exist() -> None:
    for page in (p for p in PAGES if p.name not in GENERATED):
        for name in re.findall(r"`((?:[\w.]+/)+(?:[\w.]+\.\w+)?)`", page.read_text()):
            homes = [
                h
                for h in (ROOT, ROOT / "hybrid_features_ros", ROOT / "docs")
                if (h / name.split("/")[0]).exists() and not name.startswith("results/")
            ]
            # Others are files of other projects, or results.
            assert not homes or any((home / name).exists() for home in homes), f"{page.name}: {name}"


def test_names_that_contributing_finds_in_files_are_there() -> None:
    named = re.findall(r"`([\w/]+\.py)` \(((?:`\w+`(?:, )?)+)\)", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(named) > 10
    for path, names in named:
        source = (ROOT / "hybrid_features_ros" / path).read_text()
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^ *(def|class) {name}\b", source, re.MULTILINE), f"{path}: {name}"


def test_every_command_has_a_help() -> None:
    def visit(parser: argparse.ArgumentParser) -> None:
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                assert all(c.help for c in action._choices_actions)
                for child in action.choices.values():
                    visit(child)

    visit(make_parser())


def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="MkDocs is not installed: pip install .[docs]")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr  # strict: a warning is an error
    for page in ROOT.glob("docs/*.md"):
        assert (tmp_path / f"{page.stem}.html").exists(), page.name

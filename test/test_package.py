# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The files that describe the package tell the same story."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from hybrid_features_ros import __version__

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "hybrid_features_ros"
CMAKE = (ROOT / "CMakeLists.txt").read_text()
MANIFEST = ET.parse(ROOT / "package.xml").getroot()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# Where a package lives whose import name is not its rosdep key.
KEYS = {
    "cv2": "python3-opencv",
    "matplotlib": "python3-matplotlib",
    "numpy": "python3-numpy",
    "scipy": "python3-scipy",
    "tqdm": "python3-tqdm",
    "yaml": "python3-yaml",
}
PIP_NAMES = {"cv2": "opencv-contrib-python-headless", "yaml": "PyYAML"}
# Imported inside functions by parts that say what to install: engines, training, photographs, downloads,
# Rerun.
OPTIONAL = {
    "onnx",
    "onnxruntime",
    "pooch",
    "rclpy",
    "rerun",
    "rosbags",
    "skimage",
    "sklearn",
    "torch",
    "torchvision",
}


def dependencies(*kinds: str) -> set[str]:
    """Names under the tags of package.xml; all dependencies if no tag is given."""
    return {
        (element.text or "").strip()
        for element in MANIFEST
        if (element.tag in kinds if kinds else element.tag.endswith("depend"))
    }


def imports(path: Path) -> set[str]:
    """Top-level names of the modules that a file imports."""
    tops: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            tops |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            tops.add((node.module or "").split(".")[0])
    return tops - set(sys.stdlib_module_names) - {PACKAGE, ""}


def sources(*, nodes: bool) -> list[Path]:
    everything = (ROOT / PACKAGE).rglob("*.py")
    return [p for p in everything if ("nodes" in p.relative_to(ROOT).parts) == nodes]


def test_names_and_versions_agree() -> None:
    assert MANIFEST.findtext("name") == PYPROJECT["project"]["name"] == PACKAGE
    assert MANIFEST.findtext("version") == PYPROJECT["project"]["version"] == __version__
    assert re.search(rf"^project\({PACKAGE}\)", CMAKE, re.MULTILINE)
    assert (ROOT / "resource" / PACKAGE).exists()


def test_the_newest_heading_of_the_changelog_is_this_version_with_its_date() -> None:
    changelog, citation = ((ROOT / name).read_text() for name in ("CHANGELOG.rst", "CITATION.cff"))
    headings = re.findall(r"^(\S+) \((\d{4}-\d{2}-\d{2})\)\n-+$", changelog, re.MULTILINE)
    version, date = headings[0]
    assert version == PYPROJECT["project"]["version"]
    assert [d for _, d in headings] == sorted((d for _, d in headings), reverse=True)
    assert f"\nversion: {version}\n" in citation
    assert f"\ndate-released: {date}\n" in citation


def test_files_of_the_release_are_yaml_and_have_no_placeholders() -> None:
    files = [*ROOT.glob(".github/**/*.yml"), ROOT / "CITATION.cff"]
    assert all(isinstance(yaml.safe_load(path.read_text()), dict) for path in files)
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    assert jobs["ros"]["strategy"]["matrix"]["distro"] == ["humble", "jazzy", "kilted"]
    pages = [*files, *ROOT.glob("*.md"), ROOT / "package.xml", *ROOT.glob("docker/*")]
    assert not [p.name for p in pages if re.search(r"<url>|example\.(com|org)|TODO|FIXME", p.read_text())]


def test_the_licence_is_the_same_everywhere() -> None:
    assert MANIFEST.findtext("license") == PYPROJECT["project"]["license"]["text"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0" in text


def test_every_source_file_names_its_licence() -> None:
    kinds = r"\.(py|sh|js|css|html|msg|srv|ya?ml|toml|xml|cff|l4t)$|(CMakeLists\.txt|Makefile|Dockerfile)$"
    try:
        listed = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no repository: files of the build cannot be told from sources")
    sources = [ROOT / name for name in listed.splitlines() if re.search(kinds, name)]
    for path in filter(Path.exists, sources):
        head = path.read_text().split("\n")[:5]
        assert any("SPDX-FileCopyrightText: 20" in line for line in head), path
        assert any("SPDX-License-Identifier: Apache-2.0" in line for line in head), path


def test_package_xml_is_format_3_for_ament_cmake() -> None:
    assert MANIFEST.get("format") == "3"
    assert MANIFEST.findtext("export/build_type") == "ament_cmake"
    assert MANIFEST.findtext("member_of_group") == "rosidl_interface_packages"


def test_no_dependency_is_declared_twice() -> None:
    names = [e.text for e in MANIFEST if e.tag.endswith("depend")]
    assert len(names) == len(set(names))


def test_apt_has_every_dependency() -> None:
    """Where pip installs into the system's Python it is refused (PEP 668), or replaces what others need."""
    assert not {name for name in dependencies() if name.endswith("-pip")}


def test_cmake_finds_what_package_xml_declares() -> None:
    found = set(re.findall(r"find_package\((\w+)", CMAKE))
    assert found - {"ament_cmake_python"} <= dependencies()  # that one comes with ament_cmake


def test_every_message_is_generated() -> None:
    interfaces = {f"{kind}/{p.name}" for kind in ("msg", "srv") for p in (ROOT / kind).glob("*.*")}
    assert interfaces == set(re.findall(r"(?:msg|srv)/\w+\.(?:msg|srv)", CMAKE))


def test_every_type_in_a_message_has_its_package_declared() -> None:
    used = {
        match.group(1)
        for path in [*(ROOT / "msg").glob("*.msg"), *(ROOT / "srv").glob("*.srv")]
        for match in re.finditer(r"^(\w+)/\w+", path.read_text(), re.MULTILINE)
    }
    assert used <= dependencies("depend")
    generated = re.search(r"DEPENDENCIES ([\w ]+)\)", CMAKE)
    assert generated
    assert used == set(generated.group(1).split())


def test_every_executable_has_its_module() -> None:
    nodes = re.search(r"foreach\(node ([\w ]+)\)", CMAKE)
    assert nodes
    for name in nodes.group(1).split():
        assert (ROOT / PACKAGE / "nodes" / f"{name}.py").exists()
    (command, entry) = next(iter(PYPROJECT["project"]["scripts"].items()))
    module, function = entry.split(":")
    assert f"install_executable({command} " in CMAKE
    assert re.search(
        rf"^def {function}\(", (ROOT / f"{module.replace('.', '/')}.py").read_text(), re.MULTILINE
    )


def test_ros_knows_everything_that_is_imported() -> None:
    for path in sources(nodes=True) + sources(nodes=False) + list((ROOT / "launch").glob("*.py")):
        unknown = {KEYS.get(name, name) for name in imports(path) - OPTIONAL} - dependencies()
        # Packages that come with a declared one: rclpy brings the interfaces of its own services.
        assert not unknown - {"rcl_interfaces", "ament_index_python"}, path


def test_pip_knows_everything_that_is_imported_without_ros() -> None:
    project = PYPROJECT["project"]
    declared = {re.split(r"[<>=\[]", d)[0] for d in project["dependencies"]}
    extras = {
        re.split(r"[<>=\[]", d)[0] for group in project["optional-dependencies"].values() for d in group
    }
    for path in sources(nodes=False):
        names = {PIP_NAMES.get(name, name) for name in imports(path) - OPTIONAL}
        assert names <= declared | extras, path


def test_lower_bounds_are_what_the_oldest_leg_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """numpy 1.21.5 and so on: what nobody has run is not promised."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import legs  # type: ignore[import-not-found]

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    bounds = dict(d.split(">=") for d in [*project["dependencies"], *extras["bags"], extras["eval"][-1]])
    oldest = next(leg for leg in legs.LEGS if leg.name == "oldest")
    run = {name: version for name, _, version in (r.partition("==") for r in oldest.requirements)}
    assert bounds.keys() == run.keys()
    for name, bound in bounds.items():  # OpenCV's fourth number counts the builds of a wheel
        assert f"{run[name]}.".startswith(f"{bound}."), name


def test_the_linter_has_one_version() -> None:
    pinned = next(d for d in PYPROJECT["project"]["optional-dependencies"]["dev"] if d.startswith("ruff"))
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert f"rev: v{pinned.removeprefix('ruff==')}\n" in hooks
    assert f'"{pinned}"' in (ROOT / "scripts" / "setup_ros.py").read_text()


def set_up(path: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the set-up script with nothing but ``path`` on PATH."""
    environment = {"PATH": path, "HOME": os.environ.get("HOME", "/"), **variables}
    script = ROOT / "scripts" / "setup_ros.py"
    return subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True)


def test_tools_that_a_sourced_ros_lacks_are_named(tmp_path: Path) -> None:
    """A ROS 2 whose Python has rclpy and no tools; -S keeps those of this environment away."""
    (tmp_path / "rclpy.py").touch()
    result = subprocess.run(
        [sys.executable, "-S", ROOT / "scripts" / "setup_ros.py", "--train"],
        env={"PATH": "", "ROS_DISTRO": "jazzy", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert "`make test` needs rosbags, scikit-image" in result.stderr
    assert "python3 -m venv --system-site-packages ~/venv" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_full_disk_is_told_before_anything_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import setup_ros  # type: ignore[import-not-found]

    monkeypatch.setattr(setup_ros.shutil, "disk_usage", lambda _: SimpleNamespace(free=5.4e9))
    setup_ros.check_space(5.4)
    with pytest.raises(setup_ros.SetupError, match=r"\.venv needs 8 GB more and the disk has 5\.4"):
        setup_ros.check_space(8)


def test_of_two_metadata_the_one_without_entry_points_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """colcon's build of the messages leaves an egg-info beside the editable installation's dist-info."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import setup_ros

    site = tmp_path / "lib" / "python3.11" / "site-packages"
    for name in (
        "hybrid_features_ros-0.2.0-py3.11.egg-info",
        "hybrid_features_ros-0.2.0.dist-info",
        "numpy.egg-info",
    ):
        (site / name).mkdir(parents=True)
        (site / name / "PKG-INFO").touch()
    monkeypatch.setattr(setup_ros, "VENV", tmp_path)
    setup_ros.remove_second_metadata()
    setup_ros.remove_second_metadata()  # nothing is left to delete
    assert sorted(p.name for p in site.iterdir()) == ["hybrid_features_ros-0.2.0.dist-info", "numpy.egg-info"]


@pytest.mark.skipif(sys.version_info[:2] > (3, 13), reason="set-up takes Python 3.10 to 3.13")
@pytest.mark.skipif(not sys.platform.startswith("linux") or os.uname().machine != "x86_64", reason="x86-64")
def test_set_up_without_a_compiler_names_the_packages(tmp_path: Path) -> None:
    result = set_up(str(tmp_path), PYTHON=getattr(sys, "_base_executable", sys.executable))
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "no C++ compiler on PATH" in result.stderr
    assert re.search(r"sudo apt install .*g\+\+", result.stderr)


@pytest.mark.skipif(not sys.platform.startswith("linux") or os.uname().machine != "x86_64", reason="x86-64")
def test_set_up_without_python_names_the_packages(tmp_path: Path) -> None:
    result = set_up(str(tmp_path), PYTHON="no-such-python")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "sudo apt install" in result.stderr

# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Help comes at once, with an example that parses; what is not installed is one line that names its extra."""

import argparse
import json
import shlex

import pytest
from missing import run_without

import hybrid_features_ros
from hybrid_features_ros.cli.examples import EXAMPLES
from hybrid_features_ros.cli.main import main, make_parser
from hybrid_features_ros.cli.options import config_of
from hybrid_features_ros.core.errors import InputError, extra

WITHOUT_EXTRAS = ("rosbags", "matplotlib", "onnxruntime", "onnx", "pooch", "rerun", "torch", "tensorboard")


def leaves(parser):
    children = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    found = [leaf for a in children for child in a.choices.values() for leaf in leaves(child)]
    return found or [parser]


def test_every_command_ends_its_help_with_an_example_that_parses():
    names = {leaf.prog.partition(" ")[2] for leaf in leaves(make_parser())}
    assert names == set(EXAMPLES)
    for name, example in EXAMPLES.items():
        program, *words = shlex.split(example)
        assert program == "hybrid-features" and example.startswith(f"hybrid-features {name}")
        given = make_parser().parse_args(words)
        if getattr(given, "set", None):
            config_of(given)  # refuses a parameter that does not exist
    assert all(leaf.format_help().rstrip().split()[-1] in leaf.epilog for leaf in leaves(make_parser()))


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"hybrid-features {hybrid_features_ros.__version__}\n"


def test_help_imports_nothing_but_the_standard_library():
    code = """
import json, sys
from hybrid_features_ros.cli.main import main
try:
    main(["evaluate", "--help"])
except SystemExit:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    told = run_without((), code, "-S").stdout  # -S: site-packages may have hooks that import what they like
    heavy = {"numpy", "cv2", "scipy", "yaml", "tqdm", *WITHOUT_EXTRAS}
    assert not heavy & set(json.loads(told.splitlines()[-1]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("bag make SEQUENCE OUT", "rosbags is not installed (extra `bags`): pip install rosbags"),
        ("bench endurance --minutes 1 --picture p.png", "matplotlib is not installed (extra `eval`)"),
        ("dataset download tum/fr1_rpy", "pooch is not installed (extra `datasets`)"),
        ("train curves RUN", "matplotlib is not installed (extra `eval`)"),
        ("train detector --data D --val V", "is not installed (extra `train`)"),
        ("export --onnx FILE", "is not installed (extra `train`)"),
    ],
)
def test_a_missing_extra_is_one_line(words, said, tmp_path):
    code = f"""
from hybrid_features_ros.cli.main import main
main({words.split()})
"""
    result = run_without(WITHOUT_EXTRAS, code, cwd=tmp_path)
    assert result.returncode == 1
    line = result.stderr.splitlines()[-1]
    assert line.startswith("error: ") and said in line
    assert "Traceback" not in result.stderr


def test_the_name_on_pypi_is_named():
    with pytest.raises(InputError, match="pip install rerun-sdk;"), extra("rerun"):
        raise ModuleNotFoundError(name="rerun.blueprint")

"""The script for trtexec names this network's input and sizes; trtexec itself is not here."""

import os
import subprocess

import numpy as np
import pytest

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features.engine import Engine, read_weights
from hybrid_features_ros.features.tensorrt import write_tensorrt_script


def test_the_script_calls_trtexec_with_sizes_that_the_network_takes(tmp_path):
    said = tmp_path / "said"
    trtexec = tmp_path / "trtexec"
    trtexec.write_text(f'#!/bin/sh\nfor word in "$@"; do echo "$word"; done > {said}\n')
    trtexec.chmod(0o755)
    script = tmp_path / "build.sh"
    write_tensorrt_script(script)
    assert "not run by us" in script.read_text()
    subprocess.run([script, "net.onnx"], env={**os.environ, "TRTEXEC": str(trtexec)}, check=True)
    words = dict(w.removeprefix("--").partition("=")[::2] for w in said.read_text().split())
    assert words["onnx"] == "net.onnx" and words["saveEngine"] == "net.engine" and "fp16" in words
    engine = Engine(read_weights("strek.onnx"), 1, ("CPUExecutionProvider",))
    name, _, shape = words["minShapes"].partition(":")
    assert [name] == list(engine.inputs)
    logits = engine(np.zeros([int(n) for n in shape.split("x")], np.float32))[0]
    assert logits.shape[2:] == (48, 64), "the margin is eaten"


def test_a_network_with_two_inputs_gets_the_sizes_of_both(tmp_path):
    model = tmp_path / "hybrid.onnx"
    model.write_bytes(read_weights("hybrid.onnx"))
    write_tensorrt_script(tmp_path / "build.sh", model)
    shapes = [w for w in (tmp_path / "build.sh").read_text().split() if w.startswith("--optShapes=")]
    patches, handcrafted = shapes[0].partition("=")[2].split(",")
    assert patches.startswith("patches:1000x1x") and handcrafted.startswith("handcrafted:1000x")


def test_what_cannot_be_written_or_read(tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        write_tensorrt_script(tmp_path / "none" / "build.sh")
    with pytest.raises(InputError, match="no such file"):
        write_tensorrt_script(tmp_path / "build.sh", tmp_path / "none.onnx")

"""TensorRT engines: the shell script that builds one where TensorRT is installed."""

from __future__ import annotations

from pathlib import Path

from hybrid_features_ros.errors import InputError
from hybrid_features_ros.features.engine import Engine, read_weights

# Heights and widths of a level of the image pyramid: of the coarsest kept, of VGA and of full HD.
LEAST, USUAL, MOST = (48, 64), (480, 640), (1080, 1920)


def write_tensorrt_script(out: Path, model: Path | None = None) -> None:
    """Write a script around ``trtexec`` for the detector, with its range of sizes.

    The nodes do not need it: ONNX Runtime's TensorRT provider builds its engines by itself. It is for
    programs that load engines directly, and to see what the network costs on a Jetson. It was written from
    trtexec's documentation and has not been run by us.

    Args:
        model: the exported network; None takes the one shipped.

    Raises:
        InputError: the model is no network of ours, or the script cannot be written.
    """
    engine = Engine(read_weights("strek.onnx", model), providers=("CPUExecutionProvider",))
    try:
        margin = 2 * int(engine.config["margin"])
    except KeyError:
        raise InputError(f"{model}: not a detector that `hybrid-features export` wrote") from None
    shapes = [f"level:1x1x{h + margin}x{w + margin}" for h, w in (LEAST, USUAL, MOST)]
    path = model or Path("strek.onnx")
    lines = [
        "#!/bin/sh",
        "# Builds and times a TensorRT engine; needs trtexec (TensorRT 8.6 or newer; on a Jetson it lies in",
        "# /usr/src/tensorrt/bin). Written by hybrid-features export, from the documentation; not run by us.",
        f"# Network {engine.digest}. Afterwards compare its outputs with those of ONNX Runtime on the CPU.",
        "set -eu",
        f"model=${{1:-{path.name}}}",
        'exec "${TRTEXEC:-trtexec}" --onnx="$model" --saveEngine="${model%.onnx}.engine" --fp16 \\',
        f"    --minShapes={shapes[0]} --optShapes={shapes[1]} --maxShapes={shapes[2]}",
    ]
    try:
        out.write_text("\n".join(lines) + "\n")
        out.chmod(0o755)
    except OSError as error:
        raise InputError(f"{out}: cannot write: {error.strerror}") from None

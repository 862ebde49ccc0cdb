"""TensorRT engines: the shell script that builds one where TensorRT is installed."""

from __future__ import annotations

from pathlib import Path

from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features.engine import Engine, read_weights

# Least, usual and greatest sizes of what differs from call to call: a level of the image pyramid with its
# margin, from the coarsest over VGA to full HD; the keypoints of an image.
SIZES = {"height": (54, 486, 1086), "width": (70, 646, 1926), "keypoints": (1, 1000, 20000)}


def write_tensorrt_script(out: Path, model: Path | None = None) -> None:
    """Write a script around ``trtexec`` for one of our networks, with its range of sizes.

    The nodes do not need it: ONNX Runtime's TensorRT provider builds its engines by itself. It is for
    programs that load engines directly, and to see what the network costs on a Jetson. It was written from
    trtexec's documentation and has not been run by us.

    Args:
        model: an exported network; None takes the detector shipped.

    Raises:
        InputError: the model is no network of ours, or the script cannot be written.
    """
    engine = Engine(read_weights("strek.onnx", model), providers=("CPUExecutionProvider",))
    if not engine.config:
        raise InputError(f"{model}: not a network that `hybrid-features export` wrote")
    least, usual, most = (_shapes(engine, which) for which in range(3))
    path = model or Path("strek.onnx")
    lines = [
        "#!/bin/sh",
        "# Builds and times a TensorRT engine; needs trtexec (TensorRT 8.6 or newer; on a Jetson it lies in",
        "# /usr/src/tensorrt/bin). Written by hybrid-features export, from the documentation; not run by us.",
        f"# Network {engine.digest}. Afterwards compare its outputs with those of ONNX Runtime on the CPU.",
        "set -eu",
        f"model=${{1:-{path.name}}}",
        'exec "${TRTEXEC:-trtexec}" --onnx="$model" --saveEngine="${model%.onnx}.engine" --fp16 \\',
        f"    --minShapes={least} --optShapes={usual} --maxShapes={most}",
    ]
    try:
        out.write_text("\n".join(lines) + "\n")
        out.chmod(0o755)
    except OSError as error:
        raise InputError(f"{out}: cannot write: {error.strerror}") from None


def _shapes(engine: Engine, which: int) -> str:
    return ",".join(
        f"{name}:" + "x".join(str(SIZES[n][which] if isinstance(n, str) else n) for n in shape)
        for name, shape in engine.inputs.items()
    )

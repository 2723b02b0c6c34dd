"""Build a stream of a MoViNet of any size as `.tflite`, with weights by chance, to test how it is adopted.

    pip install tf-models-official   # in an environment of its own: it brings a TensorFlow
    python scripts/movinet_stream.py a1 build/cache/movinet/movinet_a1_stream.tflite

The Model Garden writes its own streams in the same way (official/projects/movinet/tools). With these
files, tests/convert/stream_file compares the bundle with the file, run by hand, at every step.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

# The Model Garden is written for Keras 2.
os.environ["TF_USE_LEGACY_KERAS"] = "1"


def build(model_id: str, *, size_px: int, classes: int) -> Any:
    """Return a classifier with its states as inputs and outputs, and the states at the start."""
    import tensorflow as tf
    from official.projects.movinet.modeling import movinet, movinet_model

    tf.keras.utils.set_random_seed(1)
    backbone = movinet.Movinet(
        model_id=model_id,
        causal=True,
        conv_type="2plus1d",
        se_type="2plus3d",
        activation="hard_swish",
        gating_activation="hard_sigmoid",
        use_external_states=True,
        use_positional_encoding=model_id in ("a3", "a4", "a5"),
    )
    model = movinet_model.MovinetClassifier(backbone, num_classes=classes, output_states=True)
    shape = [1, 1, size_px, size_px, 3]
    model.build(shape)
    return model, model.init_states(shape)


def convert(model: Any, states: dict[str, Any], *, size_px: int) -> bytes:
    """Return the stream as a `.tflite` file with a signature."""
    import tensorflow as tf

    def name(state: str) -> str:
        return state.replace("/", "_")

    def step(image: Any, **before: Any) -> dict[str, Any]:
        logits, after = model({**{state: before[name(state)] for state in states}, "image": image})
        return {"logits": logits, **{name(state): each for state, each in after.items()}}

    image = tf.TensorSpec([1, 1, size_px, size_px, 3], tf.float32, name="image")
    specs = {name(state): tf.TensorSpec(each.shape, each.dtype, name=name(state)) for state, each in states.items()}
    module = tf.Module()
    module.model, module.step = model, tf.function(step)
    with tempfile.TemporaryDirectory() as folder:
        signature = module.step.get_concrete_function(image, **specs)
        tf.saved_model.save(module, folder, signatures={"serving_default": signature})
        return bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=[f"a{number}" for number in range(6)])
    parser.add_argument("out", type=Path, metavar="OUT.tflite")
    parser.add_argument("--size", type=int, default=64, metavar="PX", help="side of a frame (default: 64)")
    parser.add_argument("--classes", type=int, default=5, metavar="N", help="number of classes (default: 5)")
    args = parser.parse_args()
    model, states = build(args.model, size_px=args.size, classes=args.classes)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(convert(model, states, size_px=args.size))


if __name__ == "__main__":
    main()

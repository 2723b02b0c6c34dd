"""Streams as other people make them: small `.tflite` files whose states are inputs and outputs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevid.backends.litert import LiteRt
from edgevid.frames import Array

FRAME, CLASSES = (6, 8, 3), 3
ROW, UNITS = 5, 4


def conv_stream(folder: Path) -> bytes:
    """A MoViNet in small: a buffer of two features, a running mean, and an int32 count of frames.

    Its signature names each state alike on both sides, as the Model Garden's export does; the tensors
    themselves have other names.
    """
    import tensorflow as tf

    class Stream(tf.Module):
        def __init__(self) -> None:
            rng = np.random.default_rng(3)
            self.kernel = tf.Variable(rng.normal(size=(3, 3, 3, UNITS)), dtype=tf.float32)
            self.mixing = tf.Variable(rng.normal(size=(3, UNITS, CLASSES)), dtype=tf.float32)

        @tf.function(
            input_signature=[
                tf.TensorSpec((1, 1, *FRAME), name="image"),
                tf.TensorSpec((1, 2, UNITS), name="state_stream_buffer"),
                tf.TensorSpec((1, 1, UNITS), name="state_pool_buffer"),
                tf.TensorSpec((1,), tf.int32, name="state_pool_frame_count"),
            ]
        )
        def call(
            self, image: Any, state_stream_buffer: Any, state_pool_buffer: Any, state_pool_frame_count: Any
        ) -> Any:
            feature = tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(image[:, 0], self.kernel, 1, "SAME")), (1, 2))
            window = tf.concat([state_stream_buffer, feature[:, None]], 1)
            count = state_pool_frame_count + 1
            total = state_pool_buffer + feature[:, None]
            seen = window + total / tf.cast(count, tf.float32)[:, None, None]
            return {
                "logits": tf.einsum("btf,tfk->bk", seen, self.mixing),
                "state_stream_buffer": window[:, 1:],
                "state_pool_buffer": total,
                "state_pool_frame_count": count,
            }

    module = Stream()
    tf.saved_model.save(module, str(folder), signatures={"call": module.call})
    return bytes(tf.lite.TFLiteConverter.from_saved_model(str(folder), ["call"]).convert())


def gru_step(folder: Path, *, int8: bool = False) -> bytes:
    """One step of a GRU: a row and a state to probabilities and the next state; in int8 with all tensors."""
    import tensorflow as tf

    class Step(tf.Module):
        def __init__(self) -> None:
            rng = np.random.default_rng(5)
            self.kernel = tf.Variable(rng.normal(size=(ROW + UNITS, 2 * UNITS)), dtype=tf.float32)
            self.scores = tf.Variable(rng.normal(size=(UNITS, CLASSES)), dtype=tf.float32)

        @tf.function(input_signature=[tf.TensorSpec((1, ROW), name="x"), tf.TensorSpec((1, UNITS), name="h")])
        def call(self, x: Any, h: Any) -> Any:
            gates = tf.matmul(tf.concat([x, h], 1), self.kernel)
            update = tf.sigmoid(gates[:, :UNITS])
            state = update * h + (1 - update) * tf.tanh(gates[:, UNITS:])
            return {"scores": tf.nn.softmax(tf.matmul(state, self.scores)), "h_out": state}

    module = Step()
    tf.saved_model.save(module, str(folder), signatures={"call": module.call})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), ["call"])
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = _gru_samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        # The calibrator uses TensorFlow's own interpreter, which advises to use ai-edge-litert.
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated", category=UserWarning)
        return bytes(converter.convert())


def _gru_samples() -> Iterator[tuple[str, dict[str, Array]]]:
    rng = np.random.default_rng(9)
    for _ in range(50):
        yield (
            "call",
            {
                "x": rng.uniform(-1, 1, (1, ROW)).astype(np.float32),
                "h": rng.uniform(-1, 1, (1, UNITS)).astype(np.float32),
            },
        )


def without_signature(data: bytes) -> bytes:
    """Remove the signature of a file; converters before TensorFlow 2.5 wrote none."""
    from convert.frameworks import internals

    schema = internals.tflite_schema()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    model.signatureDefs = []
    import flatbuffers

    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def by_hand(data: bytes, frames: Sequence[Array], *, frame: str, scores: str, states: dict[str, Array]) -> list[Array]:
    """Run a file with a signature frame by frame, as its author's tutorial does: outputs are fed back as they are.

    Args:
        data: The file.
        frames: Each as the input takes it, with the batch of 1.
        frame: Name of the input of frames.
        scores: Name of the output of scores.
        states: What the states start with, by the name of their outputs and inputs.

    Returns:
        The scores after each frame, as stored.
    """
    runner = LiteRt().open(data, "file").get_signature_runner()
    answers = []
    for each in frames:
        outputs = runner(**{frame: each}, **states)
        answers.append(outputs.pop(scores))
        states = outputs
    return answers

"""Makes what peers need with TensorFlow: models, frames, `.tflite` files by the stock converter, and bundles.

Run by `chores.run`, in the environment of the workstation.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.doing import do_all
from benchmarks.peers.models import Subject, build, halves
from edgevid.capture.synthetic import GestureSource

# Frames of the stream beyond its first window: as many decisions are compared with Keras.
DECISIONS = 60
_CALIBRATION_WINDOWS = 12
_FPS = 10.0
# A new person and room so often: the answers of neighbouring windows are nearly the same otherwise.
_FRAMES_A_SEED = 24
Array = np.ndarray[Any, Any]


def rendered(count: int, *, size: int, seed: int) -> Array:
    """Return frames of gestures, (N, H, W, 3) uint8; every 24 of them by another person."""
    frames: list[Array] = []
    while len(frames) < count:
        source = GestureSource(
            seed=seed + len(frames), height_px=size, width_px=size, fps=_FPS, duration_s=_FRAMES_A_SEED / _FPS
        )
        frames += [frame.data.copy() for frame in source.frames()]
    return np.stack(frames[:count])


def _rendered(subject: Subject, counts: Sequence[int]) -> list[Array]:
    """Return frames to calibrate with and a stream, in the model's order of colours."""
    step = -1 if subject.color == "bgr" else 1
    return [
        np.ascontiguousarray(rendered(count, size=subject.size, seed=seed)[..., ::step])
        for count, seed in zip(counts, (1000, 5000), strict=True)
    ]


def _filmed(subject: Subject, counts: Sequence[int]) -> list[Array]:
    """Return the same from clips, the first 24 frames of each in random order; no clip is in both."""
    from convert.clips import find_clips

    paths = [str(clip.path) for clip in find_clips(subject.clips)]
    random.Random(0).shuffle(paths)
    found, left = [], iter(paths)
    for count in counts:
        frames: list[Array] = []
        while len(frames) < count:
            frames += _first_frames(next(left), subject.size)
        found.append(np.stack(frames[:count]))
    return found


def _first_frames(path: str, size: int) -> list[Array]:
    """Return frames of a video as OpenCV reads them, blue first."""
    import cv2

    capture, frames = cv2.VideoCapture(path), []
    while len(frames) < _FRAMES_A_SEED and (read := capture.read())[0]:
        frames.append(cv2.resize(read[1], (size, size)))
    capture.release()
    return frames


def windows_of(frames: Array, length: int, *, most: int) -> Array:
    """Return windows of frames, (N, T, H, W, 3), at equal steps."""
    starts = np.linspace(0, len(frames) - length, most).astype(int)
    return np.stack([frames[start : start + length] for start in np.unique(starts)])


def model(chore: dict[str, Any], out: Path) -> None:
    """Draw a model, and write it with its halves, its frames and the answers of Keras."""
    import tf_keras as keras

    subject, folder = Subject(**chore["subject"]), out.parent
    counts = (subject.frames + 3 * _FRAMES_A_SEED, subject.frames + DECISIONS - 1)
    learnt, stream = _filmed(subject, counts) if subject.clips else _rendered(subject, counts)
    windows = windows_of(learnt, subject.frames, most=_CALIBRATION_WINDOWS)
    built = halves(subject.source) if subject.source else build(subject, learnt[:: max(1, len(learnt) // 48)], windows)
    np.save(folder / "calibration.npy", windows)
    np.save(folder / "stream.npy", stream)
    every = windows_of(stream, subject.frames, most=DECISIONS)
    answers = [built.whole(window[None] / np.float32(255.0), training=False).numpy()[0] for window in every]
    np.save(folder / "reference.npy", np.stack(answers))
    parts = {"whole": built.whole, "encoder": built.encoder, "head": built.head}
    if built.unrolled:
        parts |= {"whole_unrolled": built.unrolled[0], "head_unrolled": built.unrolled[1]}
    for name, part in parts.items():
        if part is not None:
            _save(part, folder / "saved" / name)
    keras.models.save_model(built.whole, str(out), save_format="h5")


def _save(part: Any, folder: Path) -> None:
    """Write a SavedModel with a batch of 1, which the fusion of an LSTM needs."""
    import tensorflow as tf

    spec = tf.TensorSpec((1, *part.input_shape[1:]), tf.float32, name="given")
    fixed = tf.function(lambda given: part(given, training=False)).get_concrete_function(spec)
    tf.saved_model.save(part, str(folder), signatures=fixed)


def tflite(chore: dict[str, Any], out: Path) -> None:
    """Convert a SavedModel with the stock converter, as its documentation shows."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(chore["saved"])
    if chore["precision"] == "int8":
        examples = _examples(chore)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([each] for each in examples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    out.write_bytes(converter.convert())


def _examples(chore: dict[str, Any]) -> list[Array]:
    """Return the inputs of the part in the calibration windows, each with a batch of 1."""
    windows = np.load(Path(chore["folder"]) / "calibration.npy") / np.float32(255.0)
    if chore["part"] == "whole":
        return [window[None] for window in windows]
    if chore["part"] == "encoder":
        frames = windows.reshape(-1, *windows.shape[2:])
        return [frame[None] for frame in frames[:: max(1, len(frames) // 100)]]
    import tensorflow as tf

    encode = tf.saved_model.load(str(Path(chore["folder"]) / "saved" / "encoder")).signatures["serving_default"]
    rows = [[next(iter(encode(tf.constant(frame[None])).values())).numpy()[0] for frame in each] for each in windows]
    return [np.stack(window)[None] for window in rows]


def examples(chore: dict[str, Any], out: Path) -> None:
    """Write the inputs of a part for a converter in another environment."""
    np.save(out, np.stack(_examples(chore)))


def bundle(chore: dict[str, Any], out: Path) -> None:
    """Convert with edgevid, as `edgevid convert` does with its defaults, and unpack the parts for the floor."""
    from convert import Options, convert_model
    from convert.demo.annotated_video import write_video

    folder, subject = out.parent, Subject(**chore["subject"])
    clips = folder / "clips"
    clips.mkdir(exist_ok=True)
    for index, window in enumerate(np.load(folder / "calibration.npy")):
        # The writer wants blue first.
        bgr = window if subject.color == "bgr" else window[..., ::-1]
        write_video(clips / f"{index:02}.mp4", map(np.ascontiguousarray, bgr), fps=_FPS)
    options = Options(
        interval=1.0 / _FPS, color=subject.color, precision=chore["precision"], plan=chore["plan"], name=subject.name,
        max_drop=chore["max_drop"], min_agreement=chore["min_agreement"], target=chore["target"],
    )  # fmt: skip
    made = convert_model(folder / "model.h5", clips, out, options=options)
    made.path.with_suffix(".report.html").unlink(missing_ok=True)
    if chore["parts"]:
        write_parts(made.path, folder / chore["parts"])


def write_parts(path: Path, folder: Path) -> None:
    """Write the `.tflite` files of a bundle into a folder."""
    from edgevid import bundle as bundles

    read = bundles.read(path)
    folder.mkdir(exist_ok=True)
    for order, part in enumerate(read.manifest.parts):
        (folder / f"{order}-{part.role}.tflite").write_bytes(read.models[part.file])


if __name__ == "__main__":
    sys.exit(do_all({"model": model, "tflite": tflite, "examples": examples, "bundle": bundle}))

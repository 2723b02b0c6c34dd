"""The real interpreter with the shipped bundle: answers, rejected files, and memory per step."""

import dataclasses
import tracemalloc
from importlib import resources

import numpy as np
import pytest

from edgevid import bundle
from edgevid.backends.litert import LiteRt
from edgevid.errors import BackendError, PartsDoNotJoin
from edgevid.inference.engine import Engine
from tests.repo.files import ROOT

MODELS = ROOT.parent / "shared" / "models"
needs_models = pytest.mark.skipif(not MODELS.is_dir(), reason="the public models are not next to this checkout")


@pytest.fixture(scope="module")
def shipped():
    with resources.as_file(resources.files("edgevid") / "data" / "gestures.edgevid") as path:
        return bundle.read(path)


def play(engine, frames):
    engine.restart()
    answers = []
    for frame in frames:
        np.copyto(engine.input_buffer(), frame)
        answers.append(engine.step())
    return answers


def test_the_shipped_bundles_stream_equals_its_windows_without_tensorflow(shipped):
    from convert.verification.stages import window_scores

    length = shipped.manifest.window.frames
    frames = np.random.default_rng(0).integers(0, 256, (3 * length, *shipped.manifest.input.shape)).astype(np.uint8)
    streamed = play(Engine(shipped), frames)
    assert [each is None for each in streamed] == [True] * (length - 1) + [False] * (2 * length + 1)
    windows = [frames[end - length : end] for end in range(length, len(frames) + 1)]
    np.testing.assert_array_equal(np.stack(streamed[length - 1 :]), window_scores(shipped, windows))


def test_the_golden_answers_come_back_bit_for_bit(shipped):
    answers = [each for each in play(Engine(shipped), shipped.golden.frames) if each is not None]
    if shipped.golden.engine != LiteRt().name:
        pytest.skip(f"the golden answers are of {shipped.golden.engine}")
    np.testing.assert_array_equal(np.stack(answers), shipped.golden.scores)


@pytest.mark.parametrize("ask", ["load", "describe", "tensors"])
def test_a_file_whose_names_are_no_text_is_a_refusal_in_one_line(shipped, ask):
    part = shipped.manifest.parts[0]
    name = part.inputs[0].name.encode()
    damaged = shipped.models[part.file].replace(name, b"\xff" * len(name))
    with pytest.raises(BackendError, match=r"Expected a \.tflite model, got encoder\.tflite") as caught:
        LiteRt().load(part, damaged) if ask == "load" else getattr(LiteRt(), ask)(damaged, part.file)
    assert "\n" not in str(caught.value)


def test_more_threads_give_the_same_answers(shipped):
    frames = shipped.golden.frames
    one, two = (play(Engine(shipped, threads=threads), frames)[-1] for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_a_step_allocates_nothing_of_frame_size(shipped):
    engine = Engine(shipped)
    frames = np.random.default_rng(0).integers(0, 256, (64, *shipped.manifest.input.shape)).astype(np.uint8)
    play(engine, frames)
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        for frame in frames:
            np.copyto(engine.input_buffer(), frame)
            engine.step()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < frames[0].nbytes / 2


def test_scores_are_the_callers_to_keep(shipped):
    engine = Engine(shipped)
    frames = np.random.default_rng(1).integers(0, 256, (40, *shipped.manifest.input.shape)).astype(np.uint8)
    answers = [each for each in play(engine, frames) if each is not None]
    assert len({answer.tobytes() for answer in answers}) > 1, "answers that share one buffer"


@pytest.mark.parametrize("data", [b"", b"TFL3 nothing", bytes(2000)], ids=["empty", "short", "zeros"])
def test_bytes_that_are_no_model_are_refused_by_name(data, shipped):
    with pytest.raises(BackendError, match=r"can run, got head\.tflite") as caught:
        LiteRt().load(shipped.manifest.part("head"), data)
    assert "\n" not in str(caught.value)


def test_a_part_with_other_tensors_than_the_manifests_is_refused(shipped):
    head, encoder = shipped.manifest.part("head"), shipped.manifest.part("encoder")
    with pytest.raises(PartsDoNotJoin):
        LiteRt().load(head, shipped.models[encoder.file])
    shifted = dataclasses.replace(
        head, inputs=(dataclasses.replace(head.inputs[0], zero_point=head.inputs[0].zero_point - 1),)
    )
    with pytest.raises(PartsDoNotJoin):
        LiteRt().load(shifted, shipped.models[head.file])


@needs_models
@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("public/needs_flex_lstm.tflite", "Flex"),
        ("apache/keras_lstm_mnist_ptq_edgetpu.tflite", "Edge TPU"),
        ("apache/mobilenet_v1_0.25_128_quant_edgetpu.tflite", "Edge TPU"),
    ],
)
def test_a_model_that_this_interpreter_cannot_run_is_refused_with_the_reason(file, says):
    with pytest.raises(BackendError, match=says) as caught:
        LiteRt().open((MODELS / file).read_bytes(), file)
    assert "\n" not in str(caught.value)


@needs_models
def test_a_fused_lstm_of_someone_else_runs_as_it_is():
    inputs, outputs = LiteRt().describe((MODELS / "apache" / "trained_lstm_int8.tflite").read_bytes())
    assert {tensor.dtype for tensor in (*inputs.values(), *outputs.values())} == {"int8"}

"""After every frame, the stream's answer is the whole window's, bit for bit, for every plan and head.

The window's answer comes from `convert.verification.stages.window_scores`, which encodes each frame
of each window anew and keeps nothing.
"""

import numpy as np
import pytest

from edgevid.inference.engine import Engine
from edgevid.inference.probabilities import stored_to_probabilities as probabilities
from edgevid.quant import joiner, passes, quantize
from tests.models.conversions import Workshop
from tests.models.keras_models import CAUSAL, HEADS, cnn_rnn, convlstm, over_features

pytestmark = pytest.mark.tf
CASES = {
    **{f"window {head}": (lambda head=head: cnn_rnn(head), "window", "int8") for head in HEADS},
    "window motion": (lambda: cnn_rnn("lstm", motion=True), "window", "int8"),
    "window float head": (lambda: cnn_rnn("lstm"), "window", "int8+float"),
    "window 16x8 head": (lambda: cnn_rnn("lstm"), "window", "int8+int16x8"),
    "window float16": (lambda: cnn_rnn("gru"), "window", "float16"),
    "window features": (lambda: over_features("lstm"), "window", "int8"),
    "stack lstm": (lambda: cnn_rnn("lstm"), "stack", "int8"),
    "stack convlstm": (convlstm, "stack", "int8"),
    "window convlstm": (convlstm, "window", "int8"),
    "stack features": (lambda: over_features("conv1d"), "stack", "int8"),
}


def answers(engine, frames):
    engine.restart()
    given = []
    for frame in frames:
        np.copyto(engine.input_buffer(), frame)
        given.append(engine.step())
    return given


@pytest.mark.parametrize("case", CASES)
def test_the_stream_equals_the_window_bit_for_bit_at_every_step(case, workshop):
    from convert.verification.stages import window_scores

    make, plan, recipe = CASES[case]
    bundle = workshop.bundle(case, make, plan=plan, recipe=recipe)
    length = bundle.manifest.window.frames
    frames = Workshop.frames(bundle.manifest.input, 3 * length + 1, seed=7)
    streamed = answers(Engine(bundle), frames)
    assert all(each is None for each in streamed[: length - 1]), "an answer before the window was full"
    windows = [frames[end - length : end] for end in range(length, len(frames) + 1)]
    expected = window_scores(bundle, windows)
    assert np.ptp(expected, axis=0).max() > 0, "answers that never change would hide a ring that is off by one"
    np.testing.assert_array_equal(np.stack(streamed[length - 1 :]), expected)


def test_after_a_restart_the_stream_has_forgotten_everything(workshop):
    bundle = workshop.bundle("window lstm", lambda: cnn_rnn("lstm"))
    engine = Engine(bundle)
    frames = Workshop.frames(bundle.manifest.input, 20, seed=8)
    first = answers(engine, frames[8:])
    answers(engine, frames[:11])
    again = answers(engine, frames[8:])
    assert [each is None for each in first] == [each is None for each in again]
    np.testing.assert_array_equal(
        np.stack([each for each in first if each is not None]), np.stack([each for each in again if each is not None])
    )


@pytest.mark.parametrize("head", ["lstm", "lstm_stack", "gru", "simple_rnn"])
@pytest.mark.parametrize("recipe", ["int8", "int8+float"])
def test_a_stateful_stream_equals_its_parts_chained_by_hand_at_every_step(head, recipe, workshop):
    from edgevid.backends.litert import LiteRt

    bundle = workshop.bundle(f"stateful {head}", lambda: cnn_rnn(head), plan="stateful", recipe=recipe)
    frames = Workshop.frames(bundle.manifest.input, 20, seed=9)
    encoder, step = bundle.manifest.parts
    models = [LiteRt().load(part, bundle.models[part.file]) for part in (encoder, step)]
    states = [quantize(np.zeros(each.shape[1:]), each.params) for each in step.inputs[1:]]
    for frame, scores in zip(frames, answers(Engine(bundle), frames), strict=True):
        (feature,) = run(models[0], encoder, [(frame.astype(np.int16) - 128).astype(np.int8)])
        raw, *new = run(models[1], step, [carried(feature, encoder.outputs[0], step.inputs[0]), *states])
        states = [
            carried(state, after, before)
            for state, after, before in zip(new, step.outputs[1:], step.inputs[1:], strict=True)
        ]
        np.testing.assert_array_equal(
            scores, np.array(probabilities(step.outputs[0].params, bundle.manifest.scores)(raw), np.float32)
        )


@pytest.mark.parametrize("recipe", ["int8", "int8+float"])
def test_a_stateful_stream_answers_like_the_window_at_the_end_of_the_first_one(recipe, workshop):
    window = workshop.bundle(
        "window float head" if recipe == "int8+float" else "window lstm", lambda: cnn_rnn("lstm"), recipe=recipe
    )
    stateful = workshop.bundle("stateful lstm", lambda: cnn_rnn("lstm"), plan="stateful", recipe=recipe)
    frames = Workshop.frames(window.manifest.input, window.manifest.window.frames, seed=10)
    expected, got = answers(Engine(window), frames)[-1], answers(Engine(stateful), frames)[-1]
    assert np.abs(got - expected).max() < (1e-6 if recipe == "int8+float" else 0.05)


def run(model, part, inputs):
    for index, values in enumerate(inputs):
        model.write(index, values[None])
    model.invoke()
    return [model.read(index)[0] for index in range(len(part.outputs))]


def carried(values, source, target):
    out = np.empty(values.shape, target.dtype)
    joiner(source.params, target.params)(values, out)
    return out


@pytest.mark.parametrize("head", HEADS)
def test_an_int8_feature_passes_from_encoder_to_head_as_the_integer_it_is(head, workshop):
    encoder, tail = workshop.bundle(f"window {head}", lambda: cnn_rnn(head)).manifest.parts
    assert encoder.outputs[0].params.same_grid(tail.inputs[0].params)


# What comes out of a tanh, as a SimpleRNN's state does, has a grid that TensorFlow Lite's specification fixes: 1/128.
@pytest.mark.parametrize("plan", ["window", "stateful"])
@pytest.mark.parametrize("head", [head for head in CAUSAL if head != "simple_rnn"])
def test_an_int8_state_goes_round_as_the_integer_it_is(head, plan, workshop):
    *_, tail = workshop.bundle(f"{plan} {head}", lambda: cnn_rnn(head), plan=plan).manifest.parts
    states = list(zip(tail.inputs[1:], tail.outputs[1:], strict=True))
    assert states
    assert all(passes(after.params, before.params) for before, after in states)
    # On one grid to the last bit, products end in a half every so often, which x86 and ARM round differently.
    assert not any(before.params.same_grid(after.params) for before, after in states)


def test_an_int8_frame_is_quantised_by_flipping_one_bit(workshop):
    params = workshop.bundle("window lstm", lambda: cnn_rnn("lstm")).manifest.parts[0].inputs[0].params
    assert (params.dtype, params.zero_point) == ("int8", -128)
    assert abs(params.scale * 255 - 1) < 1e-6

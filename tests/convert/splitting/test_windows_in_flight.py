"""Heads that hold all windows in flight: which do, and that each window's answer is the trained model's."""

import numpy as np
import pytest

from tests.convert.parts import answer, clip, encode, parts_of
from tests.models.keras_models import CAUSAL, FRAMES, HEADS, cnn_rnn, convlstm

pytestmark = pytest.mark.tf
TOLERANCE = 1e-5


@pytest.mark.parametrize("head", HEADS)
def test_causal_recurrent_heads_hold_all_windows_in_flight_and_others_see_the_window(head):
    parts = parts_of(cnn_rnn(head))
    assert parts.in_flight == (head in CAUSAL)
    if parts.in_flight:
        assert {shape[:2] for shape in parts.head.input_shapes[1:]} == {(1, FRAMES)}


def test_a_head_is_light_where_its_products_are_few(monkeypatch):
    from convert.splitting import split

    assert parts_of(cnn_rnn("lstm")).light_head
    assert not parts_of(cnn_rnn("bilstm")).light_head
    monkeypatch.setattr(split, "LIGHT_PRODUCTS", 2 * FRAMES * 5**2 - 1)
    assert not parts_of(cnn_rnn("lstm")).light_head


def test_the_products_of_a_convlstm_are_counted_at_every_pixel(monkeypatch):
    from convert.splitting import split

    states = parts_of(convlstm()).head.input_shapes[1:]
    monkeypatch.setattr(split, "LIGHT_PRODUCTS", sum(np.prod(shape) * shape[-1] for shape in states) - 1)
    assert not parts_of(convlstm()).light_head
    monkeypatch.setattr(split, "LIGHT_PRODUCTS", split.LIGHT_PRODUCTS + 1)
    assert parts_of(convlstm()).light_head


def test_a_head_whose_states_are_too_large_to_carry_for_every_window_is_unrolled(monkeypatch):
    from convert.splitting import split

    monkeypatch.setattr(split, "MOST_STATE", 2 * 5 * FRAMES - 1)
    parts, window = parts_of(cnn_rnn("lstm")), clip()
    assert not parts.in_flight
    assert np.allclose(answer(parts, encode(parts, window)), cnn_rnn("lstm")(window), atol=TOLERANCE)


@pytest.mark.parametrize("head", CAUSAL)
def test_every_window_in_flight_gives_the_trained_models_answer_in_whichever_row_it_is(head):
    import tensorflow as tf

    from convert.splitting.stepping import steps

    model = cnn_rnn(head)
    parts, stream = parts_of(model), clip(frames=3 * FRAMES)
    encoded = np.concatenate([np.asarray(parts.encoder.function(frame[None])[0]) for frame in stream[0]])
    run = tf.function(parts.head.function, autograph=False)
    for index, (_, outputs) in enumerate(steps(parts.head, run, encoded)):
        if index >= FRAMES - 1:
            window = stream[:, index + 1 - FRAMES : index + 1]
            np.testing.assert_allclose(outputs[0][:, (index + 1) % FRAMES], model(window), atol=TOLERANCE)

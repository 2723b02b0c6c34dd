"""Splits a small model and runs its parts one by one."""

import numpy as np

from tests.models.keras_models import FRAME, FRAMES


def parts_of(model):
    from convert.graph.layer_graph import read_graph
    from convert.splitting.split import split

    return split(read_graph(model))


def clip(frames=FRAMES, shape=FRAME, seed=0):
    return np.random.default_rng(seed).random((1, frames, *shape)).astype(np.float32)


def encode(parts, window):
    seen, shape = parts.lookback + 1, parts.encoder.input_shapes[0]
    rows = [
        parts.encoder.function(window[0, start : start + seen].reshape(shape))[0]
        for start in range(parts.frames - parts.lookback)
    ]
    return np.concatenate([np.asarray(row) for row in rows])[None]


def answer(parts, features):
    """Return the head's answer for one window (1, T, F) of features."""
    from convert.splitting.stepping import last_answer

    return last_answer(parts.head, parts.head.function, features[0])

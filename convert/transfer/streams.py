"""The pictures of a window that an encoder sees: frames, differences of frames, or both.

The names alone need no Keras; it is imported where a network is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    import keras

    from convert.encoders.frame_encoder import FrameEncoder
    from convert.frameworks.frame_difference import FrameDifference

Stream = Literal["frames", "differences"]
Streams = tuple[Stream, ...]
STREAMS: tuple[Stream, ...] = get_args(Stream)
# What moves changes a pixel by less than half of the range. Doubled, a difference has the contrast
# of the pictures that the encoder was trained on.
_GAIN = 2.0


def lookback(streams: Streams) -> int:
    """Return how many frames of a window have no features, because they have no frame before."""
    return 1 if "differences" in streams else 0


def video_encoder(encoder: FrameEncoder, streams: Streams, *, frames: int) -> tuple[Any, Any]:
    """Apply an encoder to each frame of a window.

    Args:
        encoder: Encoder of one frame.
        streams: What it sees.
        frames: Length of the window, T.

    Returns:
        Keras tensors: the window (B, T, H, W, C), or (B, T, F) of rows, and its features (B, T - lookback, F), those of
        frames before those of differences.
    """
    import keras

    window = keras.Input((frames, *encoder.input.shape), name="frames")
    if encoder.input.kind == "features":
        return window, _of_rows(window, streams)
    seen, per_frame = window, encoder.model
    if "differences" in streams:
        seen = frame_differences(encoder, keep="frames" in streams)(window)
    if len(streams) > 1:
        per_frame = _of_both(encoder)
    return window, keras.layers.TimeDistributed(per_frame, name="each_frame")(seen)


def _of_rows(window: Any, streams: Streams) -> Any:
    """Return rows, their differences, or both: they have no range to keep to, and no encoder."""
    if "differences" not in streams:
        return window
    import keras

    from convert.frameworks.frame_difference import FrameDifference

    is_both = "frames" in streams
    seen = FrameDifference(keep=is_both, name="differences")(window)
    width = window.shape[-1]
    return keras.layers.Concatenate(name="rows_first")([seen[..., width:], seen[..., :width]]) if is_both else seen


def frame_differences(encoder: FrameEncoder, *, keep: bool) -> FrameDifference:
    """Return the layer whose differences an encoder takes for pictures.

    Args:
        encoder: Encoder of one frame.
        keep: As for `FrameDifference`.
    """
    from convert.frameworks.frame_difference import FrameDifference

    low, high = encoder.input.range
    return FrameDifference(keep=keep, gain=_GAIN, offset=(low + high) / 2, limits=(low, high), name="differences")


def _of_both(encoder: FrameEncoder) -> keras.Model:
    """Return a model from a difference and its newer frame, as channels, to the features of both."""
    import keras

    height, width, channels = encoder.input.shape
    pair = keras.Input((height, width, 2 * channels), name="pair")
    features = [encoder.model(pair[..., channels:]), encoder.model(pair[..., :channels])]
    return keras.Model(pair, keras.layers.Concatenate(name="features")(features), name="both_streams")

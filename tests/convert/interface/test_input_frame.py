"""An error about clips states how the model's input was read, where another reading may be right."""

import numpy as np

from convert.interface.input_frame import with_reading
from edgevid.errors import ClipsError
from edgevid.frames.preprocess import InputSpec

NOTE = "the axes of input (12, 9, 9, 5) are read as t,f; pass --axes if they are others"


def rows_of(numbers):
    return InputSpec(kind="features", height=1, width=1, channels=numbers, color="none")


def message(folder, numbers, *, frames, notes=()):
    error = ClipsError(expected=f"clips (.npy) in {folder}", found="none")
    return str(with_reading(error, folder, rows_of(numbers), window=(frames, numbers), notes=notes))


def test_clips_of_shorter_rows_than_a_flat_input_name_the_option_with_their_number(tmp_path):
    np.save(tmp_path / "wave.npy", np.zeros((30, 12), np.float32))
    assert message(tmp_path, 60, frames=1).endswith("are 5 rows of 12: --axes tf --frames 5")
    for numbers, frames in ((61, 1), (60, 10), (12, 1)):
        assert "--axes" not in message(tmp_path, numbers, frames=frames)


def test_clips_of_another_kind_than_features_state_how_the_axes_were_read(tmp_path):
    (tmp_path / "wave.mp4").write_bytes(b"")
    assert message(tmp_path, 405, frames=12, notes=("another note", NOTE)).endswith(f"got none. T{NOTE[1:]}.")
    assert "--axes t,h*w*c and --frame-size HEIGHT,WIDTH" in message(tmp_path, 405, frames=12)


def test_an_error_about_videos_stays_as_it_is(tmp_path):
    error = ClipsError(expected="clips (.mp4)", found="none")
    spec = InputSpec(height=9, width=9, channels=3)
    assert with_reading(error, tmp_path, spec, window=(4, 9, 9, 3), notes=(NOTE,)) is error

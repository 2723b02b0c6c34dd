"""The integrity check of `.tflite` files, which runs before an interpreter opens them."""

from __future__ import annotations

import numpy as np
import pytest

from convert.tflite_file import check_whole
from edgevid.commands.demo import shipped_bundle
from edgevid.errors import ModelError

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def parts():
    return dict(shipped_bundle().models)


def changed(data, change):
    """Return the file with its objects changed."""
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    change(model)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def weights(model):
    """Return the tensor with the most bytes."""
    return max(
        model.subgraphs[0].tensors,
        key=lambda tensor: 0 if model.buffers[tensor.buffer].data is None else len(model.buffers[tensor.buffer].data),
    )


def set_first(name, number):
    """Point a list of the second operator somewhere else."""

    def change(model):
        operator = model.subgraphs[0].operators[1]
        setattr(operator, name, [number, *getattr(operator, name)[1:]])

    return change


def fewer_bytes(model):
    buffer = model.buffers[weights(model).buffer]
    buffer.data = buffer.data[:-1]


DAMAGE = {
    "an input that is not there": set_first("inputs", 9999),
    "an input below what may be left out": set_first("inputs", -2),
    "an output that is not there": set_first("outputs", 9999),
    "an output that is left out": set_first("outputs", -1),
    "the file's input is not there": lambda model: setattr(model.subgraphs[0], "inputs", [9999]),
    "the file's output is not there": lambda model: setattr(model.subgraphs[0], "outputs", [-1]),
    "an operator of no kind": lambda model: setattr(model.subgraphs[0].operators[0], "opcodeIndex", 9999),
    "bytes that are not there": lambda model: setattr(weights(model), "buffer", 9999),
    "a byte too few": fewer_bytes,
    "a shape of more numbers than there are": lambda model: setattr(
        weights(model), "shape", [*weights(model).shape[:-1], 9999]
    ),
    "a negative size": lambda model: setattr(weights(model), "shape", [-1, -1]),
    "a scale too many": lambda model: setattr(weights(model).quantization, "scale", np.ones(9999, np.float32)),
    "scales along an axis that is not there": lambda model: (
        setattr(weights(model).quantization, "scale", np.ones(2, np.float32)),
        setattr(weights(model).quantization, "quantizedDimension", 7),
    ),
    "a name that is no text": lambda model: setattr(weights(model), "name", b"\xff\xfe"),
}


def test_whole_files_are_taken_also_when_written_again(parts):
    for name, data in parts.items():
        check_whole(data, name)
        check_whole(changed(data, lambda _model: None), name)


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_a_file_whose_parts_do_not_fit_together_is_refused(parts, change):
    data = parts["encoder.tflite"]
    with pytest.raises(ModelError, match=r"a damaged one in theirs\.tflite") as caught:
        check_whole(changed(data, change), "theirs.tflite")
    assert "\n" not in str(caught.value)


def test_a_file_cut_anywhere_is_refused(parts):
    data = parts["head.tflite"]
    for share in (0.001, 0.1, 0.5, 0.9):
        with pytest.raises(ModelError, match=r"Expected a (whole )?\.tflite file"):
            check_whole(data[: int(len(data) * share)], "cut.tflite")


def test_a_conversion_refuses_such_a_file_before_an_interpreter_sees_it(parts, tmp_path, monkeypatch):
    from convert import convert_model, open_model

    def never(*_args, **_more):
        raise AssertionError("the interpreter was given a damaged file")

    monkeypatch.setattr(open_model, "adopt", never)
    (tmp_path / "theirs.tflite").write_bytes(changed(parts["head.tflite"], set_first("inputs", 9999)))
    with pytest.raises(ModelError, match="a damaged one"):
        convert_model(tmp_path / "theirs.tflite", tmp_path, tmp_path / "out.edgevid")
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.tflite"]

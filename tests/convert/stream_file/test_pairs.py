"""Which output of a stream becomes which input: by what is stated, by name, or by shape; else it is refused."""

import pytest

from convert.stream_file.pairs import find_pairs, frame_of, width_of
from edgevid.errors import ModelError, UsageError
from tests.models.bundles import tensor


def tensors(**shapes):
    """Tensors in float by name; those whose name ends in `count` are int32."""
    return {
        name: tensor(*shape, name=f"tensor_{name}", dtype="int32" if name.endswith("count") else "float32")
        for name, shape in shapes.items()
    }


def pairs(inputs, outputs, *stated):
    found = find_pairs(tensors(**inputs), tensors(**outputs), stated=stated, file="their.tflite")
    return {
        "frame": found.frame.name.removeprefix("tensor_"),
        "scores": found.scores.name.removeprefix("tensor_"),
        "states": {state.name: state.after.name.removeprefix("tensor_") for state in found.states},
        "by shape": dict(found.by_shape),
    }


def test_a_signature_names_each_state_alike_on_both_sides():
    states = {"state_a": (1, 2, 4), "state_b": (1, 2, 4), "state_count": (1,)}
    assert pairs({"image": (1, 1, 8, 8, 3), **states}, {"logits": (1, 3), **states}) == {
        "frame": "image",
        "scores": "logits",
        "states": {name: name for name in states},
        "by shape": {},
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("h_in", "c_in"), ("h_out", "c_out")),
        (("h0", "c0"), ("hn", "cn")),
        (("prev_h", "prev_c"), ("next_h", "next_c")),
        (("input_hidden_state", "input_cell_state"), ("output_hidden_state", "output_cell_state")),
        (("h", "c"), ("new_h", "new_c")),
        (("state_in_0", "state_in_1"), ("state_out_0", "state_out_1")),
    ],
)
def test_names_that_differ_by_the_side_only_are_pairs(before, after):
    found = pairs(
        {"x": (1, 16), **dict.fromkeys(before, (1, 16))}, {"scores": (1, 16), **dict.fromkeys(reversed(after), (1, 16))}
    )
    assert found["states"] == dict(zip(before, after, strict=True))
    assert (found["frame"], found["scores"]) == ("x", "scores")


def test_states_that_nothing_else_fits_are_paired_by_their_shapes():
    found = pairs(
        {"input_2": (1, 1, 257), "input_3": (1, 2, 128, 2)}, {"Identity_1": (1, 2, 128, 2), "Identity": (1, 1, 257)}
    )
    assert found == {
        "frame": "input_2",
        "scores": "Identity",
        "states": {"input_3": "Identity_1"},
        "by shape": {"input_3": "Identity_1"},
    }


def test_a_count_is_paired_by_its_type():
    found = pairs({"a": (1, 9), "p": (1, 5), "their_count": (1, 5)}, {"b": (1, 3), "our_count": (1, 5), "q": (1, 5)})
    assert found["states"] == {"p": "q", "their_count": "our_count"}


@pytest.mark.parametrize(
    ("inputs", "outputs", "says"),
    [
        (
            {"x": (1, 1, 8, 8, 3), "a": (1, 2, 4), "b": (1, 2, 4)},
            {"y": (1, 3), "p": (1, 2, 4), "q": (1, 2, 4)},
            r"one output for the state 'a' \(1, 2, 4\) float32, got 'p' and 'q' in their.tflite. "
            r"Pass --state INPUT=OUTPUT for each state.",
        ),
        (
            {"x": (1, 16), **dict.fromkeys("abcd", (1, 4))},
            {"y": (1, 3), **dict.fromkeys("pqrs", (1, 4))},
            r"one output for the state 'a' \(1, 4\) float32, got 'p' and 'q' and 2 more in their.tflite",
        ),
        (
            {"x": (1, 1, 8, 8, 3), "rate_count": (1,)},
            {"y": (1, 3)},
            r"an output for the state 'rate_count' \(1,\) int32, got 'y' \(1, 3\) float32 in their.tflite",
        ),
        (
            {"x": (1, 16), "h": (1, 4), "c": (1, 4)},
            {"y": (1, 3), "p": (1, 4), "q": (1, 4)},
            r"one output for the state 'h' \(1, 4\) float32, got 'p' and 'q'",
        ),
        (
            {"x": (1, 1, 8, 8, 3), "h": (1, 2, 4)},
            {"y": (1, 3), "h": (1, 3, 4)},
            r"an output for the state 'h' \(1, 2, 4\) float32, got 'y' \(1, 3\) float32, 'h' \(1, 3, 4\) float32",
        ),
        (
            {"x": (1, 16), "h_in": (1, 4), "h_prev": (1, 4)},
            {"y": (1, 3), "h_out": (1, 4)},
            r"one input of frames and one output of scores besides the states, got inputs 'x'",
        ),
        (
            {"x": (1, 16), "w": (1, 9), "h": (1, 4)},
            {"y": (1, 3), "h": (1, 4)},
            r"one input of frames and .*, got inputs 'x' \(1, 16\) float32, 'w' \(1, 9\) float32 and outputs 'y'",
        ),
        (
            {"x": (1, 16), "h": (1, 16)},
            {"y": (1, 3), "z": (1, 16)},
            "one input of frames, got 'x' or 'h' in their.tflite. Pass --state",
        ),
        ({"x": (1, 16), "y": (1, 16)}, {"x": (1, 16), "y": (1, 16)}, "an input of frames besides the states, got none"),
        (
            {"x": (1, 16), "h": (1, 4)},
            {"y": (1, 3), "z": (1, 5), "h": (1, 4)},
            r"one input of frames and one output of scores .*, got inputs 'x' .* and outputs 'y' .*, 'z'",
        ),
    ],
)
def test_a_state_without_a_partner_or_with_several_is_refused_by_name(inputs, outputs, says):
    with pytest.raises(ModelError, match=says):
        pairs(inputs, outputs)


def test_pairs_that_are_stated_settle_the_rest():
    inputs, outputs = {"x": (1, 16), "h": (1, 16), "c": (1, 16)}, {"o1": (1, 16), "o2": (1, 16), "o3": (1, 16)}
    assert pairs(inputs, outputs, ("h", "o3"), ("c", "o1")) == {
        "frame": "x",
        "scores": "o2",
        "states": {"h": "o3", "c": "o1"},
        "by shape": {},
    }
    assert pairs(inputs, outputs, ("tensor_h", "tensor_o3"), ("c", "o1"))["states"] == {"h": "o3", "c": "o1"}
    denoiser = {"input_audio": (1, 16), "state_in": (1, 8)}, {"output_audio": (1, 16), "state_out": (1, 8)}
    assert pairs(*denoiser, ("state_in", "state_out"))["frame"] == "input_audio", "the rest is no state by its name"
    crossed = pairs(
        {"x": (1, 3), "a": (1, 2, 4), "b": (1, 2, 4)},
        {"y": (1, 3), "a": (1, 2, 4), "b": (1, 2, 4)},
        ("a", "b"),
        ("b", "a"),
    )
    assert crossed["states"] == {"a": "b", "b": "a"}, "what is stated wins over names"


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ([("g", "o3")], "--state INPUT=OUTPUT, one of x, h, c, got 'g'"),
        ([("h", "o9")], "--state INPUT=OUTPUT, one of o1, o2, o3, got 'o9'"),
        ([("h", "o1"), ("c", "o1")], "each state in one --state, got h=o1, c=o1"),
        ([("h", "o1"), ("h", "o2")], "each state in one --state"),
        ([("h", "o2")], r"--state h=OUTPUT of shape \(1, 16\), got 'o2' \(1, 4\) float32"),
    ],
)
def test_a_stated_pair_that_does_not_fit_is_refused(stated, says):
    with pytest.raises(UsageError, match=says):
        pairs({"x": (1, 16), "h": (1, 16), "c": (1, 16)}, {"o1": (1, 16), "o2": (1, 4), "o3": (1, 16)}, *stated)


@pytest.mark.parametrize(
    ("shape", "frame"),
    [
        ((1, 172, 172, 3), (172, 172, 3)),
        ((1, 1, 172, 172, 1), (172, 172, 1)),
        ((1, 30), (30,)),
        ((1, 1, 30), (30,)),
        ((1, 8, 172, 172, 3), None),
        ((1, 3, 40), None),
        ((1, 3, 172, 172), None),
        ((2, 30), None),
        ((), None),
    ],
)
def test_a_stream_takes_one_frame_or_row_at_a_time(shape, frame):
    assert frame_of(tensor(*shape, dtype="float32")) == frame
    assert frame_of(tensor(*shape, dtype="int32")) is None


def test_scores_are_one_row():
    assert [width_of(tensor(*shape)) for shape in ((1, 3), (1, 1, 3), (1, 2, 3), (3,), (2, 3))] == [
        3,
        3,
        None,
        None,
        None,
    ]
    assert width_of(tensor(1, 3, dtype="int64")) is None

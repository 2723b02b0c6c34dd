import dataclasses
import json

import pytest

from edgevid import schema
from edgevid.bundle.manifest import ONE_STEP, PLAN_ROLES, Manifest, Window, from_json
from edgevid.bundle.parts import Tensor
from edgevid.errors import ContractError, ManifestInvalid, PartsDoNotJoin
from edgevid.events.rule import DecisionRule
from edgevid.frames.preprocess import InputSpec
from edgevid.quant import QuantParams
from edgevid.schema import to_json
from tests.models.bundles import (
    features_manifest,
    flight_manifest,
    one_step_manifest,
    pixels,
    scores,
    stack_manifest,
    started_manifest,
    stateful_manifest,
    tensor,
    twin_manifest,
    window_manifest,
)

PLANS = {
    "window": window_manifest,
    "flight": flight_manifest,
    "stateful": stateful_manifest,
    "one step": one_step_manifest,
    "initial states": started_manifest,
    "stack": stack_manifest,
    "features": features_manifest,
    "twin": twin_manifest,
}


def with_lookback() -> Manifest:
    """Plan "window" with an encoder that sees two frames, so that four frames make three features."""
    encoder, head = window_manifest().parts
    return window_manifest(
        lookback=1,
        parts=(
            dataclasses.replace(encoder, inputs=(pixels(1, 2, 6, 8, 3),)),
            dataclasses.replace(head, inputs=(tensor(1, 3, 5),)),
        ),
    )


@pytest.mark.parametrize("make", [*PLANS.values(), with_lookback], ids=[*PLANS, "lookback"])
def test_a_manifest_survives_the_way_through_json(make):
    manifest = make()
    again = from_json(json.loads(json.dumps(to_json(manifest))))
    assert again == manifest
    assert to_json(again) == to_json(manifest)


@pytest.mark.parametrize(
    ("make", "seen_frames", "steps"),
    [(window_manifest, 1, 4), (with_lookback, 2, 3), (stateful_manifest, 1, 4), (stack_manifest, 4, 4)],
)
def test_a_manifest_says_how_many_frames_and_features_a_decision_takes(make, seen_frames, steps):
    assert (make().seen_frames, make().steps) == (seen_frames, steps)


@pytest.mark.parametrize("make", PLANS.values(), ids=PLANS)
def test_each_part_is_found_by_its_role(make):
    manifest = make()
    roles = ONE_STEP if manifest.is_one_step else PLAN_ROLES[manifest.plan]
    assert [manifest.part(role).file for role in roles] == [part.file for part in manifest.parts]


@pytest.mark.parametrize(
    ("rule", "labels", "widths"),
    [
        ("sigmoid", 2, (1, 2)),
        ("sigmoid_logits", 2, (1, 2)),
        ("sigmoid", 3, (3,)),
        ("softmax", 2, (2,)),
        ("logits", 2, (2,)),
    ],
)
def test_two_labels_may_have_one_score_where_it_is_a_sigmoid_and_else_each_its_own(rule, labels, widths):
    encoder, head = window_manifest().parts
    names = ("none", "wave", "swipe")[:labels]
    for width in range(1, 4):
        parts = (encoder, dataclasses.replace(head, outputs=(scores(width),)))
        if width in widths:
            assert window_manifest(scores=rule, labels=names, parts=parts).labels == names
        else:
            with pytest.raises(PartsDoNotJoin, match="the scores to have shape"):
                window_manifest(scores=rule, labels=names, parts=parts)


def test_a_part_without_a_twin_says_nothing_of_one():
    assert "edgetpu" not in to_json(window_manifest())["parts"][0]
    assert to_json(twin_manifest())["parts"][0]["edgetpu"] == "encoder_edgetpu.tflite"
    assert twin_manifest().files == ("encoder.tflite", "encoder_edgetpu.tflite", "head.tflite")


def test_whole_numbers_are_read_where_a_real_one_is_meant_and_not_the_other_way_round():
    data = to_json(window_manifest())
    data["window"]["interval_s"] = 1
    interval_s = from_json(data).window.interval_s
    assert (interval_s, type(interval_s)) == (1.0, float)
    data["window"]["frames"] = 4.0
    with pytest.raises(ManifestInvalid, match=r"manifest\.window\.frames of type int, got 'float'"):
        from_json(data)


def test_a_refusal_says_which_field_what_is_legal_and_what_was_found():
    data = to_json(window_manifest())
    data["input"]["color"] = "yuv"
    with pytest.raises(
        ManifestInvalid, match=r"Expected manifest\.input\.color, one of rgb, bgr, gray, none, got 'yuv'\."
    ) as caught:
        from_json(data)
    assert caught.value.got == "yuv"


def test_what_a_dataclass_of_another_module_refuses_is_a_refusal_of_the_manifest():
    data = to_json(window_manifest())
    data["input"]["range"] = [1, 0]
    with pytest.raises(ManifestInvalid, match=r"Expected a legal manifest\. Expected a range LOW,HIGH") as caught:
        from_json(data)
    assert isinstance(caught.value.__cause__, ContractError)


def test_any_of_the_dataclasses_can_be_read_as_strictly():
    spec = InputSpec(height=6, width=8, channels=1, color="gray")
    assert schema.from_json(InputSpec, to_json(spec), "the input") == spec
    with pytest.raises(ManifestInvalid, match=r"exactly the fields .* in the input"):
        schema.from_json(InputSpec, {}, "the input")


def test_mappings_of_a_manifest_that_was_read_cannot_be_changed():
    manifest = from_json(to_json(window_manifest()))
    with pytest.raises(TypeError):
        manifest.versions["edgevid"] = "9"


def test_a_tensor_gives_its_grid():
    assert Tensor(name="x", shape=(1, 5), dtype="int16", scale=0.5, zero_point=3).params == QuantParams("int16", 0.5, 3)


@pytest.mark.parametrize("shape", [(1, 0), (1, -1), (0,)])
def test_a_tensor_has_a_static_shape(shape):
    with pytest.raises(ManifestInvalid, match="a static shape"):
        tensor(*shape)


@pytest.mark.parametrize("shape", [(), (1,), (2, 5)])
def test_all_tensors_but_the_states_of_a_step_have_a_batch_of_one(shape):
    (step,) = one_step_manifest().parts
    for change in ({"inputs": (tensor(*shape), *step.inputs[1:])}, {"outputs": (tensor(*shape), *step.outputs[1:])}):
        with pytest.raises(ManifestInvalid, match="a static shape with a batch of 1"):
            dataclasses.replace(step, **change)
    state = tensor(*shape, dtype="int64")
    free = dataclasses.replace(step, inputs=(step.inputs[0], state), outputs=(step.outputs[0], state))
    assert (free.states_before, free.states_after) == ((state,), (state,))


def test_whole_numbers_are_states_of_a_step_and_come_back_as_they_are():
    (step,) = one_step_manifest().parts
    with pytest.raises(ManifestInvalid, match="whole numbers in states of a step only"):
        dataclasses.replace(step, outputs=(tensor(1, 3, dtype="int32"), *step.outputs[1:]))
    with pytest.raises(ManifestInvalid, match="a state of int32 to come back as int32, got 'int64'"):
        dataclasses.replace(step, outputs=(*step.outputs[:2], tensor(1, dtype="int64")))
    with pytest.raises(ManifestInvalid, match="whole numbers in states of a step only"):
        dataclasses.replace(window_manifest().part("encoder"), inputs=(tensor(1, 6, 8, 3, dtype="int32"),))


def test_one_step_sees_the_frame_with_an_axis_of_time_or_without():
    (step,) = one_step_manifest().parts
    plain = dataclasses.replace(
        step, inputs=(pixels(1, 6, 8, 3), *step.inputs[1:]), outputs=(scores(), *step.outputs[1:])
    )
    assert one_step_manifest(parts=(plain,)).is_one_step and not stateful_manifest().is_one_step
    for inputs in (pixels(1, 2, 6, 8, 3), pixels(1, 6, 8, 1)):
        with pytest.raises(PartsDoNotJoin, match="the frame input to have shape"):
            one_step_manifest(parts=(dataclasses.replace(step, inputs=(inputs, *step.inputs[1:])),))


@pytest.mark.parametrize(
    "change",
    [{"frames": 0}, {"frames": 4097}, {"interval_s": 0.0}, {"interval_s": float("nan")}, {"sampling": "random"}],
)
def test_an_impossible_window_is_refused(change):
    with pytest.raises(ManifestInvalid):
        Window(**{"frames": 4, "interval_s": 0.1, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"enter": 0.3},
        {"enter": 1.1},
        {"exit": -0.1},
        {"smoothing_s": -1.0},
        {"min_duration_s": -1.0},
        {"cooldown_s": -1.0},
    ],
)
def test_an_impossible_decision_rule_is_refused(change):
    with pytest.raises(ManifestInvalid):
        DecisionRule(**change)


@pytest.mark.parametrize("time", ["smoothing_s", "min_duration_s", "cooldown_s"])
def test_no_time_of_a_decision_rule_may_be_no_number(time):
    with pytest.raises(ManifestInvalid):
        DecisionRule(**{time: float("nan")})


@pytest.mark.parametrize("label", ["", "a\nb", "a\tb", "\x1b[2J", "a\x85b", "a\u2028b"])
def test_a_label_is_one_line_without_control_characters(label):
    with pytest.raises(ManifestInvalid, match="one line of text"):
        window_manifest(labels=("none", "wave", label))


@pytest.mark.parametrize("labels", [(), ("wave",), ("none", "wave", "wave")])
def test_there_are_two_labels_at_least_and_all_are_different(labels):
    with pytest.raises(ManifestInvalid, match="at least two labels, all different"):
        window_manifest(labels=labels)


@pytest.mark.parametrize(
    "files",
    [("a.tflite", "a.tflite"), ("a.tflite", "golden.npz"), ("a.tflite", "../b.tflite"), ("a.tflite", ".tflite")],
)
def test_each_part_is_a_tflite_file_of_its_own(files):
    parts = tuple(
        dataclasses.replace(part, file=file) for part, file in zip(window_manifest().parts, files, strict=True)
    )
    with pytest.raises(ManifestInvalid, match=r"a \.tflite file of its own for each part"):
        window_manifest(parts=parts)


def test_a_head_with_states_is_one_of_windows_in_flight():
    assert flight_manifest().in_flight
    assert not window_manifest().in_flight and not stateful_manifest().in_flight


@pytest.mark.parametrize(
    ("field", "shapes", "message"),
    [
        ("inputs", [(1, 4, 5), (1, 4, 7)], "the features"),
        ("inputs", [(1, 5), (1, 3, 7)], "a state"),
        ("outputs", [(1, 3, 3), (1, 4, 7)], "the scores"),
        ("outputs", [(1, 4, 3), (1, 4, 6)], "a state"),
        ("outputs", [(1, 4, 3)], r"2 outputs of part 'head' \(the scores, a state of windows in flight\), got 1"),
    ],
)
def test_windows_in_flight_must_fit_the_window_and_each_other(field, shapes, message):
    encoder, head = flight_manifest().parts
    tensors = [
        dataclasses.replace(each, shape=shape) for each, shape in zip(getattr(head, field), shapes, strict=False)
    ]
    with pytest.raises(PartsDoNotJoin, match=f"Expected .*{message}|{message}"):
        flight_manifest(parts=(encoder, dataclasses.replace(head, **{field: tuple(tensors)})))


def test_each_window_in_flight_has_a_row_in_every_state():
    encoder, head = flight_manifest().parts
    state = dataclasses.replace(head.inputs[1], shape=(1, 3, 7))
    parts = (encoder, dataclasses.replace(head, inputs=(head.inputs[0], state), outputs=(head.outputs[0], state)))
    with pytest.raises(PartsDoNotJoin, match="a state of windows in flight"):
        flight_manifest(parts=parts)

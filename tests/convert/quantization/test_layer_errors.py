"""The loss of each layer, from its operators."""

import dataclasses

import numpy as np
import pytest

from convert.quantization.layer_errors import EXACT_DB, LayerError, blame, layer_of, rank
from tests.models.keras_models import cnn_rnn


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("conv2d_4/Relu;conv2d_4/BiasAdd;conv2d_4/Conv2D", "conv2d_4"),
        ("td/relu/Relu6;td/bn/FusedBatchNormV3;td/conv/Conv2D", "td/conv"),
        ("lstm/lstm/mul_3", "lstm"),
        ("lstm/unstack;lstm/unstack1", "lstm"),
        ("PartitionedCall:0", "the output"),
    ],
)
def test_a_tensor_belongs_to_the_layer_that_carries_the_weights(tensor, layer):
    assert layer_of(tensor, output="the output") == layer


def row(tensor, operator="MUL", *, signal=100.0, noise=1.0):
    return {
        "operator": operator,
        "tensor": tensor,
        "signal": signal,
        "noise": noise,
        "product": signal,
        "stored": signal,
        "max_abs_error": noise,
    }


def test_operators_of_one_kind_count_together_and_the_worst_kind_stands_for_the_layer():
    rows = [
        row("lstm/a"),
        row("lstm/b", noise=19.0),
        row("lstm/c", "ADD", noise=0.1),
        row("conv/d", "CONV_2D", noise=50.0),
        row("flat/e", noise=0.0),
    ]
    worst, middle, best = rank("head", "int8", rows, output="out")
    assert (worst.layer, worst.snr_db) == ("conv", 3.01)
    assert (middle.layer, middle.operator, middle.operators, middle.snr_db, middle.max_abs_error) == (
        "lstm",
        "MUL",
        3,
        10.0,
        19.0,
    )
    assert (best.layer, best.snr_db) == ("flat", EXACT_DB)


def test_a_layer_that_answers_nothing_but_noise_has_no_signal():
    assert rank("head", "int8", [row("a/b", signal=0.0)], output="out")[0].snr_db == 0.0


def error(part, precision, layer, snr_db):
    return LayerError(
        part=part,
        precision=precision,
        layer=layer,
        operator="ADD",
        operators=1,
        snr_db=snr_db,
        cosine=1.0,
        max_abs_error=0.0,
    )


def test_the_blame_names_the_worst_layers_of_all_parts():
    errors = [error("head", "int8", "a", 30), error("encoder", "int8", "b", 4), error("head", "float16", "c", 60)]
    assert (
        blame(errors, {"encoder": "int8", "head": "int8"}, count=1)
        == "The layers that lose most: b in the encoder (4.0 dB in int8)."
    )
    assert blame([], {"head": "int8"}) == ""


def test_the_blame_is_on_the_precision_that_came_nearest_unless_it_loses_nothing():
    errors = [error("head", "int8", "a", 30), error("encoder", "int8", "b", 4), error("head", "float16", "c", 60)]
    assert (
        blame(errors, {"encoder": "float32", "head": "float16"})
        == "The layers that lose most: c in the head (60.0 dB in float16)."
    )
    assert (
        blame(errors, {"encoder": "float32", "head": "float32"}, count=1)
        == "The layers that lose most: b in the encoder (4.0 dB in int8)."
    )


@pytest.fixture(scope="module")
def outlier():
    """A part of two parallel layers. One sample is an outlier, which only the first layer clips."""
    import tensorflow as tf

    from convert.splitting.split import PartFunction

    rng = np.random.default_rng(1)
    first, second = (tf.constant(rng.normal(0, 1, (16, 16)).astype(np.float32)) for _ in range(2))

    def function(x):
        with tf.name_scope("bounded"):
            bounded = tf.tanh(tf.tanh(x) @ first)
        with tf.name_scope("spread"):
            return [bounded + x @ second]

    samples = rng.uniform(-1, 1, (32, 16)).astype(np.float32)
    samples[5] *= 60
    return PartFunction("head", function, ((1, 16),)), [samples]


def test_a_part_is_measured_whose_input_is_around_zero(workshop):
    import tensorflow as tf

    from convert.splitting.split import PartFunction

    part, samples = (
        PartFunction("head", lambda x: [tf.tanh(x) @ tf.eye(4)], ((1, 4),)),
        np.linspace(-1.27, 1.27, 64, dtype=np.float32).reshape(16, 4),
    )
    samples[0, 0] = -1.28
    made = workshop.converter.convert(part, "int8", [samples])
    assert made.part.inputs[0].zero_point == 0
    assert workshop.converter.part_errors(made, part, [samples], output="the answer")


@pytest.fixture(scope="module")
def measured(workshop, outlier):
    """The layers of that part in every precision but float32."""
    function, samples = outlier
    made = {
        precision: workshop.converter.convert(function, precision, samples)
        for precision in ("int8", "int16x8", "float16")
    }
    return {
        precision: workshop.converter.part_errors(part, function, samples, output="sum")
        for precision, part in made.items()
    }


@pytest.mark.tf
def test_the_layer_whose_grid_an_outlier_takes_is_the_worst(measured):
    errors = measured["int8"]
    by_layer = {error.layer: error.snr_db for error in errors}
    assert set(by_layer) == {"bounded", "spread", "sum"}
    assert by_layer["bounded"] > min(by_layer.values()) + 6
    assert errors[0].layer != "bounded"
    assert 0.5 < errors[0].cosine < 0.9999


@pytest.mark.tf
def test_every_precision_has_its_layers_measured_and_ranked(measured):
    for precision, errors in measured.items():
        assert {error.precision for error in errors} == {precision}
        assert {error.layer for error in errors} == {"bounded", "spread", "sum"}
        assert errors == sorted(errors, key=lambda error: error.snr_db)
    worst = {precision: errors[0].snr_db for precision, errors in measured.items()}
    # 16x8 rounds weights as int8 does, and activations 256 times finer. float16 rounds only weights, to 11 bits of
    # 6 dB each.
    assert worst["int8"] + 15 < worst["int16x8"] < 60 < worst["float16"] < EXACT_DB
    spread = {
        precision: next(error for error in errors if error.layer == "spread") for precision, errors in measured.items()
    }
    assert spread["float16"].snr_db - spread["int16x8"].snr_db > 10
    # float16 rounds weights only, and a sum has none.
    assert next(error.snr_db for error in measured["float16"] if error.layer == "sum") == EXACT_DB


@pytest.mark.tf
def test_what_is_measured_without_the_debugger_is_what_the_debugger_measures(workshop, tmp_path):
    """In int8 both measurements exist: on the same samples, each gives an operator's own error."""
    from convert.quantization.calibration import frame_samples

    job = workshop.job(cnn_rnn("lstm"))
    samples = [frame_samples(job.calibration, job.contract.input, 1)]
    made = workshop.converter.convert(job.parts.encoder, "int8", samples)
    (tmp_path / "encoder.tflite").write_bytes(made.data)
    by_debugger, compared = (
        workshop.converter._measure(job.parts.encoder, "int8", samples, output="out", made=file)
        for file in ("", str(tmp_path / made.part.file))
    )
    assert len(by_debugger) >= 4
    for one, other in zip(by_debugger, compared, strict=True):
        assert (one.layer, one.operator, one.operators) == (other.layer, other.operator, other.operators)
        assert other.snr_db == pytest.approx(one.snr_db, abs=0.1)
        assert other.cosine == pytest.approx(one.cosine, abs=1e-5)


@pytest.mark.tf
def test_a_part_that_cannot_be_measured_is_named_with_the_reason(workshop, monkeypatch):
    from convert.precision.builder import Builder
    from convert.precision.recipes import RECIPES

    builder = Builder(workshop.job(cnn_rnn("lstm")))
    bundle = builder.build(next(recipe for recipe in RECIPES if recipe.name == "float16+int8"))
    whole = builder.losses(bundle.manifest.parts)
    assert {(error.part, error.precision) for error in whole.layers} == {("encoder", "float16"), ("head", "int8")}
    assert whole.unmeasured == ()
    encoder, head = builder._parts.values()
    swapped = dataclasses.replace(encoder, part=dataclasses.replace(encoder.part, data=head.part.data))
    monkeypatch.setattr(builder, "_parts", {"encoder": swapped, "head": head})
    parted = builder.losses()
    assert {error.part for error in parted.layers} == {"head"}
    (left,) = parted.unmeasured
    assert (left.part, left.precision) == ("encoder", "float16")
    assert "the same operators" in left.reason


@pytest.mark.tf
@pytest.mark.filterwarnings(r"ignore:\s*Warning. tf.lite.Interpreter:UserWarning")
@pytest.mark.parametrize("precision", ["int8", "int16x8", "float16"])
def test_a_part_measured_in_pieces_has_the_errors_of_the_part_measured_as_a_whole(
    workshop, outlier, monkeypatch, tmp_path, precision
):
    import tensorflow as tf

    from convert.quantization import file_pieces
    from convert.quantization.worker_main import layers
    from convert.sample_file import write_samples

    function, samples = outlier
    write_samples(tmp_path / "samples.npz", samples)
    (tmp_path / "made.tflite").write_bytes(workshop.converter.convert(function, precision, samples).data)
    job = {
        "saved_model": str(workshop.converter._export(function)),
        "calibration": str(tmp_path / "samples.npz"),
        "made": "" if precision == "int8" else str(tmp_path / "made.tflite"),
    }
    whole = layers(tf, job)
    monkeypatch.setattr(file_pieces, "MOST_BYTES", 1)
    assert layers(tf, job) == whole
    assert len(whole) >= 4

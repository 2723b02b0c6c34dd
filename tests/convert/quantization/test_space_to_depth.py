"""Pixels packed into channels: the same answers, equal to the bit in int8."""

import numpy as np
import pytest

from edgevid.errors import UsageError

pytestmark = pytest.mark.tf

CASES = {
    "rgb 3x3": {"filters": 4, "kernel_size": 3, "padding": "same"},
    "rgb 3x3, valid": {"filters": 4, "kernel_size": 3, "padding": "valid"},
    "rgb 3x3, stride 2": {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"},
    "rgb 5x5, stride 2, no bias": {"filters": 4, "kernel_size": 5, "strides": 2, "padding": "same", "use_bias": False},
    "rgb 7x7, stride 2, valid": {"filters": 4, "kernel_size": 7, "strides": 2, "padding": "valid"},
    "tall kernel": {"filters": 4, "kernel_size": (5, 3), "strides": (2, 1), "padding": "same"},
}


def split_model(convolution, *, framework="keras", size=(16, 24), channels=3, nested=False):
    """A model whose first layer is the convolution, and its parts."""
    import importlib

    from convert.graph.layer_graph import read_graph
    from convert.splitting.split import split

    keras = importlib.import_module(framework)
    keras.utils.set_random_seed(0)
    layers = keras.layers
    first = layers.Conv2D(activation="relu", bias_initializer="random_normal", **convolution)
    if nested:
        first = keras.Sequential([keras.Input((*size, channels)), first, layers.MaxPooling2D(2)])
    inputs = keras.Input((3, *size, channels))
    x = layers.TimeDistributed(layers.Flatten())(layers.TimeDistributed(first)(inputs))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.LSTM(4)(x)))
    return model, split(read_graph(model))


def answers(part, frames):
    import tensorflow as tf

    return tf.function(part.function, autograph=False)(frames)[0].numpy()


@pytest.mark.parametrize(
    ("framework", "core"), [("keras", "x86 with VNNI"), ("tf_keras", "x86 with VNNI"), ("keras", "x86 with AMX")]
)
@pytest.mark.parametrize("case", CASES)
def test_a_packed_encoder_gives_the_trained_ones_answers(case, framework, core, monkeypatch):
    from convert.quantization import space_to_depth

    model, parts = split_model(CASES[case], framework=framework)
    monkeypatch.setattr(space_to_depth, "host_core", lambda: core)
    packed = space_to_depth.pack(parts, model, "host")
    # Three columns at stride 2 already fill AMX's four lanes, so this case stays as trained.
    assert (packed is parts) == ((case, core) == ("rgb 3x3, stride 2", "x86 with AMX"))
    frame = np.random.default_rng(0).uniform(0, 1, parts.encoder.input_shapes[0]).astype(np.float32)
    np.testing.assert_allclose(answers(packed.encoder, frame), answers(parts.encoder, frame), atol=1e-5)


def test_a_convolution_in_a_nested_model_is_packed_and_the_trained_model_left_as_it_was():
    from convert.quantization.space_to_depth import pack

    model, parts = split_model(CASES["rgb 3x3"], nested=True)
    window = np.random.default_rng(0).uniform(0, 1, (1, 3, 16, 24, 3)).astype(np.float32)
    before = np.asarray(model(window))
    packed = pack(parts, model, "4b")
    np.testing.assert_allclose(answers(packed.whole, window), before, atol=1e-5)
    assert all("call" not in vars(layer) for layer in model._flatten_layers(recursive=True))
    assert np.array_equal(np.asarray(model(window)), before)


@pytest.mark.parametrize("case", ["rgb 3x3", "rgb 5x5, stride 2, no bias"])
def test_in_int8_a_packed_encoder_equals_the_plain_one_bit_for_bit(case):
    from convert.quantization.converter import Converter
    from convert.quantization.space_to_depth import pack
    from edgevid.backends.litert import LiteRt

    model, parts = split_model(CASES[case])
    packed = pack(parts, model, "4b")
    rng = np.random.default_rng(0)
    samples = rng.uniform(0, 1, (16, *parts.encoder.input_shapes[0][1:])).astype(np.float32)
    frame = rng.integers(-128, 128, parts.encoder.input_shapes[0], dtype=np.int8)
    found = []
    with Converter() as converter:
        for part in (parts.encoder, packed.encoder):
            made = converter.convert(part, "int8", [samples])
            loaded = LiteRt().load(made.part, made.data)
            loaded.write(0, frame)
            loaded.invoke()
            found.append(loaded.read(0))
    assert len(np.unique(found[0])) > 10
    assert np.array_equal(*found)


@pytest.mark.parametrize(
    ("core", "size", "channels", "strides", "filters", "pixels"),
    [
        ("Cortex-A72", 3, 3, 1, 16, 2),  # 2 positions of 8 channels against 3
        ("Cortex-A72", 5, 3, 2, 16, 2),  # 3 positions of 8 against 5
        ("Cortex-A76", 3, 3, 1, 16, None),  # 2 positions of 8 channels against 3 of 4: packing would cost
        ("Cortex-A76", 3, 1, 1, 16, 2),  # grey: 2 positions of 4 channels against 3
        ("Cortex-A76", 3, 3, 1, 8, 2),  # twice 8 filters fill a kernel of 16
        ("Cortex-A53", 3, 3, 1, 16, None),
        ("Cortex-A72", 3, 16, 1, 16, None),
        ("x86 with AMX", 3, 3, 1, 16, 4),  # four pixels' 16 filters fill a kernel of 64
        ("any", 3, 3, 1, 16, None),
    ],
)
def test_the_grouping_with_the_least_products_is_taken(core, size, channels, strides, filters, pixels):
    import keras

    from convert.quantization.space_to_depth import KERNELS, plan

    layer = keras.layers.Conv2D(filters, size, strides=strides, activation="relu")
    layer.build((1, 16, 16, channels))
    chosen = plan(layer, KERNELS[core])
    assert (chosen and chosen.pixels) == pixels


def test_a_convolution_whose_activation_is_a_layer_of_its_own_is_packed_only_along_its_stride():
    """Several outputs per position end in a reshape, and the converter fuses nothing across it."""
    import keras

    from convert.quantization.space_to_depth import KERNELS, plan

    for strides, packed in ((1, False), (2, True)):
        layer = keras.layers.Conv2D(4, 3, strides=strides)
        layer.build((1, 16, 16, 3))
        assert (plan(layer, KERNELS["Cortex-A72"]) is not None) == packed


def test_a_width_that_cannot_be_grouped_is_left_as_trained():
    from convert.quantization.space_to_depth import pack

    model, parts = split_model(CASES["rgb 3x3"], size=(16, 15))
    frame = np.random.default_rng(0).uniform(0, 1, parts.encoder.input_shapes[0]).astype(np.float32)
    assert np.array_equal(answers(pack(parts, model, "4b").encoder, frame), answers(parts.encoder, frame))


def test_an_unknown_target_is_refused_with_the_legal_ones():
    from convert.quantization.space_to_depth import pack

    with pytest.raises(UsageError, match="one of any, host, 3b"):
        pack(None, None, "pi-9")


@pytest.mark.parametrize(
    ("cpuinfo", "core"),
    [
        ("flags\t\t: fpu avx2 avx512_vnni amx_tile amx_int8\n", "x86 with AMX"),
        ("flags\t\t: fpu avx2 avx512_vnni\n", "x86 with VNNI"),
        ("flags\t\t: fpu avx2\n", "x86 with AVX2"),
        ("Features\t: fp asimd asimdhp asimddp\nCPU part\t: 0xd0b\n", "Cortex-A76"),
        ("Features\t: fp asimd crc32\nCPU part\t: 0xd08\n", "Cortex-A72"),
        ("Features\t: fp asimd crc32\nCPU part\t: 0xd03\n", "Cortex-A53"),
        ("", "any"),
    ],
)
def test_this_machine_is_named_by_what_its_kernel_says(tmp_path, cpuinfo, core):
    from convert.quantization.space_to_depth import host_core

    (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert host_core(tmp_path / "cpuinfo") == core


def test_a_machine_that_does_not_say_is_any(tmp_path):
    from convert.quantization.space_to_depth import host_core

    assert host_core(tmp_path / "none") == "any"


def test_a_conversion_for_a_board_is_proven_like_any_other(tmp_path):
    """The float split and the bundle's stages are measured on the packed encoder."""
    from convert import Options, convert_model
    from tests.clips.clip_folders import write_folder
    from tests.models.keras_models import cnn_rnn

    model = cnn_rnn("lstm")
    model.save(tmp_path / "model.keras")
    clips = write_folder(tmp_path / "clips", each=2)
    made = {}
    for target in ("any", "4b"):
        options = Options(target=target, precision="int8", interval=0.1, max_drop=100, min_agreement=0.0)
        made[target] = convert_model(tmp_path / "model.keras", clips, tmp_path / f"{target}.edgevid", options=options)
    assert made["4b"].report["agreement"] == made["any"].report["agreement"]
    assert made["4b"].report["max_abs_error"] == made["any"].report["max_abs_error"]
    assert made["4b"].report["part_bytes"]["encoder"] != made["any"].report["part_bytes"]["encoder"]


def test_every_board_has_a_core_whose_kernels_are_known():
    from convert.quantization.space_to_depth import ANY, core_of
    from edgevid.boards_and_cameras import boards

    assert {name for name in boards() if core_of(name) == ANY} == set()

"""The converter's child process: its files, and its crashes."""

import time
from pathlib import Path

import numpy as np
import pytest

from edgevid.errors import ConversionError, ConverterCrashed

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def converter():
    from convert.quantization.converter import Converter

    with Converter() as each:
        yield each


def dense_part():
    import tensorflow as tf

    from convert.splitting.split import PartFunction

    weights = tf.Variable(np.eye(4, dtype=np.float32) * 2.0)
    return PartFunction("head", lambda x: [x @ weights, x + 1.0], ((1, 4),))


def looping_lstm():
    """An LSTM as a WHILE loop, which crashes the stock converter."""
    import keras

    from convert.splitting.split import PartFunction

    layer = keras.layers.LSTM(8)
    layer.build((1, 10, 6))
    return PartFunction("head", lambda x: [layer(x)], ((1, 10, 6),))


def run(made, values):
    from edgevid.backends.litert import LiteRt

    model = LiteRt().load(made.part, made.data)
    model.write(0, values[None])
    model.invoke()
    return [model.read(index)[0] for index in range(len(made.part.outputs))]


def test_a_float_part_holds_its_weights(converter):
    made = converter.convert(dense_part(), "float32", [np.zeros((0, 4), np.float32)])
    doubled, raised = run(made, np.array([1, 2, 3, 4], np.float32))
    np.testing.assert_allclose(doubled, [2, 4, 6, 8])
    np.testing.assert_allclose(raised, [2, 3, 4, 5])


@pytest.mark.parametrize(("precision", "dtype"), [("int8", "int8"), ("int16x8", "int16"), ("float16", "float32")])
def test_each_precision_gives_tensors_of_its_type_in_the_parts_order(converter, precision, dtype):
    samples = np.random.default_rng(0).uniform(-1, 1, (64, 4)).astype(np.float32)
    made = converter.convert(dense_part(), precision, [samples])
    assert {tensor.dtype for tensor in (*made.part.inputs, *made.part.outputs)} == {dtype}
    from edgevid.quant import dequantize, quantize

    doubled, raised = run(made, quantize(np.array([0.5, -0.5, 0.25, 1.0]), made.part.inputs[0].params))
    np.testing.assert_allclose(dequantize(doubled, made.part.outputs[0].params), [1, -1, 0.5, 2], atol=0.03)
    np.testing.assert_allclose(dequantize(raised, made.part.outputs[1].params), [1.5, 0.5, 1.25, 2], atol=0.03)


def test_a_part_is_tried_on_its_first_sample_and_not_on_memory_as_it_comes(converter, tmp_path):
    """Uninitialised memory may hold a zero to divide by; no sample does."""
    from convert.quantization.worker_main import _run_once
    from convert.splitting.split import PartFunction

    part = PartFunction("head", lambda x, y: [x / y], ((1, 4), (1, 4)))
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-1, 1, (64, 4)).astype(np.float32), rng.uniform(1, 2, (64, 4)).astype(np.float32)
    made = converter.convert(part, "int8", [x, y])
    for divisor, survives in ((y, True), (np.zeros_like(y), False)):
        np.savez(tmp_path / "samples.npz", x, divisor)
        job = {"calibration": str(tmp_path / "samples.npz")}
        if survives:
            _run_once(made.data, job)
        else:
            with pytest.raises(RuntimeError, match="zero_point"):
                _run_once(made.data, job)


def test_calibration_reaches_the_input_it_is_for(converter):
    import tensorflow as tf

    from convert.splitting.split import PartFunction

    part = PartFunction("step", lambda first, second: [tf.nn.relu(first), tf.nn.relu(second)], ((1, 3), (1, 3)))
    small, large = np.full((8, 3), 0.1, np.float32), np.full((8, 3), 50.0, np.float32)
    made = converter.convert(part, "int8", [small, large])
    assert made.part.inputs[0].scale < 0.01
    assert made.part.inputs[1].scale > 0.1


def test_the_converters_segmentation_fault_is_a_message_and_the_next_job_goes_on(converter):
    samples = np.random.default_rng(0).random((4, 10, 6)).astype(np.float32)
    with pytest.raises(ConverterCrashed, match=r"head in int8, got a process that was ended by SIG(SEGV|ABRT)"):
        converter.convert(looping_lstm(), "int8", [samples])
    assert converter.convert(dense_part(), "float32", [np.zeros((0, 4), np.float32)]).data


def test_an_operator_that_the_device_lacks_is_named(converter):
    import tensorflow as tf

    from convert.splitting.split import PartFunction

    part = PartFunction("head", lambda x: [tf.linalg.inv(tf.reshape(x, (1, 2, 2)))], ((1, 4),))
    with pytest.raises(ConversionError, match="head in float32"):
        converter.convert(part, "float32", [np.zeros((0, 4), np.float32)])


def test_a_job_that_takes_too_long_is_ended_with_its_child():
    from convert.quantization.converter import Converter

    with Converter(timeout_s=0.01) as hasty:
        child = hasty._child.process
        with pytest.raises(ConverterCrashed, match="within 0 s"):
            hasty.convert(dense_part(), "float32", [np.zeros((0, 4), np.float32)])
        assert child.poll() is not None


def test_leaving_ends_the_child_and_removes_its_folder():
    from convert.quantization.converter import Converter

    with Converter() as each:
        child, folder = each._child.process, Path(each._folder.name)
        assert child.poll() is None
    assert child.poll() is not None
    assert not folder.exists()


def test_nothing_in_the_current_folder_is_imported_by_the_child(tmp_path, monkeypatch):
    from convert.quantization.converter import Converter

    for name in ("tensorflow.py", "numpy.py", "convert.py", "json.py"):
        (tmp_path / name).write_text("raise SystemExit('a stranger')\n")
    monkeypatch.chdir(tmp_path)
    with Converter() as each:
        assert each.convert(dense_part(), "float32", [np.zeros((0, 4), np.float32)]).data


def test_a_child_that_does_not_live_to_read_its_job_is_a_message(monkeypatch):
    from convert.quantization.converter import Converter

    with Converter() as each:
        each._child.process.kill()
        each._child.process.wait()
        # As if it had crashed just after the check.
        monkeypatch.setattr(each._child.process, "poll", lambda: None)
        with pytest.raises(ConverterCrashed, match="SIGKILL"):
            each.convert(dense_part(), "int8", [np.ones((8, 4), np.float32)])


def test_a_part_that_the_interpreter_dies_of_is_a_message_too(converter):
    import tensorflow as tf

    from convert.splitting.split import PartFunction

    part = PartFunction("head", lambda x: [(x[:, :4] + x[:, 4:]) * 1e-12 + tf.tanh(x[:, :4] * 1e-12)], ((1, 8),))
    with pytest.raises(ConverterCrashed, match="SIGABRT"):
        converter.convert(part, "int8", [np.random.default_rng(0).uniform(-1, 1, (8, 8)).astype(np.float32)])
    assert converter.convert(dense_part(), "float32", [np.zeros((0, 4), np.float32)]).data


def test_a_part_that_was_begun_is_waited_for_and_not_made_twice(converter):
    part, samples = dense_part(), [np.random.default_rng(0).uniform(-1, 1, (64, 4)).astype(np.float32)]
    before = converter.jobs
    converter.prefetch(part, "int8", samples)
    made = converter.convert(part, "int8", samples)
    assert converter.jobs == before + 1
    assert made.data == converter.convert(part, "int8", samples).data


def test_a_part_that_was_begun_for_nothing_is_put_aside(converter):
    """Its answer comes first and must not be mistaken for another job's, be it a file, an error or a crash."""
    begun, wanted, samples = (
        dense_part(),
        dense_part(),
        [np.random.default_rng(0).uniform(-1, 1, (64, 4)).astype(np.float32)],
    )
    for part, given in ((begun, samples), (looping_lstm(), [np.zeros((8, 10, 6), np.float32)])):
        converter.prefetch(part, "int8", given)
        made = converter.convert(wanted, "float32", [np.zeros((0, 4), np.float32)])
        assert (made.part.precision, made.part.inputs[0].dtype) == ("float32", "float32")
        np.testing.assert_allclose(run(made, np.array([1, 2, 3, 4], np.float32))[0], [2, 4, 6, 8])


def test_layers_that_were_begun_behind_a_part_are_waited_for_and_not_compared_twice(converter):
    import tensorflow as tf

    from convert.splitting.split import PartFunction

    part = PartFunction("head", lambda x: [tf.tanh(x) @ tf.constant(np.eye(4, dtype=np.float32))], ((1, 4),))
    samples = [np.random.default_rng(0).uniform(-1, 1, (64, 4)).astype(np.float32)]
    anew = converter.layer_errors(part, samples, output="the answer")
    before = converter.jobs
    converter.prefetch(part, "int8", samples)
    converter.prefetch_layer_errors(part, samples)
    made = converter.convert(part, "int8", samples)
    assert converter.part_errors(made, part, samples, output="the answer") == anew != []
    assert converter.jobs == before + 2


def test_an_answer_that_came_together_with_the_one_before_is_found():
    from convert.quantization.converter import Converter

    parts, none = [dense_part(), dense_part()], [np.zeros((0, 4), np.float32)]
    with Converter(timeout_s=60) as each:
        for part in parts:
            each.prefetch(part, "float32", none)
        last = Path(each._folder.name) / "head-float32-1.tflite"
        while not last.exists():
            time.sleep(0.05)
        time.sleep(0.5)  # for the answer, which follows the file
        assert all(each.convert(part, "float32", none).data for part in parts)


@pytest.mark.parametrize("given_before", [1, 2])
def test_what_waited_behind_a_child_that_died_is_done_by_the_next_one(given_before):
    from convert.quantization.converter import Converter

    part, samples = dense_part(), [np.random.default_rng(0).uniform(-1, 1, (64, 4)).astype(np.float32)]
    dies, given = looping_lstm(), [np.zeros((8, 10, 6), np.float32)]
    with Converter(timeout_s=60) as each:
        jobs = [
            lambda: each.prefetch(dies, "int8", given),
            lambda: each.prefetch_layer_errors(dies, given),
            lambda: each.prefetch(part, "int8", samples),
        ]
        for place, begin in enumerate(jobs):
            if place == given_before:
                each._child.process.wait(60)
            begin()
        assert each.convert(part, "int8", samples).part.inputs[0].dtype == "int8"
        with pytest.raises(ConverterCrashed, match="SIGSEGV"):
            each.convert(dies, "int8", given)
        with pytest.raises(ConverterCrashed, match="SIGSEGV"):
            each.layer_errors(dies, given, output="the answer")


def test_the_death_of_a_child_that_had_begun_is_told_when_the_part_is_asked_for(converter):
    part, samples = looping_lstm(), [np.zeros((8, 10, 6), np.float32)]
    converter.prefetch(part, "int8", samples)
    with pytest.raises(ConverterCrashed):
        converter.convert(part, "int8", samples)

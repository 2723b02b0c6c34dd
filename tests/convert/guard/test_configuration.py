"""What a model's configuration may name: classes by module, functions, operators on tensors."""

import pytest

from convert.guard.check import configuration_guard
from convert.guard.findings import unsafe_error

pytestmark = pytest.mark.tf


def layer(name, module=None, **config):
    described = {"class_name": name, "config": {"name": "x", **config}, "name": "x"}
    return {**described, "module": module} if module else described


def found(config, custom=()):
    return [str(each) for each in configuration_guard(custom).findings(config)]


@pytest.mark.parametrize(
    "config",
    [
        layer("Dense", activation="relu"),
        layer("Dense", "keras.layers", activation="softmax"),
        layer("LSTM", "keras.src.layers.rnn.lstm", recurrent_activation="hard_sigmoid"),
        layer("GetItem", "keras.src.ops.numpy"),
        layer("Activation", activation={"class_name": "function", "module": "builtins", "config": "relu6"}),
        layer("Activation", activation="sin"),
        layer("Custom>FixedDropout"),
        layer("Dense", kernel_initializer={"class_name": "GlorotUniform", "config": {"seed": None}}),
        layer("Functional", layers=[layer("TFOpLambda", function="math.multiply")]),
        layer("InstanceProperty", attr_name="shape"),
        {"class_name": "Sequential", "config": [layer("Dense")], "compile_config": layer("Lambda")},
        {"class_name": "edgevid>FrameDifference", "config": {}},
    ],
    ids=str,
)
def test_what_computes_on_tensors_is_allowed(config):
    assert found(config) == []


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (layer("TFSMLayer", filepath="x"), "the class TFSMLayer"),
        (layer("StringLookup", vocabulary="/etc/hostname"), "the class StringLookup"),
        (layer("Dense", "os"), "the class os.Dense"),
        (layer("system", "os"), "the class os.system"),
        (layer("get_file", "keras.utils"), "the class keras.utils.get_file"),
        (layer("load_model", "keras.saving"), "the class keras.saving.load_model"),
        ({"class_name": ["Dense"], "config": {}}, "the class ['Dense']"),
        (layer("Dense", activation="system"), "the function system"),
        (
            {"class_name": "function", "module": "os", "config": "sin", "registered_name": "system"},
            "the function os.sin",
        ),
        (
            layer("Activation", activation={"class_name": "function", "module": "subprocess", "config": "run"}),
            "the function subprocess.run",
        ),
        (
            {"class_name": "function", "module": "keras.utils", "config": "relu", "registered_name": "get_file"},
            "the function keras.utils.relu",
        ),
        (layer("Lambda", function="x", function_type="lambda"), "a Lambda layer"),
        ({"class_name": "__lambda__", "config": {"value": "x"}}, "a Python function"),
        (layer("Dense", body_type="lambda", body=["x", None, None]), "a Python function in the field body"),
        (layer("TFOpLambda", function="io.write_file"), "the function tf.io.write_file"),
        (layer("TFOpLambda", function="py_function"), "the function tf.py_function"),
        (layer("TFOpLambda", function="raw_ops.WriteFile"), "the function tf.raw_ops.WriteFile"),
        (
            layer("TFOpLambda", function="nn.fixed_unigram_candidate_sampler"),
            "the function tf.nn.fixed_unigram_candidate_sampler",
        ),
        (layer("TFOpLambda", function="math.special.dawsn"), "the function tf.math.special.dawsn"),
        (layer("ClassMethod", cls_symbol="io.TFRecordWriter", method_name="write"), "the class ClassMethod"),
        (layer("InstanceMethod", attr_name="numpy"), "the attribute numpy of a tensor"),
        (
            layer("TensorFlowOpLayer", node_def={"name": "w", "op": "WriteFile", "input": ["a", "b"]}),
            "the operator WriteFile",
        ),
        # Code deep inside what looks like data.
        (layer("Dense", note=[{"a": {"b": [layer("Lambda")]}}]), "a Lambda layer"),
    ],
    ids=str,
)
def test_everything_else_is_found_by_name(config, name):
    assert name in found(config)


@pytest.mark.parametrize(
    ("call", "is_constant"),
    [
        (["_CONSTANT_VALUE", -1, "path", {"contents": "x"}], True),
        (["_CONSTANT_VALUE", -1, 1.0, {"y": ["i", 0, 0]}], False),
        (["i", 0, 0, {}], False),
        (["_CONSTANT_VALUE", -1, ["nobody", 0, 0], {}], True),
    ],
    ids=str,
)
def test_an_operator_may_not_be_called_on_constants_alone(call, is_constant):
    operator = {**layer("TFOpLambda", function="math.add"), "name": "o", "inbound_nodes": [call]}
    model = layer("Functional", layers=[{**layer("InputLayer"), "name": "i"}, operator])
    assert ("tf.math.add called on constants alone" in found(model)) == is_constant


def test_the_users_own_names_are_allowed_and_no_others():
    model = layer("Functional", layers=[layer("Mine"), layer("Dense", activation="my_relu"), layer("Other")])
    assert found(model, custom=["Mine", "my_relu"]) == ["the class Other"]


def test_a_lambda_layer_that_calls_a_function_of_the_user_is_no_code():
    replaced = layer("Lambda", function="scale", function_type="function", module=None)
    assert found(replaced, custom=["scale"]) == []
    assert found(replaced) != []
    hidden = layer("Lambda", function="scale", function_type="function", output_shape="x", output_shape_type="lambda")
    assert found(hidden, custom=["scale"]) == ["a Python function in the field output_shape"]


def test_the_error_names_three_things_and_counts_the_rest(tmp_path):
    names = [layer(name) for name in ("Aa", "Bb", "Cc", "Dd", "Ee")]
    message = str(unsafe_error(configuration_guard().findings({"layers": names}), tmp_path))
    assert message.count("the class") == 3
    assert "and 2 more" in message


def test_no_listed_function_of_tensorflow_takes_a_file_or_a_function():
    """The namespaces that are allowed as a whole stay harmless in the TensorFlow that is installed."""
    import inspect

    import tensorflow as tf

    from convert.guard.allowed_functions import is_mathematical

    suspects = ("file", "filename", "filepath", "path", "fn", "func", "function", "vocab_file", "callable")
    checked = 0
    for space, module in {"math": tf.math, "linalg": tf.linalg, "signal": tf.signal, "nn": tf.nn, "": tf}.items():
        for name in dir(module):
            symbol = f"{space}.{name}" if space else name
            if is_mathematical(symbol) and inspect.isfunction(getattr(module, name)):
                parameters = inspect.signature(getattr(module, name)).parameters
                # A window of a spectrum, which TensorFlow itself calls with a length.
                assert not set(parameters) & set(suspects), symbol
                checked += 1
    assert checked > 300

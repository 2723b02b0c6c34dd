"""Files that try to act when they are loaded: each is refused by name, and nothing happens.

Every file is written here and writes `PROOF` into the current folder if it gets its way.
"""

import codecs
import json
import marshal
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from convert.loading.load import load
from edgevid.errors import ModelError

pytestmark = pytest.mark.tf


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path("PROOF").exists()


def described(name, config=None, calls="input", **more):
    config = {"name": name.lower(), "dtype": "float32", **(config or {})}
    nodes = [[[calls, 0, 0, {}]]] if isinstance(calls, str) else calls
    return {"class_name": name, "config": config, "name": config["name"], "inbound_nodes": nodes, **more}


def write_h5(path, layers, *, end, version="2.15.0"):
    entry = described("InputLayer", {"name": "input", "batch_input_shape": [None, 4, 6], "sparse": False}, calls=[])
    model = {
        "class_name": "Functional",
        "config": {
            "name": "model",
            "layers": [entry, *layers],
            "input_layers": [["input", 0, 0]],
            "output_layers": [[end, 0, 0]],
        },
    }
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(model)
        for group in (file, file.create_group("model_weights")):
            group.attrs["keras_version"], group.attrs["backend"] = version, "tensorflow"
        names = ["input", *[layer["name"] for layer in layers]]
        file["model_weights"].attrs["layer_names"] = np.array([name.encode() for name in names])
        for name in names:
            file["model_weights"].create_group(name).attrs["weight_names"] = np.array([], "S1")
    return path


def compiled():
    def act(*inputs):
        import os

        os.system("touch PROOF")
        return inputs[0]

    return codecs.encode(marshal.dumps(act.__code__), "base64").decode("ascii")


def lambda_layer():
    return described(
        "Lambda",
        {
            "function": [compiled(), None, None],
            "function_type": "lambda",
            "arguments": {},
            "output_shape": None,
            "output_shape_type": "raw",
            "output_shape_module": None,
            "module": "os",
        },
    )


def code_for_the_output_shape():
    config = {"function": "tanh", "function_type": "function", "arguments": {}}
    return described("Lambda", {**config, "output_shape": [compiled(), None, None], "output_shape_type": "lambda"})


def wrapped_cell():
    cell = {"class_name": "SimpleRNNCell", "config": {"name": "cell", "units": 6}}
    wrapper = {"cell": cell, "residual_fn": [compiled(), None, None], "residual_fn_type": "lambda"}
    return described("RNN", {"cell": {"class_name": "ResidualWrapper", "config": {"name": "w", **wrapper}}})


def operator_on_constants():
    call = [["_CONSTANT_VALUE", -1, "PROOF", {"contents": "x"}]]
    return described("TFOpLambda", {"function": "io.write_file"}, calls=call)


def mathematics_on_constants():
    call = [["_CONSTANT_VALUE", -1, [1.0], {"y": [1.0]}]]
    return described("TFOpLambda", {"function": "math.add"}, calls=call)


def raw_operator():
    node = {"name": "w", "op": "WriteFile", "input": ["a", "b"]}
    return described("TensorFlowOpLayer", {"node_def": node, "constants": {"0": "PROOF", "1": "x"}})


def function_of_another_module():
    return {**described("function"), "config": "sin", "module": "os", "registered_name": "system"}


def activation_of_another_module():
    activation = {"class_name": "function", "module": "os", "config": "system", "registered_name": "system"}
    return described("Activation", {"activation": activation})


def vocabulary():
    return described("StringLookup", {"vocabulary": "/etc/hostname"})


def saved_model_in_a_layer():
    return described("TFSMLayer", {"filepath": "elsewhere", "call_endpoint": "serve"})


HOSTILE = (
    lambda_layer,
    code_for_the_output_shape,
    wrapped_cell,
    operator_on_constants,
    mathematics_on_constants,
    raw_operator,
    function_of_another_module,
    activation_of_another_module,
    vocabulary,
    saved_model_in_a_layer,
)
NAMES = (
    "a Lambda layer|a Python function|the class|the function|the operator|on constants alone|"
    "Expected built-in layers, got (ResidualWrapper|TFSMLayer)"
)


@pytest.mark.parametrize("version", ["2.15.0", "3.3.0"])
@pytest.mark.parametrize("attack", HOSTILE, ids=lambda attack: attack.__name__)
def test_a_layer_that_acts_is_refused_by_name(attack, version):
    layer = attack()
    path = write_h5("hostile.h5", [layer], end=layer["name"], version=version)
    with pytest.raises(ModelError, match=NAMES):
        load(path)


def test_the_attacks_work_where_code_is_allowed():
    """Or the tests above would prove nothing."""
    layer = lambda_layer()
    path = write_h5("hostile.h5", [layer], end=layer["name"])
    script = (
        "from convert.loading.load import load\nimport sys\nmodel = load(sys.argv[1], allow_code=True).model\n"
        "import numpy as np\nmodel(np.zeros((1, 4, 6), 'float32'))"
    )
    folder = Path("elsewhere")
    folder.mkdir()
    command = [sys.executable, "-c", script, str(Path(path).resolve())]
    subprocess.run(command, cwd=folder, check=False, capture_output=True)
    assert (folder / "PROOF").exists()


def test_code_that_the_users_function_replaces_is_not_run_for_the_comparison(tmp_path):
    module = tmp_path / "mine.py"
    module.write_text("def lambda_(x):\n    return x * 2\n")
    layer = lambda_layer()
    layer["config"]["name"] = layer["name"] = "lambda"
    path = write_h5("replaced.h5", [layer], end="lambda")
    loaded = load(path, custom_objects=module)
    np.testing.assert_allclose(loaded.model(np.ones((1, 4, 6), np.float32)), 2.0)


class TestSavedModels:
    @staticmethod
    def save(body, **functions):
        import tensorflow as tf

        module = tf.Module()
        signature = tf.TensorSpec((None, 4, 6), tf.float32)
        module.serve = tf.function(body, input_signature=[signature], autograph=False)
        for name, function in functions.items():
            setattr(module, name, tf.function(function, input_signature=[], autograph=False))
        tf.saved_model.save(module, "saved", signatures=module.serve)
        Path("PROOF").unlink(missing_ok=True)
        return Path("saved")

    @staticmethod
    def write_and_return():
        import tensorflow as tf

        with tf.control_dependencies([tf.io.write_file("PROOF", "x")]):
            return tf.constant(1.0)

    def attacks(self):
        import tensorflow as tf

        def write(x):
            with tf.control_dependencies([tf.io.write_file("PROOF", "x")]):
                return tf.reduce_mean(x, 1)

        def read(x):
            return tf.reduce_mean(x, 1) + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)

        def show(x):
            tf.print("x", output_stream="file://PROOF")
            return tf.reduce_mean(x, 1)

        def python(x):
            return tf.reshape(tf.py_function(lambda y: y, [tf.reduce_mean(x, 1)], tf.float32), (-1, 6))

        def memory(x):
            constant = tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=(1,), memory_region_name="/etc/hostname")
            return tf.reduce_mean(x, 1) + constant

        def save(x):
            saved = tf.raw_ops.SaveV2(prefix="PROOF", tensor_names=["a"], shape_and_slices=[""], tensors=[x])
            with tf.control_dependencies([saved]):
                return tf.reduce_mean(x, 1)

        def hidden(x):
            inner = tf.function(write, autograph=False)
            return tf.while_loop(lambda i, _y: i < 1, lambda i, _y: (i + 1, inner(x)), (0, tf.reduce_max(x, 1)))[1]

        return {
            "WriteFile": write,
            "ReadFile": read,
            "PrintV2": show,
            "EagerPyFunc": python,
            "ImmutableConst": memory,
            "SaveV2": save,
            "WriteFile in a loop": hidden,
        }

    @pytest.mark.parametrize(
        "name", ["WriteFile", "ReadFile", "PrintV2", "EagerPyFunc", "ImmutableConst", "SaveV2", "WriteFile in a loop"]
    )
    def test_an_operator_that_acts_is_refused_by_name(self, name):
        folder = self.save(self.attacks()[name])
        with pytest.raises(ModelError, match=f"the operator {name.split()[0]}"):
            load(folder)

    def test_a_function_that_no_signature_calls_is_held_to_the_same_list(self):
        import tensorflow as tf

        folder = self.save(lambda x: tf.reduce_mean(x, 1), other=self.write_and_return)
        with pytest.raises(ModelError, match="the operator WriteFile"):
            load(folder)

    def test_a_model_that_only_computes_is_loaded(self):
        import tensorflow as tf

        folder = self.save(lambda x: tf.nn.softmax(tf.reduce_mean(x, 1)))
        assert load(folder).framework == "tensorflow"

    def test_a_saver_that_writes_when_it_restores_is_refused(self):
        """The file operators of a checkpoint are allowed only where they save, or where they restore."""
        import tensorflow as tf
        from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

        folder = self.save(lambda x: tf.nn.softmax(tf.reduce_mean(x, 1)))
        message = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        saver = message.meta_graphs[0].saver_def
        saver.restore_op_name, saver.save_tensor_name = (
            saver.save_tensor_name.partition(":")[0],
            f"{saver.restore_op_name}:0",
        )
        (folder / "saved_model.pb").write_bytes(message.SerializeToString())
        with pytest.raises(ModelError, match=r"the operator (SaveV2|RestoreV2|MergeV2Checkpoints)"):
            load(folder)

    def test_a_function_of_the_saver_that_an_object_calls_too_is_refused(self):
        import tensorflow as tf
        from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

        def write():
            saved = tf.raw_ops.SaveV2(prefix="PROOF", tensor_names=["a"], shape_and_slices=[""], tensors=[1.0])
            with tf.control_dependencies([saved]):
                return tf.constant(1.0)

        folder = self.save(lambda x: tf.nn.softmax(tf.reduce_mean(x, 1)), other=write)
        message = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        graph, saver = message.meta_graphs[0].graph_def, message.meta_graphs[0].saver_def
        writing = next(
            each.signature.name
            for each in graph.library.function
            if any(node.op == "SaveV2" for node in each.node_def) and "traced_save" not in each.signature.name
        )
        saving = next(node for node in graph.node if node.name == saver.save_tensor_name.partition(":")[0])
        saving.attr["f"].func.name = writing
        # The saver's own function would be found as well, now that nothing calls it.
        kept = [each for each in graph.library.function if "traced_save" not in each.signature.name]
        del graph.library.function[:]
        graph.library.function.extend(kept)
        (folder / "saved_model.pb").write_bytes(message.SerializeToString())
        with pytest.raises(ModelError, match="the operator SaveV2"):
            load(folder)

    @pytest.mark.parametrize("between", [b": ", b" :", b":\t"])
    def test_a_lambda_layer_is_found_however_its_json_is_spaced(self, between):
        import tf_keras

        layers = tf_keras.layers
        model = tf_keras.Sequential(
            [layers.Input((4, 6)), layers.Lambda(lambda x: x), layers.GlobalAveragePooling1D(), layers.Dense(2)]
        )
        model.save("saved", save_format="tf")
        metadata = Path("saved/keras_metadata.pb")
        plain = b'"class_name": "Lambda"'
        assert plain in metadata.read_bytes()
        metadata.write_bytes(metadata.read_bytes().replace(plain, plain.replace(b": ", between)))
        with pytest.raises(ModelError, match="without code, got a Lambda layer"):
            load(Path("saved"))


def test_what_the_users_module_imports_from_python_is_not_allowed(tmp_path):
    module = tmp_path / "mine.py"
    module.write_text("from os.path import exists\nfrom subprocess import run, Popen\n")
    path = write_h5("hostile.h5", [described("Activation", {"activation": "run"})], end="activation")
    with pytest.raises(ModelError, match="the function run"):
        load(path, custom_objects=module)


FUZZ = Path(__file__).with_name("fuzz_fields.py")


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_no_field_of_any_class_opens_a_file_or_runs_a_command(framework, tmp_path):
    """Each class of the framework, with each payload in each field: refused, or harmless when it is built."""
    done = subprocess.run(
        [sys.executable, str(FUZZ), framework],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["acted"] == []
    assert report["refused_classes"] > 10
    assert report["built"] > 1000
    assert report["refused"] > 1000

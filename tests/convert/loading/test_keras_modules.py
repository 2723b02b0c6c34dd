"""Aliases of Keras in a dictionary that replaces `sys.modules`."""

from types import ModuleType

import pytest

from convert.loading.keras_modules import KerasModules

PARTS = (
    "layers models backend activations initializers regularizers constraints utils applications losses metrics"
).split()


def module(name, **attributes):
    made = ModuleType(name)
    vars(made).update(attributes)
    return made


@pytest.fixture
def tf_keras():
    layers = module("tf_keras.layers", LSTM=type("LSTM", (), {}))
    parts = {part: module(f"tf_keras.{part}") for part in PARTS} | {"layers": layers}
    return module("tf_keras", Model=type("Model", (), {}), Sequential=type("Sequential", (), {}), **parts)


@pytest.fixture
def modules(tf_keras):
    names = ("keras", "keras.layers", "keras_other", "tensorflow", "tensorflow.keras.layers", "tensorflow.nn")
    loaded = {name: module(name) for name in names}
    return loaded | {"tf_keras": tf_keras, "tf_keras.src.engine": module("tf_keras.src.engine")}


def test_saving_removes_keras_and_nothing_else(tf_keras, modules):
    KerasModules(tf_keras, module("tensorflow"), modules).save()
    assert sorted(modules) == ["keras_other", "tensorflow", "tensorflow.nn", "tf_keras", "tf_keras.src.engine"]


def test_an_alias_is_tf_keras_under_both_names_of_keras(tf_keras, modules):
    tensorflow = module("tensorflow", keras="Keras 3")
    keras = KerasModules(tf_keras, tensorflow, modules)
    keras.save()
    keras.alias()
    for name in ("keras", "tensorflow.keras"):
        assert modules[name] is tf_keras
        assert modules[f"{name}.src.engine"] is modules["tf_keras.src.engine"]
        assert modules[f"{name}.layers"] is tf_keras.layers
    assert tensorflow.keras is tf_keras


@pytest.mark.parametrize("place", ["engine.topology", "engine", "layers.core", "layers.recurrent"])
def test_an_alias_of_a_module_that_has_moved_holds_every_layer_and_model(tf_keras, modules, place):
    keras = KerasModules(tf_keras, module("tensorflow"), modules)
    keras.save()
    keras.alias()
    moved = modules[f"tensorflow.keras.{place}"]
    assert modules[f"keras.{place}"] is moved
    assert (moved.LSTM, moved.Model, moved.Sequential) == (tf_keras.layers.LSTM, tf_keras.Model, tf_keras.Sequential)


@pytest.mark.parametrize("attributes", [{"keras": "Keras 3"}, {}])
def test_restoring_leaves_everything_as_it_was(tf_keras, modules, attributes):
    tensorflow, before = module("tensorflow", **attributes), dict(modules)
    keras = KerasModules(tf_keras, tensorflow, modules)
    keras.save()
    keras.alias()
    modules["keras.imported_meanwhile"] = module("keras.imported_meanwhile")
    keras.restore()
    assert modules == before
    assert getattr(tensorflow, "keras", None) == attributes.get("keras")


def test_keras_is_restored_after_an_error_in_the_body(tf_keras, modules):
    before = dict(modules)
    with pytest.raises(ZeroDivisionError), KerasModules(tf_keras, module("tensorflow"), modules):
        assert modules["keras"] is tf_keras
        raise ZeroDivisionError
    assert modules == before

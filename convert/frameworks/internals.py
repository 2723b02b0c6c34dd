"""Private names of Keras 3, tf_keras, TensorFlow and the LiteRT interpreter that edgevid relies on: one function each.

No other module uses them (`tests/repo/test_imports.py`), so an upgrade is checked here. Each entry names the version
whose source it was read from. Functions import the frameworks when they are called.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, cast

from edgevid.errors import ModelError

# Modules in which each framework turns the code of a Lambda layer into functions. Such a function sees the names of
# its module. Read from Keras 3.15 and tf_keras 2.21.
MODULES_OF_CODE = {
    "keras": ("keras.src.utils.python_utils",),
    "tf_keras": ("tf_keras.src.utils.generic_utils", "tf_keras.src.layers.core.lambda_layer"),
}
# Modules in which Keras 3 defines its functional model and the classes of its operators. Read from Keras 3.15.
FUNCTIONAL_MODULE = "keras.src.models.functional"
OPERATOR_MODULES = tuple(f"keras.src.ops.{name}" for name in ("numpy", "nn", "core", "math", "image", "linalg"))


def all_layers(model: Any, *, include_self: bool = True, recursive: bool = True) -> list[Any]:
    """Return every layer inside a layer or model; an empty list for any other object. Both frameworks."""
    if not hasattr(model, "_flatten_layers"):
        return []
    return list(model._flatten_layers(recursive=recursive, include_self=include_self))


def is_functional(layer: Any) -> bool:
    """Return whether a layer is a functional model, whose calls `nodes_of` lists. Both frameworks."""
    return hasattr(layer, "_nodes_by_depth")


def nodes_of(model: Any) -> Iterator[Any]:
    """Yield the calls of a functional model in topological order. Both frameworks."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        yield from model._nodes_by_depth[depth]


def first_node(layer: Any) -> Any:
    """Return a layer's first call. Both frameworks."""
    return layer._inbound_nodes[0]


def maker_of(tensor: Any) -> Any:
    """Return the history of a symbolic tensor of Keras 3: `operation`, `node_index`, `tensor_index`; else None."""
    return getattr(tensor, "_keras_history", None)


def arguments_of(maker: Any) -> Any:
    """Return the arguments of the call that made a symbolic tensor of Keras 3."""
    return maker.operation._inbound_nodes[maker.node_index].arguments


def symbolic_mask(tensor: Any) -> Any:
    """Return the mask that Keras 3 propagates with a symbolic tensor, or None."""
    return getattr(tensor, "_keras_mask", None)


def mask_of(tensor: Any) -> Any:
    """Return the mask of a TensorFlow tensor, or None. tf_keras stores it on the tensor, Keras 3 in its own map."""
    if hasattr(tensor, "_keras_mask"):
        return tensor._keras_mask
    from keras.src.backend.common.masking import get_keras_mask

    return get_keras_mask(tensor)


def attach_mask(tensor: Any, mask: Any) -> None:
    """Attach a mask to a TensorFlow tensor, where `mask_of` finds it. tf_keras's own attribute."""
    tensor._keras_mask = mask


def input_structure(model: Any) -> Any:
    """Return the nesting of the inputs of a functional model of Keras 3; None for any other model."""
    return getattr(model, "_inputs_struct", None)


def takes_training(layer: Any) -> bool:
    """Return whether a layer's `call` has an argument `training`. Keras 3 and tf_keras name the flag differently."""
    return bool(getattr(layer, "_call_has_training_arg", False) or getattr(layer, "_expects_training_arg", False))


def built_shapes(model: Any) -> list[Any]:
    """Return the input shapes that a subclassed model was built for; None for a shape that its framework lost."""
    built = list((getattr(model, "_build_shapes_dict", None) or {}).values())
    # Keras 2 stores the shape of the first call in SavedModels, and the shape of the build in other files.
    known = [
        getattr(model, "_build_input_shape", None),
        getattr(getattr(model, "_saved_model_inputs_spec", None), "shape", None),
    ]
    return [built] if len(built) > 1 else [*built, *known]


def framework_of(model: Any) -> str:
    """Return the package of a model's framework, "keras" or "tf_keras"."""
    return "tf_keras" if type(model).__module__.startswith("tf_keras") else "keras"


def code_allowed(model: Any) -> AbstractContextManager[Any]:
    """Return a context in which the model's framework builds Lambda layers from their configuration."""
    return safe_mode(framework_of(model), is_safe=False)


def from_description(config: Any, *, custom_objects: Mapping[str, Any], safe_mode: bool) -> Any:
    """Build a Keras 3 object from its description. The public function rejects HDF5 files as incomplete."""
    from keras.src.saving.serialization_lib import deserialize_keras_object

    return deserialize_keras_object(config, custom_objects=dict(custom_objects), safe_mode=safe_mode)


def load_hdf5_weights(group: Any, model: Any) -> None:
    """Load the weights of an HDF5 file of Keras 3 into a model."""
    from keras.src.legacy.saving.legacy_h5_format import load_weights_from_hdf5_group

    load_weights_from_hdf5_group(group, model)


@contextmanager
def symbolic(shape: Sequence[int]) -> Iterator[Any]:
    """Open a graph in which calls of layers have shapes and compute nothing; yield a tensor of it.

    Unlike in a traced function, layers may create their variables there. Read from TensorFlow 2.21.

    Args:
        shape: Shape of the tensor, float32.
    """
    import tensorflow as tf
    from tensorflow.python.framework.func_graph import FuncGraph

    with FuncGraph("symbolic").as_default():
        yield tf.compat.v1.placeholder(tf.float32, tuple(shape))


def frozen(function: Any, *, lower_control_flow: bool = True) -> Any:
    """Return a concrete function with constants for variables. TensorFlow 2.21, as in its converter."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(function, lower_control_flow=lower_control_flow)


def graph_of(definition: Any) -> tuple[Any, dict[str, str]]:
    """Return a library function as a graph, and the names of its tensors there. TensorFlow 2.21."""
    from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

    graph, names = function_def_to_graph_def(definition)
    return graph, names


def use_one_grid_per_dense_layer(converter: Any) -> None:
    """Let a TFLite converter quantize the weights of a dense layer on one grid, not on one per output.

    Args:
        converter: A `tf.lite.TFLiteConverter`.
    """
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


def operator_definition(name: str) -> Any:
    """Return TensorFlow's definition of an operator: its attributes and arguments. TensorFlow 2.21."""
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(name)


def tflite_schema() -> Any:
    """Return the module of classes generated from the schema of `.tflite` files. TensorFlow 2.21."""
    from tensorflow.lite.python import schema_py_generated

    return schema_py_generated


def operators_of(interpreter: Any) -> list[Mapping[str, Any]]:
    """Return the operators of a loaded `.tflite` file: name, inputs, outputs. LiteRT 2.3 has no public way."""
    return list(interpreter._get_ops_details())


def tensor_details(interpreter: Any, index: int) -> dict[str, Any]:
    """Return name, shape, type and grid of a tensor in a loaded `.tflite` file. LiteRT 2.3 has no public way."""
    return dict(interpreter._get_tensor_details(index, 0))


def parse_saved_model(path: Path) -> Any:
    """Return the description of a SavedModel, as TensorFlow reads it: a `SavedModel` message. TensorFlow 2.21.

    Raises:
        OSError: There is none, or it cannot be parsed.
    """
    from tensorflow.python.saved_model.loader_impl import parse_saved_model as parse

    return parse(str(path))


def keras_metadata(path: Path) -> Iterator[str]:
    """Yield the description of each Keras object in a SavedModel, as JSON. tf_keras 2.21.

    Keras 2.5 and later write them to a file of their own, earlier versions into the object graph.

    Raises:
        ModelError: The file cannot be parsed.
        OSError: The object graph cannot be parsed.
    """
    from google.protobuf.message import DecodeError
    from tf_keras.protobuf.saved_metadata_pb2 import SavedMetadata

    file = path / "keras_metadata.pb"
    if file.is_file():
        try:
            nodes = SavedMetadata.FromString(file.read_bytes()).nodes
        except DecodeError as error:
            raise ModelError(expected="layers that can be parsed", found=f"{file}: {error}", path=file) from error
        yield from (node.metadata for node in nodes if node.metadata)
    for meta_graph in parse_saved_model(path).meta_graphs:
        for node in meta_graph.object_graph_def.nodes:
            if node.user_object.identifier.startswith("_tf_keras") and node.user_object.metadata:
                yield node.user_object.metadata


def operator_of(definition: Any) -> str:
    """Return the operator's name in the `NodeDef` that a layer of Keras 2 holds, or "" without one. tf_keras 2.21."""
    from google.protobuf import json_format
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework.node_def_pb2 import NodeDef

    try:
        if isinstance(definition, dict):
            return str(json_format.ParseDict(definition, NodeDef()).op)
        return str(NodeDef.FromString(str(definition).encode()).op)
    except (DecodeError, json_format.ParseError):
        return ""


def is_operator_class(name: str) -> bool:
    """Return whether Keras 3 has a class of tensor operators of a name. Keras 3.15."""
    modules = map(importlib.import_module, OPERATOR_MODULES)
    return any(isinstance(vars(module).get(name), type) for module in modules)


def safe_mode(framework: str, *, is_safe: bool) -> AbstractContextManager[Any]:
    """Return a context in which a framework rejects functions in files, of any format. Keras 3.15, tf_keras 2.21.

    The argument `safe_mode` of `load_model` only counts for `.keras` files in tf_keras.
    """
    module = importlib.import_module(f"{framework}.src.saving.serialization_lib")
    return cast("AbstractContextManager[Any]", module.SafeModeScope(safe_mode=is_safe))


@contextmanager
def node_data_changed(change: Callable[[Any], Any]) -> Iterator[None]:
    """Let tf_keras build functional models from changed descriptions of calls inside the block. tf_keras 2.21.

    Args:
        change: From the calls of a layer, as a file describes them, to other ones.
    """
    module: Any = importlib.import_module("tf_keras.src.utils.tf_utils")
    original = module.convert_inner_node_data

    def convert(nested: Any, wrap: bool = False) -> Any:  # as tf_keras calls it
        return original(change(nested) if wrap else nested, wrap=wrap)

    module.convert_inner_node_data = convert
    try:
        yield
    finally:
        module.convert_inner_node_data = original


def saved_loss(model: Any) -> Any:
    """Return the loss in the metadata of a SavedModel of tf_keras, as it describes it; None for none."""
    metadata = (getattr(model, "_serialized_attributes", None) or {}).get("metadata") or {}
    compiled = metadata.get("training_config")
    return compiled.get("loss") if isinstance(compiled, dict) else None

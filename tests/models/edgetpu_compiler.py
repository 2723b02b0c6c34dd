"""A stand-in for Google's edgetpu_compiler, which replaces all operators by one custom operator.

`EDGETPU_STANDIN` makes it fail in one of the ways that a compiler can. It reads TensorFlow's schema
without importing TensorFlow.
"""

import importlib.util
import os
import stat
import sys
from pathlib import Path


def install(folder: Path) -> Path:
    """Put the program into a folder for PATH."""
    program = folder / "edgetpu_compiler"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).resolve()} "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


def main(arguments: list[str]) -> int:
    how = os.environ.get("EDGETPU_STANDIN", "")
    folder, source = Path(arguments[arguments.index("-o") + 1]), Path(arguments[-1])
    if how == "fails":
        print("Edge TPU Compiler version 16.0.384591198\nInternal compiler error. Aborting!")
        return 1
    data = source.read_bytes()
    made = {"copies": lambda: data, "garbles": lambda: data[:200], "renames": lambda: compiled(data, b"another")}.get(
        how, lambda: compiled(data)
    )()
    (folder / f"{source.stem}_edgetpu.tflite").write_bytes(made)
    print("Number of operations that will run on Edge TPU: 5\nNumber of operations that will run on CPU: 0")
    return 0


def compiled(data: bytes, name: bytes | None = None) -> bytes:
    """The same inputs and outputs around a single custom operator."""
    import flatbuffers

    schema = _schema()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    graph = model.subgraphs[0]
    code = schema.OperatorCodeT()
    code.customCode, code.builtinCode, code.deprecatedBuiltinCode, code.version = (
        b"edgetpu-custom-op",
        schema.BuiltinOperator.CUSTOM,
        32,
        1,
    )
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs, operator.customOptions = (
        0,
        graph.inputs,
        graph.outputs,
        list(b"parameters"),
    )
    model.operatorCodes, graph.operators = [code], [operator]
    if name is not None:
        graph.tensors[graph.outputs[0]].name = name
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _schema():
    found = importlib.util.find_spec("tensorflow")
    path = Path(found.origin).parent / "lite" / "python" / "schema_py_generated.py"
    spec = importlib.util.spec_from_file_location("schema_py_generated", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

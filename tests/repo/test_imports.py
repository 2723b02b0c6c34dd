import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.files import ROOT, repository_files

HEAVY = ["tensorflow", "keras", "tf_keras", "convert", "sklearn", "matplotlib", "rich", "jinja2", "h5py"]
INTERPRETERS = ["ai_edge_litert", "tflite_runtime"]
DEVICE_MODULES = [
    ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    for path in repository_files()
    if path.parts[0] == "edgevid" and path.suffix == ".py"
]


def imported_by(program: str) -> set[str]:
    """Names of the top-level packages in memory after a program."""
    code = f"{program}\nimport json, sys\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_imports_nothing_else():
    assert not imported_by("import edgevid") & {"numpy", "cv2", *HEAVY, *INTERPRETERS}


def test_the_main_path_and_the_command_line_import_neither_the_workstation_nor_opencv():
    assert not imported_by("import edgevid, edgevid.pipeline, edgevid.cli") & {"cv2", *HEAVY, *INTERPRETERS}


def test_no_module_of_the_device_imports_the_workstation_or_opencv_or_the_interpreter():
    program = "\n".join(f"import {name}" for name in DEVICE_MODULES if not name.endswith("__main__"))
    assert len(DEVICE_MODULES) > 15
    assert not imported_by(program) & {"cv2", *HEAVY, *INTERPRETERS}


def test_the_import_contracts_hold():
    pytest.importorskip("importlinter")
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


CONVERTER = {
    path: ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for path in repository_files()
    if path.parts[0] == "convert" and path.suffix == ".py"
}
INTERNALS = Path("convert/frameworks/internals.py")
PRIVATE_MODULES = ("keras.src.", "tf_keras.src.", "tensorflow.python.", "tensorflow.lite.python.")
# The type of argparse's groups has no public name, and this setting of the converter no public form.
ALLOWED = {"_ArgumentGroup"}


def private_modules(tree):
    """Imports of modules that a framework keeps to itself, by statement or by name."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    names = {alias.name for node in imports for alias in node.names}
    imports_from = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names |= {f"{node.module}.{alias.name}" for node in imports_from for alias in node.names}
    chains = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    names |= {ast.unparse(node) for node in chains} | strings_given_to(tree, "import_module", "__import__")
    return {name for name in names if f"{name}.".startswith(PRIVATE_MODULES)}


def strings_given_to(tree, *functions):
    """Literal strings among the arguments of some functions' calls."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    calls = [node for node in calls if ast.unparse(node.func).rpartition(".")[2] in functions]
    values = [argument.value for node in calls for argument in node.args if isinstance(argument, ast.Constant)]
    return {value for value in values if isinstance(value, str)}


def private_attributes(tree):
    """Attributes with one underscore in front, of whatever object."""
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= strings_given_to(tree, "getattr", "setattr", "hasattr", "delattr", "__setattr__", "__delattr__")
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def defined_names(tree):
    """Functions, classes, variables and attributes of `self` that a module defines."""
    nodes = list(ast.walk(tree))
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    names |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    attributes = [node for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)]
    return names | {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "self"}


def test_one_file_of_the_converter_imports_private_modules_of_the_frameworks():
    assert private_modules(CONVERTER[INTERNALS])
    found = {path.as_posix(): private_modules(tree) for path, tree in CONVERTER.items() if path != INTERNALS}
    assert {path: names for path, names in found.items() if names} == {}


def test_one_file_of_the_converter_uses_private_attributes_of_the_frameworks():
    theirs = private_attributes(CONVERTER[INTERNALS])
    assert theirs >= {"_flatten_layers", "_nodes_by_depth", "_inbound_nodes", "_keras_history", "_keras_mask"}
    assert theirs >= {"_get_ops_details", "_get_tensor_details"}
    others = {path: tree for path, tree in CONVERTER.items() if path != INTERNALS}
    # Our own are known by their definition. A class of ours may define one of theirs, and still no other file reads it.
    ours = set().union(*map(defined_names, others.values())) - theirs
    found = {path.as_posix(): private_attributes(tree) - ours - ALLOWED for path, tree in others.items()}
    assert {path: names for path, names in found.items() if names} == {}

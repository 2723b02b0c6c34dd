import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.repo.files import ROOT, text_files

TEXTS = text_files()
SOURCES = {
    path: text for path, text in TEXTS.items() if path.suffix == ".py" and path.parts[0] in ("edgevid", "convert")
}
THIS_FOLDER = Path("tests/repo")
LONGEST_FUNCTION, LONGEST_MODULE = 45, 350
MOST_MODULES = 14
# One idea each, which a cut would only scatter.
LONGER: dict[str, str] = {}
# Licences are others' words, and results say on what they were measured.
QUOTED = (Path("LICENSE"), Path("benchmarks/results"))


def lines_with(pattern, *, but=()):
    """Every line of the repository with a pattern, outside of some folders."""
    found = []
    for path, text in TEXTS.items():
        if any(path.is_relative_to(folder) for folder in (THIS_FOLDER, *QUOTED, *but)):
            continue
        found += [
            f"{path}:{number}: {line.strip()}"
            for number, line in enumerate(text.splitlines(), 1)
            if re.search(pattern, line)
        ]
    return found


def test_no_file_names_a_folder_of_the_machine_it_was_written_on():
    assert lines_with(r"(?<![\w.])/(work|root|Users|tmp|home/(?!pi\b))/") == []


def test_only_benchmarks_and_tests_know_of_data_outside_of_the_repository():
    assert (
        lines_with(
            r"\bshared/",
            but=(Path("benchmarks"), Path("tests"), Path("docs"), Path("README.md"), Path("CONTRIBUTING.md")),
        )
        == []
    )


def test_nothing_is_left_to_do_in_the_code():
    assert lines_with(r"\b(TODO|FIXME|XXX|HACK)\b") == []


def test_no_module_is_named_for_being_a_drawer():
    assert [
        path for path in TEXTS if path.stem in ("utils", "util", "helpers", "helper", "common", "core", "misc")
    ] == []


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_each_module_can_be_read_in_one_sitting_and_each_function_aloud(path):
    text = SOURCES[path]
    assert len(text.splitlines()) <= LONGEST_MODULE or str(path) in LONGER
    assert too_long(text) == []


def test_no_folder_holds_more_modules_than_a_reader_takes_in():
    folders = Counter(path.parent for path in TEXTS if path.suffix == ".py" and path.stem != "__init__")
    assert {str(folder): count for folder, count in folders.items() if count > MOST_MODULES} == {}


def test_every_page_that_the_code_names_is_there():
    pages = re.compile(r"(?<![\w/.])docs/[\w/-]+\.(?:md|py|css|png|svg|toml)\b")
    named = {(path, page) for path, text in TEXTS.items() for page in pages.findall(text)}
    assert len(named) > 20
    assert sorted(f"{path}: {page}" for path, page in named if not (ROOT / page).exists()) == []


def test_the_exceptions_are_needed():
    assert [path for path in LONGER if len(SOURCES[Path(path)].splitlines()) <= LONGEST_MODULE] == []


def too_long(text):
    """Functions above the limit; docstrings and empty lines do not count."""
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [
        (node.name, length)
        for node in functions
        if (length := lines_of_code(node, text.splitlines())) > LONGEST_FUNCTION
    ]


def lines_of_code(function, lines):
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return sum(bool(line.strip()) for line in lines[body[0].lineno - 1 : body[-1].end_lineno]) if body else 0


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_no_user_error_is_an_assert(path):
    """Only `assert x is not None`, which narrows a type, is allowed outside of tests."""
    asserted = [node.test for node in ast.walk(ast.parse(SOURCES[path])) if isinstance(node, ast.Assert)]
    assert [ast.unparse(test) for test in asserted if not all(map(is_not_none, getattr(test, "values", [test])))] == []


def is_not_none(test):
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.IsNot)
        and ast.unparse(test.comparators[0]) == "None"
    )


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_every_error_raised_on_purpose_is_one_of_ours_or_a_programmers(path):
    """`raise RuntimeError("...")` tells neither the command line nor a caller what went wrong."""
    raised = [
        node.exc.func.id
        for node in ast.walk(ast.parse(SOURCES[path]))
        if isinstance(node, ast.Raise) and called_by_name(node.exc)
    ]
    assert set(raised) & {"Exception", "RuntimeError", "BaseException", "OSError"} == set()


def called_by_name(expression):
    return isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name)


def test_the_files_that_a_reader_looks_for_are_there():
    wanted = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "pyproject.toml",
        "docs/reference/bundle-format.md",
        ".ci/run",
    ]
    assert [name for name in wanted if not (ROOT / name).is_file()] == []


def test_the_license_is_apache_2():
    assert "Apache License" in TEXTS[Path("LICENSE")]
    assert "Version 2.0" in TEXTS[Path("LICENSE")]

import inspect
import pickle
from pathlib import Path

import pytest

from edgevid import errors

CLASSES = [found for _, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, errors.EdgevidError)]
CHILDREN = [found for found in CLASSES if found is not errors.EdgevidError]
EXIT_CODES = {
    "UsageError": 2,
    "DeploymentError": 2,
    "MissingDependency": 2,
    "SelftestFailed": 3,
    "VerificationFailed": 3,
}


@pytest.mark.parametrize("kind", CHILDREN)
def test_each_error_is_one_of_ours_and_one_of_the_builtins(kind):
    builtin = {parent for parent in kind.__mro__ if parent.__module__ == "builtins"} - {
        object,
        BaseException,
        Exception,
    }
    assert builtin, kind


@pytest.mark.parametrize("kind", CLASSES)
def test_each_error_says_what_the_command_line_returns(kind):
    assert kind.exit_code == EXIT_CODES.get(kind.__name__, 1)


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_carries_what_was_expected_what_was_found_and_where(kind):
    error = kind("Expected one, got two.", expected=1, got=2, path="some/file")
    assert (str(error), error.expected, error.got, error.path) == ("Expected one, got two.", 1, 2, Path("some/file"))
    assert kind("Expected one.").path is None


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_survives_the_way_out_of_a_child_process(kind):
    error = pickle.loads(pickle.dumps(kind("Expected one, got two.", expected=1, got=2, path="some/file")))
    assert type(error) is kind
    assert (str(error), error.expected, error.got, error.path) == ("Expected one, got two.", 1, 2, Path("some/file"))


@pytest.mark.parametrize(
    "kind", [found for found in CLASSES if found.__name__.startswith(("Bundle", "Manifest", "Parts"))]
)
def test_every_refusal_of_a_bundle_is_a_bundle_error(kind):
    assert issubclass(kind, errors.BundleError)


def test_a_value_that_is_nested_too_deeply_to_be_shown_is_described() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert (
        str(errors.UsageError(expected="a text", got=deep)) == "Expected a text, got a list that is nested too deeply."
    )
    while deep:
        deep = deep.pop()  # type: ignore[assignment]  # level by level: the interpreter would recurse

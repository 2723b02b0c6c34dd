"""Public names of the workstation, and its options compared with the command line's."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys

import pytest

import convert
from edgevid import cli
from edgevid.errors import UsageError

PUBLIC = [
    *(
        "convert_model",
        "Options",
        "Conversion",
        "train",
        "TrainOptions",
        "TrainedModel",
        "Epoch",
        "evaluate",
        "EvaluateOptions",
        "Evaluation",
        "evaluate_streams",
        "StreamOptions",
        "StreamEvaluation",
        "calibrate",
        "CalibrationOptions",
        "Calibration",
    ),
    *("Progress", "Silent", "Terminal"),
]
# Options of `convert.stream_evaluation.StreamOptions`, and of files of other tools.
STREAMS = (
    *("streams", "truth", "tolerance", "max_false_per_hour", "paces", "report"),
    *("tier", "attribute", "point", "omit", "rename", "rest_is_empty"),
)
# Arguments of the call itself, and options that only a terminal has.
NOT_OPTIONS = {
    "convert": {"model", "clips", "output", "json"},
    "train": {"clips", "output", "check", "json"},
    "evaluate": {"model", "clips", "json", *STREAMS},
}


def test_the_public_names_are_these_and_no_others() -> None:
    assert convert.__all__ == PUBLIC
    assert dir(convert) == sorted(PUBLIC)


@pytest.mark.tf
@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_is_there_and_documented(name: str) -> None:
    assert inspect.getdoc(getattr(convert, name))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'convert' has no attribute 'fit'"):
        convert.fit  # noqa: B018


def test_importing_the_package_imports_no_framework() -> None:
    heavy = "('tensorflow', 'keras', 'tf_keras', 'sklearn')"
    code = f"import sys, convert\nprint([name for name in {heavy} if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


@pytest.mark.parametrize(
    ("verb", "kind"), [("convert", "Options"), ("train", "TrainOptions"), ("evaluate", "EvaluateOptions")]
)
def test_options_mirror_the_command_line_one_to_one(verb: str, kind: str) -> None:
    parser = cli.verb_parser(verb)
    said = {action.dest: action for action in parser._actions if action.dest not in ("help", *NOT_OPTIONS[verb])}
    fields = {item.name: item for item in dataclasses.fields(getattr(convert, kind))}
    assert sorted(said) == sorted(fields)
    for name, item in fields.items():
        default = said[name].default
        # A repeatable option has a list, which becomes a tuple.
        assert (tuple(default) if isinstance(default, list) else default) == item.default, name


def test_options_are_checked_when_they_are_stated() -> None:
    for kind, wrong in (
        (convert.Options, {"max_drop": -1.0}),
        (convert.TrainOptions, {"frames": 0}),
        (convert.TrainOptions, {"interval": 0.0}),
        (convert.TrainOptions, {"group_by": "("}),
        (convert.EvaluateOptions, {"threads": 0}),
    ):
        with pytest.raises(UsageError):
            kind(**wrong)

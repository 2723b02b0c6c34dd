"""The public names: the complete list, and the cost of importing the package."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import edgevid

PUBLIC = [
    *("load", "run", "DEMO", "Model", "Stream", "Session", "Decision", "Event"),
    *("count", "Repetition", "RepetitionCounter", "Telemetry"),
    *("Page", "Mqtt", "Webhook", "Metrics", "Clips", "Record", "Timeline", "Lines", "OnEvent"),
    *(
        "Output",
        "QuietOutput",
        "Collector",
        "Frame",
        "Region",
        "KeypointRows",
        "Source",
        "open_source",
        "Bundle",
        "read_bundle",
        "EdgevidError",
        "errors",
        "__version__",
    ),
]


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout


def test_the_public_names_are_these_and_no_others() -> None:
    assert edgevid.__all__ == PUBLIC
    assert dir(edgevid) == sorted(PUBLIC)


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "__version__"])
def test_each_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(edgevid, name)
    assert inspect.getdoc(value)


def test_a_star_import_brings_every_public_name() -> None:
    assert (
        python("from edgevid import *\nprint(sorted(set(dir()) & {'load', 'Mqtt', 'errors'}))").strip()
        == "['Mqtt', 'errors', 'load']"
    )


def test_type_checkers_see_the_same_names() -> None:
    stub = Path(edgevid.__file__).with_suffix(".pyi").read_text()
    assert sorted([*re.findall(r"import \w+ as ([A-Za-z]\w*)", stub), "read_bundle", "__version__"]) == sorted(PUBLIC)


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="'edgevid' has no attribute 'Interpreter'"):
        edgevid.Interpreter  # noqa: B018


def test_importing_the_package_imports_neither_numpy_nor_an_interpreter() -> None:
    heavy = ("numpy", "ai_edge_litert", "tflite_runtime", "cv2", "tensorflow", "edgevid.errors", "edgevid.pipeline")
    assert python(f"import sys, edgevid\nprint([name for name in {heavy!r} if name in sys.modules])").strip() == "[]"


def test_importing_the_package_takes_less_than_40_mb() -> None:
    # Not `ru_maxrss`: a child of a large process begins with its parent's.
    rss_kib = int(
        python("import edgevid, re\nprint(re.search(r'VmRSS:\\s+(\\d+)', open('/proc/self/status').read())[1])")
    )
    assert rss_kib * 1024 < 40e6


def test_each_public_callable_has_its_options_by_keyword_only() -> None:
    """Keyword-only options can be added and reordered later."""
    subjects = {"load": ["path"], "run": ["models"], "open_source": ["text", "manifest"], "read_bundle": ["path"]}
    for name, expected in subjects.items():
        parameters = inspect.signature(getattr(edgevid, name)).parameters.values()
        assert [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD] == expected

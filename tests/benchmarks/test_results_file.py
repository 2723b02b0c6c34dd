"""What every benchmark writes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from edgevid import __version__


@pytest.fixture(scope="module")
def results_file() -> ModuleType:
    """The module, which is no package's: benchmarks are scripts."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "writing" / "results_file.py"
    spec = importlib.util.spec_from_file_location("results_file", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_result_holds_its_question_numbers_samples_and_environment(results_file: ModuleType, tmp_path: Path) -> None:
    path = results_file.write(
        "speed",
        question="How fast?",
        numbers={"p50_ms": 1.5},
        samples={"ms": [1, 2.00001]},
        threads=2,
        folder=tmp_path / "new",
    )
    found = json.loads(path.read_text())
    assert (found["benchmark"], found["question"], found["numbers"]) == ("speed", "How fast?", {"p50_ms": 1.5})
    assert found["samples"] == {"ms": [1.0, 2.0]}
    assert {"date", "commit", "machine", "versions", "threads", "load_1min"} <= set(found["environment"])
    assert found["environment"]["versions"]["edgevid"] == __version__
    assert [each.name for each in path.parent.iterdir()] == ["speed.json"]


def test_a_summary_has_the_count_and_the_percentiles(results_file: ModuleType) -> None:
    assert results_file.summary(range(1, 102)) == {
        "count": 101,
        "p50": 51.0,
        "p95": 96.0,
        "p99": 100.0,
        "min": 1,
        "max": 101,
    }


def test_a_table_is_markdown(results_file: ModuleType) -> None:
    assert results_file.table([("a", "bbb"), (1, 2)]) == "| a | bbb |\n|---|-----|\n| 1 | 2   |"

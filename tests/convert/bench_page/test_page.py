"""The page of benchmarks: each result with its verdict, looked at by a real browser."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from convert.bench_page.page import write_bench_page
from edgevid import cli
from edgevid.bench import files
from tests.chromium import visit
from tests.edgevid.bench.results import quiet, result_of, samples_of


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    good = samples_of()
    slow = samples_of(ms=1.2, seed=1)
    result = result_of(good)
    two = result_of(slow, engine=dataclasses.replace(result.engine, threads=2))
    busy = result_of(good, series=quiet(foreign_cores=(1.0,) * 19))
    names = [tmp_path / f"{name}.json" for name in ("one", "two", "<b>busy</b>".replace("/", "_"))]
    for path, each, samples in zip(names, (result, two, busy), (good, slow, good), strict=True):
        files.write(each, samples, path)
    return names


def test_the_page_shows_each_verdict_the_figures_and_the_rules(paths: list[Path], tmp_path: Path) -> None:
    write_bench_page(paths, tmp_path / "p.html")
    text = (tmp_path / "p.html").read_text()
    assert "an answer takes 2.00 ms (2.05 ms at p99), 100 a second; valid" in text
    assert "INVALID: other programs used 1.00 cores" in text
    assert re.search(r"<td>p50</td>.*2\.00 ms.*1\.20 ms.*2\.00 ms", text, flags=re.DOTALL)
    assert 'alt="Threads"' in text
    assert "<b>busy" not in text
    assert not re.findall(r'(?:src|href)="(?!data:)', text)


def test_one_number_of_threads_has_no_plot_of_threads(paths: list[Path], tmp_path: Path) -> None:
    write_bench_page(paths[:1], tmp_path / "p.html")
    assert 'alt="Threads"' not in (tmp_path / "p.html").read_text()


@pytest.mark.parametrize("width_px", [1200, 390])
def test_the_page_opens_in_a_browser_without_a_word_on_the_console(
    paths: list[Path], tmp_path: Path, width_px: int
) -> None:
    write_bench_page(paths, tmp_path / "p.html")
    document, console = visit(tmp_path / "p.html", width_px=width_px)
    assert console == []
    assert document.count("<img") == 6


def test_the_command_writes_the_page_and_refuses_an_edited_result(
    paths: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "boards.html"
    assert cli.main(["bench", "page", *map(str, paths), "-o", str(page)]) == 0
    assert page.is_file()
    page.unlink()
    paths[0].write_text(paths[0].read_text().replace('"p50_ms": ', '"p50_ms": 1'))
    assert cli.main(["bench", "page", *map(str, paths), "-o", str(page)]) == 1
    assert "a process with a median of" in capsys.readouterr().err
    assert not page.exists()


def test_two_results_of_one_name_are_told_apart_by_their_folders(paths: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "pi5"
    other.mkdir()
    samples = samples_of()
    files.write(result_of(samples), samples, other / "one.json")
    write_bench_page([paths[0], other / "one.json"], tmp_path / "p.html")
    assert "pi5/one" in (tmp_path / "p.html").read_text()

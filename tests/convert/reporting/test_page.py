"""The HTML report."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from convert.reporting.page import Section, write_html
from convert.reporting.rendering import kilobytes, percent
from edgevid.errors import UsageError

STAGE = {"name": "float Keras", "clips": 8, "agreement": 1.0, "max_abs_error": 2e-7, "accuracy": 0.75}
PLACE = {"partitions": 1, "delegated": 3, "operators": {"CONV_2D": 2, "SOFTMAX": 1}, "outside": {"SOFTMAX": 1}}
REPORT: dict[str, Any] = {
    "failure": "",
    "budget": {"max_drop": 1.0, "min_agreement": 0.98},
    "warnings": [],
    "edgetpu": None,
    "layers_unmeasured": [],
    "blame": "The layers that lose most: conv_2 in the encoder (8.5 dB in int8).",
    "layers": [
        {
            "part": "encoder",
            "precision": "int8",
            "layer": "conv_2",
            "operator": "CONV_2D",
            "operators": 1,
            "snr_db": 8.5,
            "cosine": 0.93,
            "max_abs_error": 0.4,
        },
        {
            "part": "head",
            "precision": "int16x8",
            "layer": "lstm",
            "operator": "MUL",
            "operators": 300,
            "snr_db": 90.0,
            "cosine": 1.0,
            "max_abs_error": 0.0,
        },
    ],
    "weights": [
        {"part": part, "bytes": size, "gzip_bytes": size // 2, "kernels": size, "zeros": 0.25}
        for part, size in (("encoder", 12_000), ("head", 3_400))
    ],
    "trained_weights": {"kernels": 15_000, "zeros": 0.5, "clusters": 0, "note": "the model was pruned"},
    "placement": [{"part": "encoder", **PLACE}, {"part": "head", **PLACE}],
    "calibration": {
        "clips": 4,
        "of": 8,
        "classes": {"none": {"clips": 4, "calibrated": 2}, "wave": {"clips": 4, "calibrated": 2}},
        "inputs": [
            {"part": "encoder", "input": 0, "samples": 64, "low": 0.0, "high": 1.0, "grid_low": 0.0, "grid_high": 1.0}
        ],
        "features_at_ends": {"calibrated": 0.001, "unseen": None, "unseen_windows": 0},
    },
    "model": {"file": "wave.keras", "sha256": "0" * 64, "framework": "keras", "written_by": "3.15.1"},
    "plan": "window",
    "precision": {"encoder": "int8", "head": "int16x8"},
    "recipe": "int8+int16x8",
    "labels": ["none", "wave"],
    "clips": 8,
    "clips_skipped": [],
    "clips_calibrated": 4,
    "agreement": 0.875,
    "agreement_held_out": None,
    "max_abs_error": 0.031,
    "accuracy_float": 0.75,
    "accuracy_bundle": 0.625,
    "stages": [STAGE, {**STAGE, "name": "stream", "agreement": 0.875, "accuracy": None}],
    "split": {"encoder_layers": ["conv"], "hoisted": ["lstm"], "lookback": 1, "not_causal": ""},
    "trials": [
        {"recipe": "int8", "failure": "agreement 50.0% is below 98.0%", "stage": None, "frame_ms": None, "bytes": None},
        {"recipe": "int8+int16x8", "failure": "", "stage": STAGE, "frame_ms": 0.12, "bytes": 15_400},
    ],
    "joined_in_integers": True,
    "part_bytes": {"encoder": 12_000, "head": 3_400},
    "confusion": {"float": [[4, 0], [1, 3]], "bundle": [[4, 0], [2, 2]]},
    "worst": [{"path": "clips/<wave>/1.avi", "truth": None, "float": "wave", "bundle": "none", "max_abs_error": 0.031}],
    "latency": {
        "machine": "Linux",
        "cpu": "Cortex-A76",
        "interpreter": "ai-edge-litert 2",
        "encode_ms": 0.1,
        "head_ms": 0.02,
        "frames": 20,
    },
    "notes": ["frames are RGB"],
    "window": {"frames": 16, "interval_s": 0.1, "sampling": "interval"},
    "input": {"height": 48, "width": 48},
    "versions": {"edgevid": "0.1.0"},
    "seconds": 12.3,
    "command": "edgevid convert wave.keras",
}


def page(tmp_path: Path, report: dict[str, Any] | None = None, **options: Any) -> str:
    write_html(report or REPORT, tmp_path / "report.html", title="Waves", **options)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_numbers_of_the_conversion_are_on_the_page(tmp_path: Path) -> None:
    text = page(tmp_path, bundle_bytes=45_600)
    for wanted in (
        "wave.keras (Keras 3.15.1)",
        "87.5 %",
        "62.5 %",
        "12.5 points lost",
        "0.120 ms",
        "46 kB",
        "int16x8",
        "agreement 50.0% is below 98.0%",
        "Assumed: frames are RGB.",
    ):
        assert wanted in text


def test_a_file_that_was_converted_elsewhere_is_not_called_keras(tmp_path: Path) -> None:
    model = {**REPORT["model"], "file": "theirs.tflite", "framework": "tflite", "written_by": "a .tflite file"}
    assert "theirs.tflite (a .tflite file)" in page(tmp_path, {**REPORT, "model": model})


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    text = page(tmp_path, sections=[Section(title="Timeline", picture=b"png", link=("annotated.mp4", "Watch"))])
    assert set(re.findall(r'(?:src|href)="([^":]+)', text)) == {"data", "annotated.mp4"}
    assert "url(" not in text
    assert "<script" not in text


def test_what_comes_from_files_is_escaped(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert "clips/&lt;wave&gt;/1.avi" in text
    assert "<wave>" not in text


def test_sections_come_in_order_with_their_tables_and_verdicts(tmp_path: Path) -> None:
    text = page(
        tmp_path,
        sections=[
            Section(title="First", table=[("event", ""), ("wave", "false alarm")]),
            Section(title="Second", text="after"),
        ],
    )
    assert text.index("<h2>First") < text.index("<h2>Second") < text.index("<h2>The proof")
    assert '<td class="false-alarm">false alarm</td>' in text


def test_a_conversion_without_labels_says_nothing_of_accuracy(tmp_path: Path) -> None:
    assert "trained model 7" not in page(
        tmp_path, {**REPORT, "accuracy_float": None, "accuracy_bundle": None, "confusion": None, "worst": []}
    )


def test_every_tag_that_is_opened_is_closed(tmp_path: Path) -> None:
    class Balance(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: Any) -> None:
            if tag not in ("meta", "img", "br"):
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    balance = Balance()
    balance.feed(page(tmp_path, sections=[Section(title="T", text="t", picture=b"p", table=[("a",), ("b",)])]))
    assert balance.open == []


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="folder"):
        write_html(REPORT, tmp_path / "no" / "report.html", title="Waves")


def test_sizes_and_shares_are_printed_for_people() -> None:
    assert kilobytes(1_234_567) == "1,235 kB"
    assert percent(None) == "–"
    assert percent(0.983) == "98.3 %"


def test_a_conversion_that_made_no_bundle_at_all_still_has_a_page(tmp_path: Path) -> None:
    nothing = dict.fromkeys(
        (
            "agreement",
            "agreement_held_out",
            "max_abs_error",
            "accuracy_bundle",
            "confusion",
            "latency",
            "calibration",
            "trained_weights",
        )
    )
    empty: dict[str, Any] = {
        "precision": {},
        "part_bytes": {},
        "weights": [],
        "placement": [],
        "layers": [],
        "worst": [],
    }
    text = page(tmp_path, {**REPORT, **nothing, **empty, "failure": "int8: TensorFlow's process was ended by SIGSEGV"})
    assert "over the budget" in text
    assert "agreement 50.0% is below 98.0%" in text


def test_layers_are_graded_and_the_failure_names_the_worst(tmp_path: Path) -> None:
    text = page(tmp_path, {**REPORT, "failure": "int8: agreement 50.0% is below 98.0%"})
    assert '<i class="bad" style="width: 14%">' in text
    assert "8.5 dB" in text
    assert REPORT["blame"] in text
    assert "encoder in int8 · CONV_2D" in text
    assert "head in int16x8 · MUL · 300 operators" in text
    assert ">exact<" in text


def test_a_part_whose_layers_could_not_be_measured_is_named_with_the_reason(tmp_path: Path) -> None:
    assert "could not be measured" not in page(tmp_path)
    text = page(
        tmp_path,
        {
            **REPORT,
            "layers": [],
            "layers_unmeasured": [{"part": "head", "precision": "float16", "reason": "other operators."}],
        },
    )
    assert "Layers of the head in float16: other operators." in text


def test_a_page_of_a_report_that_was_written_before_layers_had_a_precision_is_still_made(tmp_path: Path) -> None:
    before = {name: value for name, value in REPORT.items() if name not in ("blame", "layers_unmeasured")}
    layers = [{name: value for name, value in layer.items() if name != "precision"} for layer in REPORT["layers"]]
    assert "encoder · CONV_2D" in page(tmp_path, {**before, "layers": layers})


def test_many_classes_are_told_as_pairs(tmp_path: Path) -> None:
    labels = [f"class_{index}" for index in range(40)]
    matrix = [[3 if row == column else int((row, column) == (4, 7)) for column in range(40)] for row in range(40)]
    text = page(tmp_path, {**REPORT, "labels": labels, "confusion": {"float": matrix, "bundle": matrix}})
    assert 'class="matrix"' not in text
    assert "<td>class_4</td><td>class_7</td>" in text

"""Histograms and counters."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest

from edgevid.telemetry.latency import NONE, LatencySamples, Ledger
from edgevid.telemetry.telemetry import STAGES, Telemetry


def test_percentiles_are_those_of_the_samples_in_milliseconds() -> None:
    histogram = LatencySamples(Ledger(1, capacity=1000))
    for sample in range(1, 101):
        histogram.record(sample * 1_000_000)
    latency = histogram.latency()
    assert (latency.count, latency.max_ms) == (100, 100.0)
    assert (latency.p50_ms, latency.p95_ms, latency.p99_ms) == pytest.approx(
        tuple(np.percentile(np.arange(1, 101), [50, 95, 99]))
    )


def test_old_samples_leave_the_percentiles_and_stay_in_count_and_maximum() -> None:
    histogram = LatencySamples(Ledger(1, capacity=10))
    histogram.record(9_000_000)
    for _ in range(10):
        histogram.record(1_000_000)
    latency = histogram.latency()
    assert (latency.count, latency.max_ms, latency.p99_ms) == (11, 9.0, 1.0)


def test_an_empty_histogram_is_all_zeros() -> None:
    assert LatencySamples().latency().count == 0
    assert LatencySamples().latency().p99_ms == 0.0


def test_a_ledger_counts_each_column_by_itself_also_where_rows_were_overwritten() -> None:
    rng = np.random.default_rng(2)
    rows = rng.integers(1, 10**9, (50, 3))
    rows[rng.random((50, 3)) < 0.4] = NONE
    ledger = Ledger(3, capacity=16)
    assert [LatencySamples(ledger, column).latency().count for column in range(3)] == [0, 0, 0]
    for end, row in enumerate(rows.tolist(), start=1):
        ledger.note(*row)
        for column in range(3):
            histogram, real = LatencySamples(ledger, column), rows[:end, column]
            assert histogram.count == (real != NONE).sum()
            assert histogram.max_ns == max(0, real.max())
            held = real[-16:]
            assert histogram.samples_ns.tolist() == held[held != NONE].tolist()
            assert histogram.newest(5).tolist() == held[-5:][held[-5:] != NONE].tolist()
    assert ledger.rows == 50


def test_a_frame_without_an_answer_is_no_sample_of_what_it_did_not_go_through() -> None:
    telemetry = Telemetry()
    telemetry.note(*[5_000_000] * len(STAGES))
    telemetry.note(1_000_000, *[NONE] * (len(STAGES) - 1))
    assert {name: latency.count for name, latency in telemetry.stages().items()} == {
        **dict.fromkeys(STAGES, 1),
        "preprocess": 2,
    }


def test_recording_keeps_no_memory() -> None:
    histogram = LatencySamples(Ledger(1, capacity=64))
    histogram.record(1)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for sample in range(10_000, 20_000):
        histogram.record(sample)
    grown = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert grown < 4096, "ten thousand numbers are 80,000 bytes"


def test_the_json_form_names_every_recorded_stage_and_every_fate_of_a_frame() -> None:
    telemetry = Telemetry()
    telemetry.seen, telemetry.taken, telemetry.drops["source"] = 10, 4, 2
    for name in STAGES:
        getattr(telemetry, name).record(2_000_000)
    data = json.loads(json.dumps(telemetry.as_json()))
    assert data["frames"] == {"seen": 10, "taken": 4, "skipped": 6, "gaps": 0, "reconnects": 0, "still": 0, "missed": 0}
    assert data["drops"] == {"source": 2, "late": 0}
    assert list(data["latency_ms"]) == list(STAGES)
    assert data["latency_ms"]["total"] == {"count": 1, "p50": 2.0, "p95": 2.0, "p99": 2.0, "max": 2.0}
    assert data["rss_mib"] > 1


def test_the_table_leaves_out_what_was_not_recorded() -> None:
    telemetry = Telemetry()
    telemetry.head.record(1_500_000)
    lines = telemetry.as_table().splitlines()
    assert lines[0].split()[:2] == ["stage", "count"]
    assert lines[1].split()[:3] == ["head", "1", "1.500"]
    assert not any(line.startswith("encode") for line in lines)

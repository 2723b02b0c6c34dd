"""Predictions from the report of a bundle."""

import dataclasses

import pytest

from edgevid.bundle import Bundle
from edgevid.prediction.boards import predict
from edgevid.prediction.reported import reported_work, slow_board
from edgevid.prediction.work import Work
from tests.models.bundles import tiny_bundle

ENCODER = {"convolution": 300_000_000, "depthwise": 20_000_000, "dense": 0, "moved": 14_000_000, "weights": 2_000_000}
HEAD = {"convolution": 0, "depthwise": 0, "dense": 200_000, "moved": 3000, "weights": 200_000}


def bundle_with(encoder, head=HEAD, *, interval_s=0.1) -> Bundle:
    made = tiny_bundle()
    first, last = made.manifest.parts
    placement = [{"part": last.role, "work": head}, {"part": first.role, "work": encoder}]
    window = dataclasses.replace(made.manifest.window, interval_s=interval_s)
    manifest = dataclasses.replace(made.manifest, window=window)
    return dataclasses.replace(made, manifest=manifest, report={"placement": placement})


def test_the_work_is_found_by_the_role_of_the_part():
    first, last = reported_work(bundle_with(ENCODER))
    assert (first.work, last.work) == (Work(**ENCODER), Work(**HEAD))
    assert first.precision == bundle_with(ENCODER).manifest.parts[0].precision


@pytest.mark.parametrize(
    "encoder",
    [
        None,
        7,
        {},
        {**ENCODER, "convolution": -1},
        {**ENCODER, "moved": 10**400},
        {**ENCODER, "moved": 1.5},
        {**ENCODER, "more": 1},
    ],
    ids=["none", "a number", "empty", "negative", "huge", "no integer", "unknown"],
)
def test_a_report_that_does_not_list_the_work_predicts_nothing(encoder):
    assert reported_work(bundle_with(encoder)) == ()
    assert slow_board(bundle_with(encoder), "4b") == ""


@pytest.mark.parametrize("placement", [None, 3, ["x"], {"part": "encoder"}, [], [{"part": ["encoder"]}]])
def test_a_report_of_another_shape_predicts_nothing(placement):
    assert reported_work(dataclasses.replace(tiny_bundle(), report={"placement": placement})) == ()
    assert reported_work(dataclasses.replace(tiny_bundle(), report={})) == ()


def test_the_warning_says_will_where_no_part_of_the_range_keeps_up_and_may_where_some_of_it_does():
    four = next(each for each in predict(reported_work(bundle_with(ENCODER)), 0.1) if each.board == "4b")
    slack, tight, hopeless = four.high_ms * 1.01, four.predicted_ms, four.low_ms * 0.99
    assert slow_board(bundle_with(ENCODER, interval_s=slack / 1000), "4b") == ""
    assert slow_board(bundle_with(ENCODER, interval_s=tight / 1000), "4b") == (
        f"the board may not keep the model's rate, by prediction: {four.low_ms:.3g} to {four.high_ms:.3g} ms a frame "
        f"on 1 thread, and a frame every {tight:.3g} ms. `edgevid fit` compares the boards."
    )
    said = slow_board(bundle_with(ENCODER, interval_s=hopeless / 1000), "4b")
    assert said.startswith("the board will not keep the model's rate, by prediction: ")


@pytest.mark.parametrize(("threads", "said"), [(1, 1), (2, 1), (3, 1), (4, 4), (8, 4), ("auto", 1), (0, 1)])
def test_the_next_lower_number_of_threads_is_taken(threads, said):
    words = f"on {said} thread{'s' if said > 1 else ''},"
    assert words in slow_board(bundle_with(ENCODER, interval_s=0.002), "zero-2-w", threads=threads)

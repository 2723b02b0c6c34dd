"""What is predicted for each board."""

import itertools

import pytest

from edgevid.boards_and_cameras import boards
from edgevid.prediction.boards import THREADS, PartWork, needed, predict, unpublished
from edgevid.prediction.published import models, tables
from edgevid.prediction.work import Work

MOBILENET = PartWork(precision="int8", work=models().work["mobilenet_v2"])
BY_CLOCK = (("zero-2-w", "3b", "3b-plus"), ("4b", "400"))


def by_board(*parts, threads=4, interval_s=0.1):
    return {each.board: each for each in predict(parts, interval_s, threads=threads)}


def test_a_published_time_lies_in_the_range_that_is_predicted_for_its_board():
    found = by_board(MOBILENET)
    assert found["4b"].low_ms < 17 < found["4b"].high_ms
    assert found["3b-plus"].low_ms < 30 < found["3b-plus"].high_ms
    assert found["4b"].low_ms < found["4b"].predicted_ms < found["4b"].high_ms


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("precision", ["int8", "float32", "float16", "int16x8"])
def test_a_faster_clock_of_the_same_core_predicts_less_time(precision, threads):
    found = by_board(PartWork(precision=precision, work=MOBILENET.work), threads=threads)
    assert set(found) == set(boards())
    for names in BY_CLOCK:
        for slow, fast in itertools.pairwise(names):
            ratio = boards()[fast].clock_mhz / boards()[slow].clock_mhz
            assert found[slow].predicted_ms / found[fast].predicted_ms == pytest.approx(ratio)
            assert found[slow].high_ms > found[fast].high_ms


def test_more_work_takes_more_time_and_parts_add_up():
    step = PartWork(precision="int8", work=Work(dense=2_000_000, moved=2000, weights=2_000_000))
    alone, together = by_board(MOBILENET)["5"], by_board(MOBILENET, step)["5"]
    assert together.predicted_ms == pytest.approx(alone.predicted_ms + by_board(step)["5"].predicted_ms)
    assert together.predicted_ms > alone.predicted_ms


def test_the_slowest_board_comes_first_and_the_first_that_surely_keeps_up_is_the_one_needed():
    predictions = predict((MOBILENET,), 0.1, threads=4)
    assert [each.predicted_ms for each in predictions] == sorted(
        (each.predicted_ms for each in predictions), reverse=True
    )
    slowest = predictions[0]
    assert (slowest.board, slowest.keeps) == ("zero-2-w", "yes")
    assert needed(predictions) is slowest
    # Its interval in the range: it is not sure, and a faster board is needed.
    tight = predict((MOBILENET,), slowest.predicted_ms / 1000, threads=4)
    assert tight[0].keeps == "perhaps"
    board = needed(tight)
    assert board is not None
    assert board.high_ms <= board.interval_ms
    assert all(each.keeps != "yes" for each in tight[: tight.index(board)])


def test_nothing_is_needed_where_no_board_keeps_up():
    predictions = predict((MOBILENET,), 0.0001, threads=4)
    assert {each.keeps for each in predictions} == {"no"}
    assert needed(predictions) is None


def test_each_prediction_names_what_it_rests_on_and_less_of_it_makes_a_wider_range():
    int8 = by_board(MOBILENET)
    assert int8["4b"].basis == "int8: XNNPACK on Cortex-A72"
    assert int8["5"].basis == "int8: ncnn on Cortex-A76"
    float32 = by_board(PartWork(precision="float32", work=MOBILENET.work))
    assert float32["5"].basis == "float32: as a Cortex-A72 at this clock, none published"
    assert float32["5"].predicted_ms == pytest.approx(float32["4b"].predicted_ms * 1500 / 2400)
    for found in (int8, float32):
        assert found["5"].high_ms / found["5"].predicted_ms > found["4b"].high_ms / found["4b"].predicted_ms
        assert found["5"].low_ms / found["5"].predicted_ms < found["4b"].low_ms / found["4b"].predicted_ms
    mixed = by_board(MOBILENET, PartWork(precision="float32", work=MOBILENET.work))
    assert mixed["4b"].basis == "int8: XNNPACK on Cortex-A72; float32: XNNPACK on Cortex-A72"


def test_one_thread_takes_longer_than_four():
    one, four = by_board(MOBILENET, threads=1), by_board(MOBILENET, threads=4)
    assert all(one[name].predicted_ms > four[name].predicted_ms for name in boards())


def test_the_threads_offered_are_those_of_the_tables():
    assert {run.threads for table in tables() for run in table.runs} == set(THREADS)


def test_what_is_not_published_is_said():
    assert unpublished((MOBILENET,)) == ()
    (precision,) = unpublished((MOBILENET, PartWork(precision="int16x8", work=Work(dense=1))))
    assert "int16x8" in precision
    (size,) = unpublished((PartWork(precision="int8", work=Work(convolution=1_000_000)),))
    assert size.startswith("The model has 1 million multiplications, the smallest published one 56.5 million")

import numpy as np
import pytest

from convert.transfer.candidates import Candidate, candidates, cheapest_of_the_best, parse_head, parse_streams
from edgevid.errors import UsageError

ONE, OTHER, BOTH = (
    Candidate(streams, "stats") for streams in (("frames",), ("differences",), ("frames", "differences"))
)
rng = np.random.default_rng(0)


def test_a_second_stream_has_to_earn_its_cost():
    noise = rng.normal(size=100)
    losses = {ONE: 2.0 + noise, OTHER: 1.0 + noise + rng.normal(0, 0.5, 100), BOTH: 1.0 + noise}
    losses[BOTH] += losses[OTHER].mean() - losses[BOTH].mean() - 0.001
    assert cheapest_of_the_best(losses) == OTHER
    losses[BOTH] -= 0.5
    assert cheapest_of_the_best(losses) == BOTH


def test_of_equal_cost_the_lower_loss_wins():
    assert cheapest_of_the_best({ONE: np.full(9, 1.0), OTHER: np.full(9, 0.9)}) == OTHER


def test_a_single_candidate_is_chosen():
    assert cheapest_of_the_best({ONE: np.ones(3)}) == ONE


def test_auto_means_each_stream_and_both_with_the_linear_heads():
    assert [str(each) for each in candidates("auto", "auto")] == [
        "frames + mean",
        "frames + stats",
        "differences + mean",
        "differences + stats",
        "frames,differences + mean",
        "frames,differences + stats",
    ]


def test_streams_have_one_order_however_they_are_written():
    assert parse_streams("differences,frames") == (("frames", "differences"),)


@pytest.mark.parametrize("text", ["", "sound", "frames,", "frames,frames"])
def test_other_streams_are_refused(text):
    with pytest.raises(UsageError, match="frames, differences"):
        parse_streams(text)


def test_other_heads_are_refused():
    with pytest.raises(UsageError, match="attention"):
        parse_head("linear")

"""The page of a training."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

pytest.importorskip("keras")

from convert.reporting.held_out_clips import held_out_strips, worst_predictions
from convert.reporting.plots import learning_curve_svg
from convert.reporting.training_verdict import limits, verdict
from convert.training.metrics import measure
from convert.training.transfer_facts import MiningRound, WatchedHours
from edgevid.errors import UsageError
from tests.chromium import needs_chromium, visit
from tests.convert.reporting.test_page_in_browser import PHONE_PX, scripted, title
from tests.convert.reporting.training_results import EPOCHS, LABELS, clips_of, scores_of, trained_on, write_page

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return clips_of(tmp_path_factory.mktemp("clips"))


def visible(text):
    """The words of a page, without tags."""
    return " ".join(re.sub(r"<[^>]*>", " ", text.partition("<main>")[2]).split())


def test_the_numbers_of_the_result_are_on_the_page(clips, tmp_path):
    # Two of bob's left clips are taken for right: 10 of 12.
    wrong = {index: scores_of(0, 0.9) for index, clip in enumerate(clips.clips[:4]) if clip.ref.group == "bob"}
    trained = trained_on(clips, wrong)
    words = visible(write_page(trained, clips, tmp_path))
    measured = trained.cross_validation
    low, high = (f"{100 * each:.1f}" for each in (measured.score.low, measured.score.high))
    assert "Right on 10 of 12 clips, each answered by a model that had not seen it: 83.3 % (95 % interval" in words
    assert f"{low} to {high} %), by 2 folds of one group each." in words
    assert "Always answering the most frequent class is right in 33.3 %." in words
    assert "2 of 2 wrong answers are between left and right." in words
    assert "left right 2" in words
    assert words.index("bob 66.7 %") < words.index("ann 100.0 %")
    for name, loss in trained.transfer.losses.items():
        assert f"{name} {loss:.3f}" in words
    assert "differences + stats 0.300 1 written" in words
    for point in measured.curve.points:
        assert f"{point.clips_per_class} 83.3 % {low} % {high} %" in words


def test_rounds_of_mining_are_on_the_page_with_the_rate_where_nothing_was_mined(clips, tmp_path):
    hours = WatchedHours(
        recordings=2, hours=2.0, false_alarms=9, per_hour=4.5, low=2.06, high=8.54, events=12, found=11
    )
    rounds = (
        MiningRound(number=0, watched=hours, kept_out=None, mined=7),
        MiningRound(number=1, watched=replace(hours, false_alarms=2, per_hour=1.0), kept_out=hours, mined=0),
    )
    trained = trained_on(clips)
    assert "False alarms in long recordings" not in visible(write_page(trained, clips, tmp_path))
    words = visible(write_page(replace(trained, transfer=replace(trained.transfer, mining=rounds)), clips, tmp_path))
    assert "before mining 9 in 2 h 4.5 (2.1 to 8.5) 11 of 12 7 –" in words
    assert "after 1 round of mining 2 in 2 h 1 (2.1 to 8.5) 11 of 12 0 4.5 (2.1 to 8.5)" in words


def test_without_groups_the_worst_fold_comes_first(clips, tmp_path):
    wrong = {index: scores_of(0, 0.9) for index, clip in enumerate(clips.clips[:4]) if clip.ref.group == "bob"}
    measured = trained_on(clips, wrong).cross_validation
    folds = tuple(replace(fold, groups=()) for fold in measured.folds)
    bare = replace(trained_on(clips), cross_validation=replace(measured, groups={}, folds=folds))
    words = visible(write_page(bare, clips, tmp_path))
    assert words.index("2 66.7 % 6 frames + mean") < words.index("1 100.0 % 6 differences + stats")


def test_the_matrix_counts_the_held_out_answers(clips, tmp_path):
    text = write_page(trained_on(clips, {0: scores_of(0, 0.9)}), clips, tmp_path)
    matrix = text.partition('<table class="matrix">')[2].partition("</table>")[0]
    counts = re.findall(r"<td[^>]*>([^<]*)</td>", matrix)
    assert counts == ["3", "1", "·", "·", "4", "·", "·", "·", "4"]


def test_the_worst_clips_are_wrong_surest_first_then_right_with_the_least_margin(clips):
    answers = {
        1: scores_of(0, 0.6),
        5: scores_of(1, 0.95),
        7: scores_of(1, margin=0.02),
        9: scores_of(2, 0.8),
        10: scores_of(2, margin=0.3),
    }
    trained = trained_on(clips, answers)
    paths = [clips.clips[number].ref.path for number in (5, 9, 1, 7, 10)]
    assert [each.path for each in worst_predictions(trained.evaluation)] == paths
    strips = held_out_strips(trained.evaluation, [clip.ref for clip in clips.clips], trained.info)
    assert [strip.right for strip in strips] == [False, False, False, True, True]
    assert strips[0].facts == [("truth", "right 0.05"), ("answer", "still<b> 0.95")]
    assert strips[3].facts == [("truth", "right 0.51"), ("next", "still<b> 0.49")]
    assert all(len(strip.pictures) == 4 for strip in strips)


def test_many_wrong_clips_leave_no_place_for_right_ones(clips):
    answers = {number: scores_of(number // 4, 0.9) for number in range(12)}
    assert len(worst_predictions(trained_on(clips, answers).evaluation)) == 12
    six = dict(list(answers.items())[:6])
    assert len(worst_predictions(trained_on(clips, six).evaluation)) == 6


def test_a_clip_that_is_gone_has_a_line_and_no_pictures(clips, tmp_path):
    gone = clips_of(tmp_path / "clips")
    trained = trained_on(gone, {0: scores_of(0, 0.9)})
    gone.clips[0].ref.path.unlink()
    assert "left/ann_1.avi" in visible(write_page(trained, gone, tmp_path))


def test_the_page_needs_nothing_but_itself(clips, tmp_path):
    text = write_page(trained_on(clips, history=EPOCHS), clips, tmp_path)
    assert set(re.findall(r'(?:src|href)="([^":]+)', text)) == {"data"}
    for word in ("url(", "<script", "http:", "https:", "<link"):
        assert word not in text


def test_names_from_files_are_escaped(clips, tmp_path):
    text = write_page(trained_on(clips, {9: scores_of(2, 0.9)}), clips, tmp_path)
    for name in ("still<b>", "<title>.", "<broken>", "<note>", "<second>", "lite<0>", "edgevid <x>", "a <title>"):
        assert name not in text
    for name in ("still&lt;b&gt;/ann_3.avi", "left/&lt;broken&gt;.avi", "one &lt;note&gt;.", "edgevid &lt;x&gt;"):
        assert name in text


def test_every_tag_that_is_opened_is_closed(clips, tmp_path):
    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "img", "br"):
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    balance = Balance()
    balance.feed(write_page(trained_on(clips, history=EPOCHS), clips, tmp_path))
    assert balance.open == []


def test_epochs_are_drawn_and_their_absence_is_explained(clips, tmp_path):
    assert write_page(trained_on(clips, history=EPOCHS), clips, tmp_path).count('alt="loss by epoch"') == 1
    words = visible(write_page(trained_on(clips), clips, tmp_path))
    assert "There are none: the encoder is frozen, and the head stats is logistic regression" in words


def test_a_single_hold_out_shows_what_there_is(clips, tmp_path):
    trained = trained_on(clips, {0: scores_of(0, 0.9)}, cross_validation=None, transfer=None, history=EPOCHS)
    words = visible(write_page(trained, clips, tmp_path, encoder="small"))
    assert "Right on 11 of 12 clips" in words
    assert "on one part of the clips, which also decided when the training ended" in words
    assert "A learning curve takes folds" in words
    assert "Groups and folds" not in words
    assert "What was chosen" not in words


def test_without_held_out_clips_nothing_is_claimed(clips, tmp_path):
    words = visible(write_page(trained_on(clips, evaluation=None, cross_validation=None), clips, tmp_path))
    assert "Nothing was held out" in words
    assert "accuracy" not in words
    assert "Confusion" not in words


def test_a_curve_that_was_not_measured_is_explained(clips, tmp_path):
    trained = trained_on(clips)
    bare = replace(trained, cross_validation=replace(trained.cross_validation, curve=None))
    small = visible(write_page(bare, clips, tmp_path, encoder="small", folds=2))
    assert "With --encoder small it takes about as long as all folds again: add --learning-curve on." in small
    assert "With --head gru it takes" in visible(write_page(bare, clips, tmp_path, head="gru"))
    assert "--learning-curve is off" in visible(write_page(bare, clips, tmp_path, learning_curve=False))
    assert "No class has the three clips" in visible(write_page(bare, clips, tmp_path))


def test_what_is_no_better_than_chance_is_called_nothing_learned(clips, tmp_path):
    trained = trained_on(clips, {number: scores_of(number // 4, 0.9) for number in range(8)})
    words = visible(write_page(trained, clips, tmp_path))
    assert "a <title> nothing learned" in words.replace("&lt;", "<").replace("&gt;", ">")
    assert limits(trained)[0].startswith("Nothing was learned that holds")
    assert "above chance" in visible(write_page(trained_on(clips), clips, tmp_path))


def test_a_group_far_below_the_whole_and_an_int8_loss_are_named(clips):
    wrong = {number: scores_of(number // 4, 0.9) for number, clip in enumerate(clips.clips) if clip.ref.group == "bob"}
    trained = trained_on(clips, wrong)
    # Four of six folds' worth of right answers, so that the whole is above chance.
    many = replace(trained, evaluation=measure([*trained.evaluation.predictions, *right_ones(clips) * 3], LABELS))
    assert any("group bob" in each for each in limits(many))
    measured = trained_on(clips).cross_validation
    int8 = replace(measured.score, accuracy=0.9)
    words = limits(replace(trained_on(clips), cross_validation=replace(measured, int8=int8)))
    assert "The int8 encoder costs 10.0 points." in words
    assert not any("int8" in each for each in limits(trained_on(clips)))


def right_ones(clips):
    return list(trained_on(clips).evaluation.predictions)


def test_the_split_is_named(clips):
    measured = trained_on(clips).cross_validation
    stated = replace(measured, folds=measured.folds[:1])
    assert "by the split that the list states" in verdict(replace(trained_on(clips), cross_validation=stated))
    bare = replace(measured, groups={})
    assert "by 2 folds of single clips" in verdict(replace(trained_on(clips), cross_validation=bare))


def test_streams_that_were_spared_are_explained(clips, tmp_path):
    words = visible(write_page(trained_on(clips), clips, tmp_path))
    assert "frames,differences + stats has the lowest loss on inner folds (0.250)" in words
    assert "Its fewer streams spare the device" in words
    facts = replace(trained_on(clips).transfer, losses={})
    stated = visible(write_page(trained_on(clips, transfer=facts), clips, tmp_path, streams="frames", head="mean"))
    assert "was stated, so there was nothing to choose" in stated
    assert "too few clips for inner folds" in visible(write_page(trained_on(clips, transfer=facts), clips, tmp_path))


def test_a_plot_is_the_same_bytes_each_time(clips):
    measured = trained_on(clips).cross_validation
    assert learning_curve_svg(measured.curve, 0.3) == learning_curve_svg(measured.curve, 0.3)


def test_a_folder_that_is_not_there_is_refused(clips, tmp_path):
    with pytest.raises(UsageError, match="folder"):
        write_page(trained_on(clips), clips, tmp_path / "no")


@needs_chromium
def test_the_page_fits_a_phone_with_every_picture(clips, tmp_path):
    write_page(trained_on(clips, history=EPOCHS), clips, tmp_path)
    script = (
        "document.title = [document.documentElement.scrollWidth, "
        "Math.min(...[...document.images].map(image => image.naturalWidth))].join()"
    )
    dom, console = visit(scripted(tmp_path / "p.html", tmp_path, script), width_px=PHONE_PX)
    width, picture = map(int, title(dom).split(","))
    assert console == []
    assert width <= PHONE_PX
    assert picture > 100

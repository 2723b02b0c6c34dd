"""The contract from options, training metadata and defaults, with a note for each assumption."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from convert.clips import Clip, ClipRef, ClipSet
from convert.commands.convert import _threshold
from convert.graph.layer_graph import Call, LayerGraph
from convert.interface.contract import resolve_contract
from convert.interface.input_frame import resolve_input
from convert.options import Options, seconds
from convert.training_info import TrainingInfo
from edgevid.bundle.manifest import Window
from edgevid.errors import ClipsError, ModelError, UsageError
from edgevid.events.rule import ClassThresholds, DecisionRule
from edgevid.frames.preprocess import InputSpec

LABELS = ("down", "left", "right")
SPEC = InputSpec(height=8, width=8, channels=3, color="rgb")


class Dense:
    """The attributes of a Keras layer that the contract reads."""

    name, trainable_weights = "answers", ()

    def __init__(self, activation):
        self.activation = activation


def softmax():
    """Stub of Keras's function of this name."""


def graph(classes=3, activation=softmax, shape=(4, 8, 8, 3)):
    return LayerGraph(
        (Call(Dense(activation), (1,), (2,), lambda values: ((values[1],), {}), (None, classes)),), 1, 2, shape
    )


def clip(label, *, count=20, fps=10.0, number=0):
    stamps = (np.arange(count) * 1e9 / fps).astype(np.int64)
    return Clip(ClipRef(Path(f"{label}/{number}.avi"), label), np.zeros((count, 8, 8, 3), np.uint8), stamps)


def clips(*labels, **options):
    return ClipSet(tuple(clip(label, number=number, **options) for number, label in enumerate(labels)))


def settle(found=None, *, frames=4, info=None, model=None, **said):
    return resolve_contract(
        model or graph(), frames, spec=SPEC, clips=found or clips(*LABELS), options=Options(**said), info=info
    )


def trained(**more):
    return TrainingInfo(labels=("a", "b", "c"), window=Window(frames=4, interval_s=0.2), input=SPEC, **more)


def labels_file(folder, text):
    path = folder / "labels.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_labels_file_wins_over_training_and_folders(tmp_path):
    path = labels_file(tmp_path, "right\n\n  down \r\nleft\n")
    settled = settle(info=trained(), labels=path)
    assert settled.labels == ("right", "down", "left")
    assert settled.labelled
    assert not settled.notes


@pytest.mark.parametrize("text", ["", "one\ntwo\n", "one\ntwo\nthree\nfour\n", "one\ntwo\ntwo\n", b"\xff\xfe\x00"])
def test_a_labels_file_that_does_not_fit_is_refused(tmp_path, text):
    with pytest.raises(UsageError, match=r"labels\.txt"):
        settle(labels=labels_file(tmp_path, text))


def test_what_training_knew_wins_over_folders():
    settled = settle(clips("a", "c"), info=trained(decision=DecisionRule(background=("b",))))
    assert (settled.labels, settled.window, settled.decision.background) == (
        ("a", "b", "c"),
        Window(frames=4, interval_s=0.2),
        ("b",),
    )
    assert settled.labelled, "clips of some of the classes are enough"
    assert not settled.notes


def test_folders_name_the_labels_in_sorted_order_with_a_note():
    settled = settle(clips("right", "down", "left"))
    assert settled.labels == LABELS
    assert settled.labelled
    assert any("--labels" in note for note in settled.notes)


@pytest.mark.parametrize(
    "found", [clips(None, None), clips("down", "left"), clips("down", "left", "right", None), clips("a", "b", "c", "d")]
)
def test_labels_that_nobody_names_are_numbered_and_accuracy_is_not_counted(found):
    settled = settle(found)
    assert settled.labels == ("class_0", "class_1", "class_2")
    assert not settled.labelled
    assert sum("--labels" in note for note in settled.notes) == 1
    assert sum("agreement is counted, not accuracy" in note for note in settled.notes) == 1


def test_clips_of_which_some_are_strangers_are_refused(tmp_path):
    path = labels_file(tmp_path, "down\nleft\nright\n")
    with pytest.raises(ClipsError, match=r"got juggle\."):
        settle(clips("down", "juggle"), labels=path)


def test_one_sigmoid_stands_for_two_labels():
    def sigmoid():
        """Stub of Keras's function of this name."""

    settled = settle(clips("no", "yes"), model=graph(1, sigmoid))
    assert (settled.labels, settled.scores) == (("no", "yes"), "sigmoid")


def test_a_background_label_is_checked_and_wins_over_trainings():
    assert settle(background=("left",)).decision.background == ("left",)
    info = trained(decision=DecisionRule(background=("b",)))
    assert settle(clips("a"), info=info, background=("c",)).decision.background == ("c",)
    with pytest.raises(UsageError, match="--background, one of down, left, right, got 'nobody'"):
        settle(background=("nobody",))


def test_trainings_background_is_dropped_where_the_labels_are_others(tmp_path):
    info = trained(decision=DecisionRule(background=("b",)))
    assert settle(info=info, labels=labels_file(tmp_path, "down\nleft\nright\n")).decision.background == ()


@pytest.mark.parametrize(
    ("count", "fps", "frames", "step_s"),
    [(20, 10.0, 4, 0.5), (23, 10.0, 4, 0.5), (20, 25.0, 20, 0.04), (3, 10.0, 4, 0.1), (1, 10.0, 4, 0.04)],
)
def test_uniform_sampling_states_the_step_that_its_clips_have(count, fps, frames, step_s):
    settled = settle(clips(*LABELS, count=count, fps=fps), frames=frames)
    assert (settled.window.sampling, settled.window.frames) == ("uniform", frames)
    assert settled.window.interval_s == pytest.approx(step_s, rel=1e-3)
    assert any("--interval" in note for note in settled.notes)
    assert not any("--interval" in note for note in settle(interval="uniform").notes), "what was said needs no note"


def test_the_uniform_step_is_the_median_of_all_clips():
    found = ClipSet((*clips("down", "left", "right").clips, clip("down", count=2000)))
    assert settle(found).window.interval_s == pytest.approx(0.5)


def test_clips_too_fast_for_a_clock_still_have_a_legal_step():
    assert settle(clips(*LABELS, fps=1000.0), frames=20).window.interval_s == pytest.approx(0.002)


def test_an_interval_that_was_said_wins_over_trainings():
    assert settle(clips("a"), info=trained(), interval="0.5").window == Window(frames=4, interval_s=0.5)


@pytest.mark.parametrize("interval", ["soon", "", "nan", "inf", "-1", 0, 0.001, 61, "0.0019"])
def test_intervals_out_of_range_are_refused(interval):
    with pytest.raises(UsageError, match="--interval"):
        seconds(interval)


@pytest.mark.parametrize("interval", ["0.002", 60, "1e-1"])
def test_legal_intervals_make_legal_windows(interval):
    assert settle(interval=interval).window.interval_s == float(interval)


def test_a_model_over_features_needs_no_color():
    assert resolve_input(graph(shape=(4, 10)), (10,), Options(), None).kind == "features"


@pytest.mark.parametrize(("channels", "color"), [(3, "gray"), (1, "rgb")])
def test_a_color_that_does_not_go_with_the_channels_is_refused(channels, color):
    with pytest.raises(UsageError, match="--color"):
        resolve_input(graph(), (8, 8, channels), Options(color=color), None)


def test_frames_of_neither_one_nor_three_channels_are_refused():
    with pytest.raises(ModelError, match="channels last"):
        resolve_input(graph(), (3, 8, 8), Options(), None)


def test_options_win_over_what_training_knew_of_frames():
    known = InputSpec(height=8, width=8, channels=3, color="bgr", range=(-1.0, 1.0), resize="crop")
    info = TrainingInfo(labels=LABELS, window=Window(frames=4, interval_s=0.1), input=known)
    assert resolve_input(graph(), (8, 8, 3), Options(), info) == known
    assert resolve_input(graph(), (8, 8, 3), Options(color="rgb"), info).color == "rgb"
    assert resolve_input(graph(), (8, 8, 3), Options(color="rgb"), info).range == (-1.0, 1.0)
    assert resolve_input(graph(), (16, 16, 3), Options(), info).color == "rgb", (
        "another model's frames are not this one's"
    )


def rescaling_graph():
    layer = type("Rescaling", (), {"name": "rescaling", "scale": 1 / 255, "trainable_weights": ()})()
    first = Call(layer, (1,), (2,), lambda values: ((values[1],), {}), (None, 4, 8, 8, 3))
    last = Call(Dense(softmax), (2,), (3,), lambda values: ((values[2],), {}), (None, 3))
    return LayerGraph((first, last), 1, 3, (4, 8, 8, 3))


def test_a_model_that_scales_pixels_itself_is_given_bytes_and_the_report_says_so():
    model = rescaling_graph()
    assert resolve_input(model, (8, 8, 3), Options(), None).range == (0.0, 255.0)
    assert resolve_input(model, (8, 8, 3), Options(range=(0.0, 1.0)), None).range == (0.0, 1.0)
    assert any("0 to 255" in note for note in settle(model=model).notes)
    assert any("twice" in note for note in settle(model=model, range=(0.0, 1.0)).notes)
    assert not any("0 to 255" in note or "twice" in note for note in settle(model=model, range=(0.0, 255.0)).notes)


@pytest.mark.parametrize(
    "said",
    [
        {"range": (1.0, 0.0)},
        {"max_drop": -1},
        {"max_drop": 101},
        {"min_agreement": 98},
        {"frames": 0},
        {"range": (0.0, float("nan"))},
    ],
)
def test_options_out_of_range_are_refused(said):
    with pytest.raises(UsageError, match="Expected"):
        Options(**said)


def test_thresholds_of_a_class_are_checked_and_kept():
    own = ClassThresholds(label="left", enter=0.8, exit=0.5)
    settled = settle(thresholds=(own,), unknown_below=0.3)
    assert (settled.decision.thresholds, settled.decision.unknown_below) == ((own,), 0.3)
    with pytest.raises(UsageError, match="--threshold, one of down, left, right, got 'nobody'"):
        settle(thresholds=(ClassThresholds(label="nobody", enter=0.8, exit=0.5),))


@pytest.mark.parametrize("text", ["left", "left=0.5", "left=0.4,0.5", "left=1.5,0.5", "left=a,b", "left=0.5,0.4,0.3"])
def test_a_threshold_is_written_as_a_label_and_two_scores(text):
    with pytest.raises(argparse.ArgumentTypeError, match="LABEL=ENTER,EXIT"):
        _threshold(text)


@pytest.mark.parametrize(
    ("count", "interval", "is_noted"),
    [(20, 0.5, False), (20, 0.6, True), (20, "uniform", False), (3, "uniform", True), (1, 0.1, True)],
)
def test_clips_shorter_than_the_window_are_counted_and_noted(count, interval, is_noted):
    found = ClipSet((*clips(*LABELS, count=100).clips, clip("down", count=count, number=9)))
    notes = [note for note in settle(found, interval=interval).notes if "shorter than the window" in note]
    assert len(notes) == is_noted
    assert all("1 of 4 clips" in note and "down/9.avi" in note for note in notes)

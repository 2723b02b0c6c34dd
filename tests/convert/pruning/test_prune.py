"""Pruning on the way to a bundle: fine-tuned on some clips, proven on the others, or refused."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from convert import Options, convert_model
from convert.clips import ClipSet
from convert.commands.conversion_summary import summary
from convert.interface.contract import Contract
from convert.interface.window_to_scores import arrange
from convert.loading.load import LoadedModel
from convert.progress import Silent
from convert.pruning.fine_tuning import Windows, divergence, fine_tune
from convert.pruning.prune import check_prunable, hold_out
from convert.splitting.split import split
from convert.training.augment import NONE
from convert.training.fit import FitOptions, save, train
from convert.training.models import ModelOptions
from edgevid import bundle
from edgevid.bundle.manifest import Value, Window
from edgevid.cli import main
from edgevid.errors import ClipsError, UsageError
from edgevid.events.rule import DecisionRule
from edgevid.frames.preprocess import InputSpec
from tests.clips.moving import moving_clip, moving_clips, write_moving
from tests.models.keras_models import FRAME as SHAPE
from tests.models.keras_models import FRAMES, cnn_rnn

pytestmark = pytest.mark.tf
FRAME = InputSpec(height=32, width=32, channels=3)
ROWS = InputSpec(kind="features", height=1, width=1, channels=10, color="none")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model that tells where a block moves, and clips for it."""
    folder = tmp_path_factory.mktemp("pruning")
    options = FitOptions(
        input=FRAME,
        window=Window(frames=5, interval_s=0.1),
        model=ModelOptions(filters=(8, 16), features=16, units=16, dropout=0.0),
        augmentation=NONE,
        epochs=10,
        windows_per_clip=3,
        learning_rate=0.01,
        val_fraction=0.0,
    )
    save(train(moving_clips(14), options), folder / "model.keras")
    write_moving(folder / "clips", 8, first_seed=200)
    return folder


@pytest.fixture(scope="module")
def pruned(place):
    options = Options(prune=0.5, prune_epochs=16, precision="int8", min_agreement=0.85, max_drop=20)
    return convert_model(place / "model.keras", place / "clips", place / "model.edgevid", options=options)


@pytest.mark.slow
def test_the_bundle_is_proven_on_clips_that_it_was_not_fine_tuned_on(pruned):
    report = pruned.report
    assert (report["clips"], report["pruning"]["clips"]) == (8, 16)
    names = [stage["name"] for stage in report["stages"]]
    assert names == ["float Keras", "pruned float", "float split", "bundle, whole window", "bundle, stream"]
    assert report["stages"][0]["accuracy"] >= 0.85
    assert report["agreement"] >= 0.85
    # It is another model than the trained one.
    assert report["stages"][1]["max_abs_error"] > 1e-4
    json.dumps(report)


@pytest.mark.slow
def test_the_report_and_the_page_say_what_was_removed(pruned):
    from convert.placement.operation_counts import parts_work

    removed = pruned.report["pruning"]
    assert 0.25 < removed["share"] <= removed["wanted"] == 0.5
    assert removed["share"] == removed["macs_after"] / removed["macs_before"]
    assert {each["name"] for each in removed["layers"]} <= {"conv0", "conv1", "features"}
    assert all(each["after"] < each["before"] for each in removed["layers"])
    # What the report counts is what the device runs.
    assert parts_work(bundle.read(pruned.path))[0].work.products == removed["macs_after"]
    text = pruned.page.read_text()
    assert "Removed channels" in text
    assert f"{removed['macs_after']:,} of {removed['macs_before']:,} a frame" in text
    assert f"pruned: {removed['share']:.1%} of the encoder's multiply-accumulates" in summary(pruned.report)


def test_a_pruned_model_over_the_budget_is_refused_and_nothing_is_written(place, capsys):
    out = place / "refused.edgevid"
    arguments = ["--prune", "0.4", "--prune-epochs", "1", "--min-agreement", "1", "--max-drop", "0"]
    clips = place / "clips"
    assert main(["convert", str(place / "model.keras"), "--clips", str(clips), "-o", str(out), *arguments]) == 3
    message = capsys.readouterr().err
    assert "the pruned model to keep the budget before it is quantised" in message
    assert "agreement" in message
    assert not out.exists()
    report = json.loads((place / "refused.report.json").read_text())
    assert [stage["name"] for stage in report["stages"]] == ["float Keras", "pruned float"]
    assert report["stopped_by"]
    assert report["pruning"]["share"] <= 0.4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prune": 1.0}, "--prune as a share between 0 and 1"),
        ({"prune": float("nan")}, "--prune as a share between 0 and 1"),
        ({"prune_epochs": 3}, "--prune SHARE with --prune-epochs"),
        ({"prune": 0.5, "prune_epochs": 0}, "--prune-epochs of at least 1"),
        ({"prune": 0.5, "regression": True}, "a model of classes for --prune"),
    ],
)
def test_options_that_mean_nothing_are_rejected(options, message):
    with pytest.raises(UsageError, match=message):
        Options(**options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": ROWS}, "an encoder of single pictures, with --prune, got rows of features"),
        ({"values": (Value(name="angle", size=1),)}, "scores alone, with --prune, got other outputs: angle"),
        ({"framework": "onnx"}, "a Keras model of layers, with --prune, got one of onnx"),
    ],
)
def test_a_model_that_cannot_be_pruned_is_rejected(changes, message):
    model = cnn_rnn("lstm")
    framework = changes.pop("framework", "keras")
    contract = Contract(
        labels=("a", "b"),
        input=FRAME,
        window=Window(frames=5, interval_s=0.1),
        scores="softmax",
        decision=DecisionRule(),
        labelled=False,
        notes=(),
    )
    with pytest.raises(UsageError, match=message):
        check_prunable(
            LoadedModel(model, framework, Path("model.keras"), "", "3"),
            split(arrange(model).graph),
            dataclasses.replace(contract, **changes),
        )


def test_every_third_clip_is_held_out_unless_the_list_says_otherwise():
    clips = moving_clips(6)
    training, held_out = hold_out(clips)
    assert held_out == clips.clips[2::3]
    assert {clip.ref.label for clip in training} == {clip.ref.label for clip in held_out} == {"left", "right", "still"}
    stated = [
        dataclasses.replace(clip, ref=dataclasses.replace(clip.ref, split="test" if number % 6 == 0 else "train"))
        for number, clip in enumerate(clips.clips)
    ]
    assert hold_out(ClipSet(tuple(stated)))[1] == tuple(stated[::6])
    subjects = [
        moving_clip(label, seed=seed, group="abc"[seed % 3]) for label in ("left", "right") for seed in range(6)
    ]
    training, held_out = hold_out(ClipSet(tuple(subjects)))
    assert not {clip.ref.group for clip in training} & {clip.ref.group for clip in held_out}
    with pytest.raises(ClipsError, match="at least 12 clips with --prune"):
        hold_out(moving_clips(3))


def test_windows_come_again_with_the_variation_of_an_earlier_epoch():
    windows = Windows(clips=moving_clips(3).clips, window=Window(frames=5, interval_s=0.1), input=FRAME)
    first, again, other = (by_place(windows, epoch) for epoch in (0, 8, 1))
    assert set(first) == set(range(9))
    for place, frames in first.items():
        np.testing.assert_array_equal(frames, again[place])
        assert (frames != other[place]).any()


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_fine_tuning_approaches_the_answers_and_learns_statistics_anew(framework):
    keras = pytest.importorskip(framework)
    model = cnn_rnn("lstm", framework=framework)
    student = keras.models.clone_model(model)
    rng = np.random.default_rng(4)
    student.set_weights([each + 0.2 * rng.normal(size=each.shape) ** 2 for each in model.get_weights()])
    before = [np.array(each) for each in model.get_weights()]
    normalisation = student.layers[2].layer
    statistics = np.array(normalisation.moving_mean)
    windows = Windows(
        clips=[dataclasses.replace(clip, frames=clip.frames[:, ::2, ::2]) for clip in moving_clips(3).clips],
        window=Window(frames=FRAMES, interval_s=0.1),
        input=InputSpec(height=SHAPE[0], width=SHAPE[1], channels=SHAPE[2]),
        augmentation=NONE,
    )
    first, last = (
        fine_tune(
            student, arrange(student).ask, arrange(model).ask, windows, kind="softmax", epochs=n, progress=Silent()
        )
        for n in (1, 24)
    )
    assert last < 0.9 * first
    assert np.abs(statistics - np.array(normalisation.moving_mean)).max() > 1e-3
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def by_place(windows, epoch):
    return {
        int(place): frames
        for places, batch in windows.batches(epoch)
        for place, frames in zip(places, batch, strict=True)
    }


@pytest.mark.parametrize("kind", ["softmax", "logits", "sigmoid", "sigmoid_logits"])
def test_answers_diverge_unless_they_are_the_same(kind):
    raw = np.array([[2.0, -1.0, 0.5]], np.float32)
    scores = {
        "softmax": np.exp(raw) / np.exp(raw).sum(),
        "logits": raw,
        "sigmoid": 1 / (1 + np.exp(-raw)),
        "sigmoid_logits": raw,
    }[kind].astype(np.float32)
    least = float(divergence(scores, scores, kind))
    assert float(divergence(scores[:, ::-1], scores, kind)) > least + 0.1
    if kind in ("softmax", "logits"):
        # By hand, with a temperature of 2.
        p, q = (np.exp(each / 2) / np.exp(each / 2).sum() for each in (raw, raw[:, ::-1]))
        assert float(divergence(scores[:, ::-1], scores, kind)) == pytest.approx(
            4 * float((p * np.log(p / q)).sum()), rel=1e-3
        )

import dataclasses

import numpy as np
import pytest

pytest.importorskip("keras")

from convert.clips import ClipSet
from convert.loading.load import load
from convert.training.augment import NONE, Augmentation
from convert.training.fit import FitOptions, save, train
from convert.training.metrics import evaluate, keras_scorer
from convert.training.models import ModelOptions
from convert.training_info import read_info
from edgevid.bundle.manifest import Window
from edgevid.errors import ClipsError, ModelError, UsageError
from edgevid.frames.preprocess import InputSpec
from tests.clips.moving import CLASSES, moving_clips

pytestmark = pytest.mark.tf
OPTIONS = FitOptions(
    input=InputSpec(height=32, width=32, channels=3),
    window=Window(frames=5, interval_s=0.1),
    model=ModelOptions(filters=(8, 8), features=16, units=16, dropout=0.0),
    augmentation=NONE,
    epochs=12,
    windows_per_clip=3,
    learning_rate=0.01,
    val_fraction=0.25,
)


def changed(**changes):
    return dataclasses.replace(OPTIONS, **changes)


@pytest.fixture(scope="module")
def trained():
    seen = []
    return train(moving_clips(20), OPTIONS, on_epoch=seen.append), seen


def test_motion_is_learned_from_clips_that_differ_in_nothing_else(trained):
    model, _ = trained
    unseen = moving_clips(4, first_seed=100).clips
    scorer = keras_scorer(model.model, OPTIONS.input, OPTIONS.window)
    assert evaluate(scorer, unseen, labels=CLASSES, window=OPTIONS.window).accuracy >= 0.9
    assert evaluate(scorer, unseen, labels=CLASSES, window=OPTIONS.window, views="all").accuracy >= 0.9


def test_the_result_says_what_it_was_trained_on_and_how_it_went(trained):
    model, seen = trained
    assert model.info.labels == CLASSES
    assert (model.info.window, model.info.input) == (OPTIONS.window, OPTIONS.input)
    assert model.evaluation is not None
    assert len(model.evaluation.predictions) == 15
    assert list(model.history) == seen
    assert [epoch.number for epoch in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].loss < seen[0].loss


def test_a_saved_model_answers_as_it_did_and_carries_its_information(trained, tmp_path):
    model, _ = trained
    save(model, tmp_path / "m.keras")
    windows = np.random.default_rng(2).random((2, 5, 32, 32, 3), np.float32)
    np.testing.assert_allclose(load(tmp_path / "m.keras").model(windows), model.model(windows), atol=1e-6)
    assert read_info(tmp_path / "m.keras") == model.info
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]


def test_training_ends_early_and_keeps_the_best_weights():
    validation = moving_clips(2, first_seed=50)
    # With a learning rate this high the first epochs are the best ones.
    model = train(
        moving_clips(4), changed(epochs=30, patience=2, learning_rate=1.0, label_smoothing=0.0), validation=validation
    )
    assert len(model.history) < 30
    best = min(model.history, key=lambda epoch: epoch.val_loss)
    assert len(model.history) == best.number + 2
    assert model.evaluation is not None
    right = [each.scores[CLASSES.index(each.truth)] for each in model.evaluation.predictions]
    assert -np.log(np.clip(right, 1e-7, 1)).mean() == pytest.approx(best.val_loss, rel=1e-3)


def test_nothing_held_out_trains_to_the_end_without_metrics():
    model = train(moving_clips(2), changed(val_fraction=0.0, epochs=1))
    assert model.evaluation is None
    assert model.history[0].val_loss is None


def test_the_same_seed_gives_the_same_weights():
    first, second = (
        train(moving_clips(2), changed(val_fraction=0.0, epochs=1, augmentation=Augmentation())) for _ in range(2)
    )
    for mine, other in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)


def test_a_background_class_becomes_part_of_the_decision_rule():
    model = train(moving_clips(2), changed(val_fraction=0.0, epochs=1, background="still"))
    assert model.info.decision.background == ("still",)


def test_logs_are_written_for_tensorboard(tmp_path):
    train(moving_clips(2), changed(val_fraction=0.0, epochs=1, tensorboard=tmp_path))
    assert list(tmp_path.rglob("events.out.tfevents*"))


def test_training_that_diverges_is_an_error_and_no_model():
    with pytest.raises(ModelError, match="Lower the learning rate"):
        train(moving_clips(4), changed(val_fraction=0.0, epochs=3, learning_rate=1e38))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "at least 1 for epochs"),
        ({"batch": 0}, "at least 1 for batch"),
        ({"val_fraction": 1.0}, "0 to below 1"),
        ({"learning_rate": 0.0}, "above 0"),
    ],
)
def test_impossible_options_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        changed(**changes)


@pytest.mark.parametrize("changes", [{"background": "none"}, {"augmentation": Augmentation(flip={"up": "up"})}])
def test_a_class_that_no_clip_shows_is_refused_before_training(changes):
    with pytest.raises(UsageError, match="left, right, still"):
        train(moving_clips(2), changed(**changes))


def test_held_out_clips_of_another_class_are_refused():
    clips = moving_clips(2, classes=("left", "right"))
    with pytest.raises(ClipsError, match="'still'"):
        train(clips, OPTIONS, validation=ClipSet(moving_clips(1).clips))


@pytest.mark.parametrize(("name", "message"), [("m.h5", r"\*\.keras"), ("no/m.keras", "folder")])
def test_a_place_that_cannot_be_written_to_is_refused(trained, tmp_path, name, message):
    with pytest.raises(UsageError, match=message):
        save(trained[0], tmp_path / name)

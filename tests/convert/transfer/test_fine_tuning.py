import json

import numpy as np
import pytest

pytest.importorskip("keras")

from convert import TrainOptions, train
from convert.clips import to_real
from convert.encoders.frame_encoder import open_encoder, parse_encoder
from convert.loading.load import load
from convert.training.console import describe_gain, fine_tuning_text
from convert.training.train_report import report
from convert.training.transfer_facts import Gain
from convert.transfer.fine_tuning import tune
from edgevid.errors import ClipsError, UsageError
from tests.clips.moving import write_moving
from tests.convert.transfer.encoders import save_encoder

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clips of two subjects, and an encoder."""
    root = tmp_path_factory.mktemp("fine_tuning")
    write_moving(root / "clips", 4)
    save_encoder(root / "encoder.keras")
    return root


def options(folder, **changes):
    usual = {
        "encoder": str(folder / "encoder.keras"),
        "streams": "differences",
        "head": "mean",
        "frames": 4,
        "windows_per_clip": 2,
        "augment": False,
        "folds": 0,
        "cache": folder / "cache",
        "fine_tune": 1,
    }
    return TrainOptions(**(usual | changes))


@pytest.fixture(scope="module")
def tuned(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tune, "EPOCHS", 2)
        return train(folder / "clips", folder / "m.keras", options=options(folder, folds=2, group_by="subject"))


def test_the_gain_is_measured_on_the_clips_that_the_frozen_encoder_answers_too(tuned):
    facts = tuned.transfer.fine_tuning
    assert facts.blocks == 1
    assert facts.weights == 3 * 3 * 16 * 24 + 24
    assert len(facts.losses) - 1 >= facts.epochs == int(np.argmin(facts.losses))
    right = [each.answer == each.truth for each in tuned.cross_validation.evaluation.predictions]
    assert facts.gain.change == pytest.approx(np.mean(right) - facts.frozen.accuracy)
    assert {fold.groups for fold in tuned.cross_validation.folds} == {("ann",), ("bob",)}
    assert tuned.cross_validation.int8 is None


def test_the_file_answers_as_the_model_that_was_trained(folder, tuned):
    loaded = load(folder / "m.keras").model
    windows = to_real(np.random.default_rng(0).integers(0, 256, (2, 4, 32, 32, 3)).astype(np.uint8), tuned.info.input)
    np.testing.assert_allclose(np.asarray(loaded(windows)), np.asarray(tuned.model(windows)), atol=1e-6)


def test_what_was_trained_and_gained_is_printed_and_in_the_json(tuned):
    facts = tuned.transfer.fine_tuning
    text = fine_tuning_text(facts)
    assert f"the last 1 block (3480 weights), {facts.epochs} of at most 2 epochs" in text
    assert f"frozen encoder: {facts.frozen.accuracy:.3f}" in text
    printed = json.loads(json.dumps(report(tuned, seconds=1.0)))
    assert printed["fine_tuning"]["gain"]["change"] == facts.gain.change


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (Gain(change=0.1, low=0.02, high=0.18), "by +10.0 points [+2.0, +18.0]."),
        (Gain(change=0.1, low=-0.02, high=0.2), "That may be chance."),
        (Gain(change=0.0, low=-0.1, high=0.1), "leave --fine-tune out"),
    ],
)
def test_a_gain_that_may_be_chance_is_called_so(gain, words):
    assert words in describe_gain(gain)


@pytest.mark.slow
def test_equal_seeds_give_equal_models_and_only_the_blocks_behind_the_cut_are_trained(folder, monkeypatch):
    monkeypatch.setattr(tune, "EPOCHS", 1)
    monkeypatch.setattr(tune, "_best", lambda states: len(states) - 1)
    usual = options(folder)
    made = [train(folder / "clips", folder / "s.keras", options=usual) for _ in range(2)]
    assert made[0].transfer.fine_tuning.epochs == 1
    for first, second in zip(made[0].model.get_weights(), made[1].model.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    frozen = open_encoder(parse_encoder(str(folder / "encoder.keras")), resize="stretch").model
    written = load(folder / "s.keras").model.get_layer("each_frame").layer
    for name, is_same in (("first", True), ("second", False)):
        before, after = (model.get_layer(name).get_weights()[0] for model in (frozen, written))
        assert np.array_equal(before, after) == is_same


@pytest.mark.slow
def test_held_out_clips_take_no_part_in_fine_tuning(folder, monkeypatch):
    monkeypatch.setattr(tune, "EPOCHS", 1)
    learned, original = [], tune.train_epochs

    def watched(network, bank, maps, clips, **more):
        learned.append({bank.groups[clip] for clip in clips})
        return original(network, bank, maps, clips, **more)

    monkeypatch.setattr(tune, "train_epochs", watched)
    usual = options(folder, folds=2, group_by="subject", streams="frames,differences")
    train(folder / "clips", folder / "s.keras", options=usual)
    of_folds = [groups for groups in learned if len(groups) == 1]
    assert {"ann"} in of_folds
    assert {"bob"} in of_folds


def test_a_class_with_one_clip_has_none_to_stop_by(folder, tmp_path):
    write_moving(tmp_path / "clips", 1)
    with pytest.raises(ClipsError, match="two clips of every class"):
        train(tmp_path / "clips", tmp_path / "m.keras", options=options(folder))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"encoder": "small", "streams": "auto", "head": "auto", "cache": None, "folds": None}, "--fine-tune"),
        ({"fine_tune": -1}, "0 or more"),
        ({"head": "gru"}, "--loss last"),
        ({"head": "gru", "loss": "last", "mix_up": 0.2}, "--mix-up"),
        ({"folds": 2, "learning_curve": True}, "--learning-curve"),
        ({"mine": "recordings", "background": "still"}, "--mine"),
    ],
)
def test_options_that_do_not_go_with_fine_tuning_are_refused(folder, changes, word):
    with pytest.raises(UsageError, match=word):
        options(folder, **changes)


def test_more_blocks_than_there_are_are_refused_before_anything_is_encoded(folder, tmp_path):
    with pytest.raises(UsageError, match="1 to 2 blocks of encoder"):
        train(folder / "clips", tmp_path / "m.keras", options=options(folder, fine_tune=3, cache=tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()

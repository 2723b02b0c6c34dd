"""A student learns the answers of a larger model, which sees each clip at its own size and sampling."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("keras")

from convert import TrainOptions
from convert import train as train_files
from convert.clips import ClipRef
from convert.progress import Silent
from convert.training import fit
from convert.training.augment import NONE, Augmentation
from convert.training.fit import FitOptions, save
from convert.training.models import ModelOptions
from convert.training.teaching.answers import ClipAnswers, Lesson, Teacher, middle_s, open_teacher
from convert.training.teaching.distillation import Distillation, accuracy, distillation_loss
from convert.training.windows import RandomWindows, Task
from convert.training_info import TrainingInfo
from edgevid.bundle.framing import PLAIN, Framing
from edgevid.bundle.manifest import Window
from edgevid.cli import main
from edgevid.errors import ClipsError, ModelError, UsageError
from edgevid.frames.preprocess import InputSpec
from tests.clips.moving import CLASSES, moving_clip, moving_clips, write_moving

pytestmark = pytest.mark.tf
OPTIONS = FitOptions(
    input=InputSpec(height=32, width=32, channels=3),
    window=Window(frames=5, interval_s=0.1),
    model=ModelOptions(filters=(8, 8), features=16, units=16, dropout=0.0),
    augmentation=NONE,
    epochs=12,
    windows_per_clip=3,
    learning_rate=0.01,
    val_fraction=0.0,
)


@pytest.fixture(scope="module")
def teacher_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("teacher") / "teacher.keras"
    save(fit.train(moving_clips(20), OPTIONS), path)
    return path


def test_a_teacher_sees_what_its_own_training_saw_of_the_pictures(tmp_path):
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:, 32:] = 255
    for number in range(8):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)

    def brightness(frames):
        share = np.asarray(frames, np.float32).mean() / 255
        return np.array([[share, 1 - share]], np.float32)

    def answer(framing):
        info = TrainingInfo(labels=("light", "dark"), window=OPTIONS.window, input=OPTIONS.input, framing=framing)
        ref = ClipRef(tmp_path, framing=Framing(box=(0.0, 0.0, 0.5, 1.0)))
        teacher = Teacher(info, "", (0, 1), brightness)
        return teacher.answer_all([ref], Silent())[ref].scores[0]

    assert answer(Framing(box=(0.5, 0.0, 0.5, 1.0))) == pytest.approx([1, 0])
    assert answer(PLAIN) == pytest.approx([0.5, 0.5], abs=0.05)


def targets(label, answer):
    row = np.zeros((1, 2, 3), np.float32)
    if label is not None:
        row[0, 0, label] = 1
    if answer is not None:
        row[0, 1] = answer
    return row


def test_the_loss_mixes_the_label_with_the_softened_answer():
    answer, scores = np.array([0.7, 0.2, 0.1], np.float32), np.array([[0.5, 0.3, 0.2]], np.float32)
    loss = distillation_loss(Distillation(temperature=2, share=0.6), label_smoothing=0.1)
    # By hand: the square root softens probabilities at a temperature of 2.
    theirs, ours = np.sqrt(answer) / np.sqrt(answer).sum(), np.sqrt(scores[0]) / np.sqrt(scores[0]).sum()
    soft = 4 * float((theirs * np.log(theirs / ours)).sum())
    smoothed = np.array([0.1 / 3, 0.9 + 0.1 / 3, 0.1 / 3])
    hard = -float((smoothed * np.log(scores[0])).sum())
    assert float(loss(targets(1, answer), scores)[0]) == pytest.approx(0.4 * hard + 0.6 * soft, rel=1e-4)
    assert float(loss(targets(None, answer), scores)[0]) == pytest.approx(0.6 * soft, rel=1e-4)
    # Held-out clips have no answer, and are measured as without a teacher.
    import keras

    usual = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)(targets(1, None)[:, 0], scores)
    assert float(loss(targets(1, None), scores)[0]) == pytest.approx(float(usual), rel=1e-4)


def test_without_a_label_the_teachers_class_counts_as_right():
    scores = np.array([[0.1, 0.8, 0.1]] * 3, np.float32)
    told = np.concatenate([targets(1, [0.9, 0.1, 0]), targets(None, [0.9, 0.1, 0]), targets(None, [0.1, 0.9, 0])])
    assert np.asarray(accuracy(told, scores)).tolist() == [1.0, 0.0, 1.0]


def test_a_window_has_the_answer_to_the_window_nearest_in_time():
    answers = ClipAnswers(np.array([0.5, 1.5]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert answers.at(0.9).tolist() == [1.0, 0.0]
    assert answers.at(1.1).tolist() == [0.0, 1.0]
    clip = moving_clip("left", seed=1)
    assert middle_s(clip, Window(frames=5, interval_s=0.1), 3) == pytest.approx(0.5)
    assert middle_s(clip, Window(frames=5, interval_s=0.2, sampling="uniform"), 0) == pytest.approx(0.6)


def test_the_teacher_answers_in_the_order_of_the_students_labels(teacher_file):
    clip = moving_clip("right", seed=300)
    usual, turned = (
        open_teacher(teacher_file, labels).answer(clip).scores for labels in (CLASSES, tuple(reversed(CLASSES)))
    )
    np.testing.assert_allclose(usual, turned[:, ::-1])
    # 12 frames hold eight windows of five.
    assert usual.shape == (8, 3)
    assert usual.mean(axis=0).argmax() == CLASSES.index("right")


def test_a_teacher_of_other_classes_or_without_its_information_is_rejected(teacher_file, tmp_path):
    with pytest.raises(ClipsError, match=r"classes of the clips \(left, up\), got left, right, still"):
        open_teacher(teacher_file, ("left", "up"))
    from convert.loading.load import load

    load(teacher_file).model.save(tmp_path / "bare.keras")
    with pytest.raises(ModelError, match="that 'edgevid train' wrote"):
        open_teacher(tmp_path / "bare.keras", CLASSES)


def test_a_mirrored_window_has_the_mirrored_answer():
    clips = [moving_clip("left", seed=seed) for seed in range(8)]
    answer = np.array([0.7, 0.1, 0.2], np.float32)
    windows = RandomWindows(
        clips,
        Task(labels=CLASSES, window=OPTIONS.window, input=OPTIONS.input, is_taught=True),
        augmentation=Augmentation(flip={"left": "right", "right": "left"}),
        windows_per_clip=1,
        batch=8,
        seed=3,
        answers={clip.ref: ClipAnswers(np.array([0.0]), answer[None]) for clip in clips},
    )
    _, made = windows[0]
    mirrored = {tuple(label): answer for label, answer in made.tolist()}
    assert mirrored[1.0, 0.0, 0.0] == pytest.approx([0.7, 0.1, 0.2])
    assert mirrored[0.0, 1.0, 0.0] == pytest.approx([0.1, 0.7, 0.2])


def test_an_unlabelled_clip_that_is_held_out_is_rejected():
    clips = moving_clips(4)
    options = dataclasses.replace(OPTIONS, val_fraction=0.25, distillation=Distillation())
    unlabelled = tuple(dataclasses.replace(clip, ref=ClipRef(clip.ref.path)) for clip in clips.clips)
    with pytest.raises(ClipsError, match="unlabelled clips that are not held out"):
        fit.train(clips, options, lesson=Lesson({}, unlabelled))


@pytest.mark.slow
def test_a_student_learns_from_answers_alone_with_another_size_and_sampling(teacher_file, tmp_path):
    write_moving(tmp_path / "clips", 6, first_seed=400)
    write_moving(tmp_path / "more", 12, first_seed=500)
    options = TrainOptions(
        teacher=teacher_file,
        unlabelled=tmp_path / "more",
        # No label counts, and no clip of `more` has one.
        teacher_share=1.0,
        frames=4,
        size=(24, 24),
        epochs=14,
        learning_rate=0.01,
        augment=False,
        val_fraction=0.5,
        allow_duplicates=True,
    )
    trained = train_files(tmp_path / "clips", tmp_path / "student.keras", options=options)
    assert trained.info.window.frames == 4
    assert trained.info.input.shape == (24, 24, 3)
    assert trained.evaluation is not None
    assert trained.evaluation.accuracy >= 0.7
    assert "if the teacher has not learned from them" in trained.notes[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unlabelled": Path("more")}, "--teacher MODEL.keras with its options, got '--unlabelled'"),
        ({"temperature": 2.0, "teacher_share": 0.5}, "got '--temperature, --teacher-share'"),
        ({"teacher": Path("t.keras"), "temperature": 0.5}, "--temperature of at least 1"),
        ({"teacher": Path("t.keras"), "teacher_share": float("nan")}, "--teacher-share above 0"),
        ({"teacher": Path("t.keras"), "folds": 3}, "no --folds with --teacher"),
        ({"teacher": Path("t.keras"), "encoder": "efficientnet-lite0"}, "no --teacher with --encoder"),
    ],
)
def test_options_without_a_meaning_are_rejected(options, message):
    with pytest.raises(UsageError, match=message):
        TrainOptions(**options)


def test_a_check_of_clips_takes_no_teacher(tmp_path, capsys):
    write_moving(tmp_path / "clips", 2)
    assert main(["train", str(tmp_path / "clips"), "--check", "--teacher", "large.keras"]) == 2
    assert "no --teacher with --check" in capsys.readouterr().err.strip().splitlines()[-1]

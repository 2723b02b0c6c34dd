import numpy as np
import pytest

pytest.importorskip("keras")

from convert.clips import centre_window, random_window
from convert.training.augment import NONE, Augmentation
from convert.training.windows import CentreWindows, RandomWindows, Task
from edgevid.bundle.manifest import Window
from edgevid.frames.preprocess import InputSpec
from tests.clips.moving import CLASSES, moving_clips
from tests.convert.clips.test_clips import made_clip

pytestmark = pytest.mark.tf
WINDOW = Window(frames=4, interval_s=0.2)
TASK = Task(labels=CLASSES, window=WINDOW, input=InputSpec(height=32, width=32, channels=3))


def random_windows(clips, augmentation=NONE, *, windows_per_clip=1, batch=4, seed=0, balanced=False):
    return RandomWindows(
        clips,
        TASK,
        augmentation=augmentation,
        windows_per_clip=windows_per_clip,
        batch=batch,
        seed=seed,
        balanced=balanced,
    )


def test_a_batch_is_pixels_in_the_training_range_and_one_target_a_window():
    frames, targets = random_windows(moving_clips(2).clips)[0]
    assert (frames.shape, frames.dtype) == ((4, 4, 32, 32, 3), np.float32)
    assert (frames.min(), frames.max()) == pytest.approx((40 / 255, 220 / 255))
    assert (targets.shape, targets.dtype) == ((4, 3), np.float32)
    np.testing.assert_array_equal(targets.sum(axis=1), 1)


def test_an_epoch_takes_every_clip_as_often_as_asked():
    windows = random_windows(moving_clips(2).clips, windows_per_clip=2, batch=6)
    assert len(windows) == 2
    np.testing.assert_array_equal(sum(windows[index][1].sum(axis=0) for index in range(2)), [4, 4, 4])


def test_a_balanced_epoch_has_as_many_windows_of_a_rare_class_and_takes_each_of_its_clips_as_often():
    clips = moving_clips(6).clips
    rare, kept = str(clips[0].ref.label), []
    for clip in clips:
        if str(clip.ref.label) != rare or sum(str(each.ref.label) == rare for each in kept) < 2:
            kept.append(clip)
    windows = random_windows(kept, windows_per_clip=3, batch=6, balanced=True)
    counts = sum(windows[index][1].sum(axis=0) for index in range(len(windows)))
    assert len(kept) == 14
    np.testing.assert_array_equal(counts, [14, 14, 14])
    taken = np.bincount(windows._clip_of, minlength=len(kept))
    is_rare = np.array([str(clip.ref.label) == rare for clip in kept])
    assert set(taken[is_rare]) == {7}
    assert set(taken[~is_rare]) <= {2, 3}


def test_fewer_windows_than_a_batch_still_make_one():
    windows = random_windows(moving_clips(1).clips, batch=16)
    assert (len(windows), len(windows[0][0])) == (1, 3)


def test_every_epoch_draws_anew_and_the_same_seed_draws_the_same():
    clips = moving_clips(2).clips
    windows, again = random_windows(clips, Augmentation()), random_windows(clips, Augmentation())
    first = windows[0][0]
    np.testing.assert_array_equal(first, again[0][0])
    windows.on_epoch_end()
    assert not np.array_equal(first, windows[0][0])


def test_a_mirrored_window_is_given_the_class_that_it_shows():
    clips = moving_clips(6, classes=("left",)).clips
    windows = random_windows(clips, Augmentation(flip={"left": "right", "right": "left"}), windows_per_clip=4, batch=24)
    counts = windows[0][1].sum(axis=0)
    assert counts[0] > 0
    assert counts[1] > 0
    assert counts[2] == 0


def test_validation_sees_the_middle_of_each_clip_as_it_is():
    clips = moving_clips(2).clips
    middles = CentreWindows(clips, TASK, batch=4)
    assert [len(middles[index][0]) for index in range(len(middles))] == [4, 2]
    np.testing.assert_allclose(middles[0][0][1] * 255, centre_window(clips[1], WINDOW), atol=1e-4)
    assert not np.array_equal(centre_window(clips[1], WINDOW), clips[1].frames[:4])
    np.testing.assert_array_equal(middles[1][1], [[0, 0, 1], [0, 0, 1]])


def taken(count, *, speed=1.0, tries=60):
    clip = made_clip(count, fps=10.0)
    return [
        random_window(clip, WINDOW, np.random.default_rng(seed), speed=speed).ravel().tolist() for seed in range(tries)
    ]


def test_a_window_begins_anywhere_that_it_fits():
    starts = {window[0] for window in taken(10)}
    assert starts == {0, 1, 2, 3}
    assert all(window == [window[0], window[0] + 2, window[0] + 4, window[0] + 6] for window in taken(10))


def test_a_slower_pace_takes_frames_further_apart():
    assert {tuple(np.diff(window)) for window in taken(20, speed=2.0)} == {(4, 4, 4)}


def test_a_short_clip_begins_at_its_first_frame_and_holds_its_last():
    assert {tuple(window) for window in taken(4)} == {(0, 2, 2, 2)}

"""The teacher's answers to clips: for some windows of each, at its own frame size and sampling."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from convert.clips import Clip, ClipRef, decode, evenly_spread, window_indices
from convert.loading.load import load
from convert.progress import Progress
from convert.training.metrics import Scorer, keras_scorer
from convert.training_info import TrainingInfo, read_info
from edgevid.bundle.manifest import Window
from edgevid.errors import ClipsError, ModelError
from edgevid.frames import Array
from edgevid.units import NS_PER_S

# Windows of a clip that the teacher answers: one more costs it as much as the student's whole epoch of the clip.
_MOST_WINDOWS = 8
# Probabilities of float32 sum to one up to this.
_ROUNDING = 1e-3


@dataclass(frozen=True)
class ClipAnswers:
    """The teacher's answers to one clip.

    Attributes:
        centres_s: (K,) time of the middle of each window, from the first frame.
        scores: (K, classes) float32 probabilities, in the order of the student's labels.
    """

    centres_s: Array
    scores: Array

    def at(self, centre_s: float) -> Array:
        """Return the answer to the window whose middle is nearest to a time."""
        answer: Array = self.scores[int(np.abs(self.centres_s - centre_s).argmin())]
        return answer


def middle_s(clip: Clip, window: Window, start: int) -> float:
    """Return the time of the middle of a window, from the clip's first frame.

    Args:
        clip: Any clip.
        window: Length and sampling of the window; "uniform" spans the whole clip.
        start: Index of its first frame.
    """
    if window.sampling == "uniform":
        return clip.duration_s / 2
    began_s = float(clip.timestamps_ns[start] - clip.timestamps_ns[0]) / NS_PER_S
    return began_s + (window.frames - 1) * window.interval_s / 2


@dataclass(frozen=True)
class Teacher:
    """A trained model that answers clips.

    Attributes:
        info: Its labels, window and input.
        sha256: Hash of its file.
        order: For each label of the student its place in the teacher's scores.
        scorer: From the frames of a window to its scores.
    """

    info: TrainingInfo
    sha256: str
    order: tuple[int, ...]
    scorer: Scorer

    def answer_all(self, refs: Sequence[ClipRef], progress: Progress) -> dict[ClipRef, ClipAnswers]:
        """Answer clips, each decoded for the teacher and dropped again.

        Args:
            refs: Clips that can be read.
            progress: Shows the clips.

        Raises:
            ModelError: An answer is no vector of probabilities.
        """
        return {ref: self.answer(self._decode(ref)) for ref in progress.track(refs, "asking the teacher")}

    def _decode(self, ref: ClipRef) -> Clip:
        # The teacher sees what its own training saw of the pictures.
        return decode(replace(ref, framing=self.info.framing), self.info.input)

    def answer(self, clip: Clip) -> ClipAnswers:
        """Answer a clip that was decoded for the teacher."""
        window = self.info.window
        starts = _starts(clip, window)
        scores = np.concatenate([self.scorer(clip.frames[window_indices(clip, window, start=each)]) for each in starts])
        worst = float(np.abs(scores.sum(axis=1) - 1).max())
        if not (worst <= _ROUNDING and (scores >= 0).all()):
            raise ModelError(
                expected="a teacher whose scores are probabilities", got=worst, found=f"a sum of {1 + worst:.3g}"
            )
        return ClipAnswers(np.array([middle_s(clip, window, each) for each in starts]), scores[:, list(self.order)])


def open_teacher(path: Path, labels: Sequence[str]) -> Teacher:
    """Open a model of `edgevid train` as a teacher.

    Args:
        path: The `.keras` file.
        labels: Classes of the student.

    Raises:
        ModelError: The file is not a model of `edgevid train`, or cannot be loaded.
        ClipsError: Its classes are not those of the clips.
    """
    info = read_info(path)
    if info is None:
        raise ModelError(
            expected="a --teacher that 'edgevid train' wrote, with its labels and sampling",
            found=f"a file without them: {path}",
            path=path,
        )
    if set(info.labels) != set(labels):
        raise ClipsError(
            expected=f"a teacher of the classes of the clips ({', '.join(sorted(labels))})",
            got=info.labels,
            found=", ".join(sorted(info.labels)),
            path=path,
        )
    return Teacher(
        info,
        hashlib.sha256(path.read_bytes()).hexdigest(),
        tuple(info.labels.index(label) for label in labels),
        keras_scorer(load(path).model, info.input, info.window),
    )


def _starts(clip: Clip, window: Window) -> list[int]:
    """Return the first frames of windows spread evenly over a clip; of a short one, its first frame."""
    if window.sampling == "uniform":
        return [0]
    latest_ns = clip.timestamps_ns[-1] - round((window.frames - 1) * window.interval_s * NS_PER_S)
    fitting = int(np.searchsorted(clip.timestamps_ns, latest_ns, side="right"))
    return evenly_spread(max(fitting, 1), _MOST_WINDOWS)


@dataclass(frozen=True)
class Lesson:
    """What a teacher adds to a training.

    Attributes:
        answers: The teacher's answers to each clip of the training.
        unlabelled: Clips without a class, decoded for the student.
    """

    answers: Mapping[ClipRef, ClipAnswers]
    unlabelled: tuple[Clip, ...] = ()

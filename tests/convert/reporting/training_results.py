"""Results of a training on real clips, with answers that a test chooses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from convert.clips import Clip, ClipRef, ClipSet
from convert.reporting.training_page import write_training_page
from convert.training.cross_validation import measure_curve, summarise
from convert.training.fit import TrainedModel
from convert.training.fitting.epoch import Epoch
from convert.training.metrics import prediction
from convert.training.options import TrainOptions
from convert.training.transfer_facts import TransferFacts
from convert.training_info import TrainingInfo
from edgevid.bundle.manifest import Window
from edgevid.events.rule import DecisionRule
from edgevid.frames.preprocess import InputSpec
from tests.clips.moving import write_moving

LABELS = ("left", "right", "still<b>")
LOSSES = {"frames + mean": 0.9, "differences + stats": 0.3, "frames,differences + stats": 0.25}
EPOCHS = tuple(
    Epoch(number=number, of=3, loss=1 / number, accuracy=number / 4, val_loss=1.0, val_accuracy=0.5)
    for number in (1, 2, 3)
)


def clips_of(root: Path, per_class: int = 4) -> ClipSet:
    """Clips of two subjects; one class has a name that HTML would read as a tag."""
    write_moving(root, per_class)
    (root / "still").rename(root / "still<b>")
    refs = [ClipRef(path, path.parent.name, path.name.partition("_")[0]) for path in sorted(root.rglob("*.avi"))]
    clips = tuple(Clip(ref, np.empty((0, 32, 32, 3), np.uint8), np.arange(12)) for ref in refs)
    return ClipSet(clips, skipped=((Path("left/<broken>.avi"), "no frames"),), notes=("one <note>",))


def scores_of(truth: int, wrong: float | None = None, *, margin: float = 0.9) -> np.ndarray:
    """Scores of one clip: right by a margin, or wrong with a score for the next class."""
    scores = np.zeros(3)
    if wrong is None:
        scores[truth], scores[(truth + 1) % 3] = (1 + margin) / 2, (1 - margin) / 2
    else:
        scores[(truth + 1) % 3], scores[truth] = wrong, 1 - wrong
    return scores


def trained_on(clips: ClipSet, answers: dict[int, Any] | None = None, **changes: Any) -> TrainedModel:
    """A result in which all clips are right, by a wide margin, but those of `answers`, by number."""
    rows = [
        prediction(clip.ref, (answers or {}).get(number, scores_of(LABELS.index(str(clip.ref.label)))), LABELS)
        for number, clip in enumerate(clips.clips)
    ]
    folds = [[row for row in rows if who in row.path.name] for who in ("ann", "bob")]
    groups = [[who] * len(fold) for who, fold in zip(("ann", "bob"), folds, strict=True)]
    methods = ["differences + stats", "frames + mean"]
    measured = summarise(folds, groups, methods, labels=LABELS, int8=[row for fold in folds for row in fold])
    curve = measure_curve(measured, 4, lambda _count: measured)
    usual = TrainedModel(
        # The page describes what was measured, not the network.
        model=None,
        info=TrainingInfo(
            labels=LABELS,
            window=Window(frames=4, interval_s=0.1),
            input=InputSpec(height=32, width=32, channels=3),
            decision=DecisionRule(),
        ),
        history=(),
        evaluation=measured.evaluation,
        cross_validation=replace(measured, curve=curve),
        transfer=TransferFacts(
            encoder="lite<0>",
            streams=("differences",),
            head="stats",
            losses=LOSSES,
            temperature=1.0,
            cosine=0.99,
            cached=0,
            encoded=12,
        ),
        notes=("a <second> note",),
    )
    return replace(usual, **changes)


def write_page(trained: TrainedModel, clips: ClipSet, folder: Path, **changes: Any) -> str:
    """Write the page; return its text."""
    options = TrainOptions(**{"encoder": "lite.keras", "group_by": "subject", "report": folder / "p.html"} | changes)
    write_training_page(
        trained, folder / "p.html", title="a <title>", clips=clips, options=options, seconds=1.0, command="edgevid <x>"
    )
    return (folder / "p.html").read_text(encoding="utf-8")

"""From a folder of clips to a `.keras` file: what `edgevid train` and `convert.train` do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from convert.clips import ClipSet, decode_all, find_clips
from convert.progress import Progress, Silent
from convert.training import fit
from convert.training.fit import Epoch, TrainedModel
from convert.training.holdout import grouper
from convert.training.options import TrainOptions
from edgevid.atomic import check_folder


def train(
    clips: str | Path,
    out: str | Path,
    *,
    options: TrainOptions | None = None,
    progress: Progress | None = None,
    on_clips: Callable[[ClipSet], None] = lambda _clips: None,
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None,
) -> TrainedModel:
    """Train the reference network on clips and write it as a Keras model, which carries what the conversion needs to know.

    Args:
        clips: Folder `<class>/<clip>`, or a CSV file with the columns path and label, and optionally group.
        out: The `.keras` file to write, whole or not at all.
        options: How to train.
        progress: Shows how far reading is.
        on_clips: Called once with the clips that were read and those that were not, before training.
        on_epoch: Called after each epoch.

    Returns:
        The network, its history, and its metrics on the held-out clips.

    Raises:
        UsageError: An option or path is wrong.
        ClipsError: No classifier can be trained on the clips.
        ModelError: Training diverged.
    """
    options, progress = options or TrainOptions(), progress or Silent()
    check_folder(out, suffix=".keras")
    refs = find_clips(clips, group=grouper(options.group_by))
    settled = options.for_labels(sorted({ref.label for ref in refs if ref.label is not None}))
    read = decode_all(refs, settled.input, progress=lambda items: iter(progress.track(items, "reading clips")))
    on_clips(read)
    trained = fit.train(read, settled, on_epoch=on_epoch)
    fit.save(trained, out)
    return trained

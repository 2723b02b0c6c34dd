"""Prune the encoder of a trained model and fine-tune it, before it is converted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.clips import Clip, ClipSet, centre_window, to_real
from convert.interface.contract import Contract
from convert.interface.window_to_scores import ArrangedModel, WindowModel
from convert.loading.load import LoadedModel
from convert.progress import Progress
from convert.pruning.channels import ChannelMap
from convert.pruning.fine_tuning import Windows, fine_tune
from convert.pruning.follow import follow_channels
from convert.pruning.rebuild import check_rebuilt, rebuild
from convert.pruning.select import Selection, select_channels
from convert.splits.holdout import split
from convert.splitting.split import Split
from edgevid.errors import ClipsError, UsageError

# Of clips without groups every third proves the result, so that each class has some, in the order of its names.
_EVERY = 3
_FEWEST = 12


@dataclass(frozen=True, kw_only=True)
class PrunedLayer:
    """A layer with fewer channels.

    Attributes:
        name: Its name.
        before: Channels that it made, as trained.
        after: Channels that it makes now.
    """

    name: str
    before: int
    after: int


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """What was removed from a model, for the report.

    Attributes:
        wanted: Largest share of the encoder's multiply-accumulates that was to be left.
        share: Share that is left.
        macs_before: Multiply-accumulates of the encoder for one frame, as trained.
        macs_after: The same without the removed channels.
        layers: Layers with fewer channels.
        clips: Clips that it was fine-tuned on, none of which proves the result.
        epochs: Passes over them.
        loss: Mean loss over the last one.
    """

    wanted: float
    share: float
    macs_before: int
    macs_after: int
    layers: tuple[PrunedLayer, ...]
    clips: int
    epochs: int
    loss: float


@dataclass(frozen=True, kw_only=True)
class PrunedModel:
    """A pruned and fine-tuned model.

    Attributes:
        model: The Keras model.
        arranged: The same with one window in and one vector of scores out.
        facts: What was removed.
    """

    model: Any
    arranged: ArrangedModel
    facts: Pruning


def check_prunable(trained: LoadedModel, parts: Split, contract: Contract) -> None:
    """Reject a model that cannot be pruned.

    Raises:
        UsageError: It is not a Keras model of layers, has no encoder of pictures, or delivers other outputs too.
    """
    UsageError.unless(
        trained.framework in ("keras", "tf_keras"),
        expected="a Keras model of layers, with --prune",
        got=trained.framework,
        found=f"one of {trained.framework}",
    )
    UsageError.unless(
        parts.encoder is not None and contract.input.kind != "features",
        expected="a model with an encoder of single pictures, with --prune",
        found="rows of features" if contract.input.kind == "features" else f"none: {parts.not_causal}",
    )
    UsageError.unless(
        not contract.values,
        expected="a model of scores alone, with --prune",
        found=f"other outputs: {', '.join(each.name for each in contract.values)}",
        hint="Drop them with --scores-only.",
    )


def hold_out(clips: ClipSet) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Split clips into those to fine-tune on and those that prove the result.

    A list that states its split decides for itself, and groups stay together; else every third clip is held out.

    Raises:
        ClipsError: There are too few clips, or too few groups.
    """
    every = clips.clips
    if len(every) < _FEWEST:
        raise ClipsError(
            expected=f"at least {_FEWEST} clips with --prune, a third of which prove the result", got=len(every)
        )
    if any(clip.ref.is_held_out or clip.ref.group for clip in every):
        return split(every, fraction=1 / _EVERY, seed=0)
    held_out = every[_EVERY - 1 :: _EVERY]
    return tuple(clip for place, clip in enumerate(every) if place % _EVERY != _EVERY - 1), held_out


def prune(
    model: Any,
    ask: WindowModel,
    parts: Split,
    clips: Sequence[Clip],
    *,
    arrange: Callable[[Any], ArrangedModel],
    share: float,
    epochs: int,
    contract: Contract,
    progress: Progress,
) -> PrunedModel:
    """Remove channels from the encoder of a model, and fine-tune it to the trained model's answers.

    Args:
        model: The trained Keras model; not modified.
        ask: The trained model, from windows to scores.
        parts: The trained model, split.
        clips: Clips to fine-tune on.
        arrange: Arranges a model as `ask` was arranged.
        share: Largest share of the encoder's multiply-accumulates that may be left.
        epochs: Passes over the clips.
        contract: Window, input frames and kind of the scores.
        progress: Shows the epochs.

    Raises:
        UsageError: So few channels cannot be left.
        ModelError: A layer cannot be pruned or built again, or fine-tuning diverged.
    """
    found = follow_channels(model, encoder={*parts.prefix_layers, *parts.hoisted})
    selected = select_channels(found, share)
    smaller = rebuild(model, found, selected.stays)
    arranged = arrange(smaller)
    example = to_real(centre_window(clips[0], contract.window)[None], contract.input)
    check_rebuilt(ask, arranged.ask, found, selected.stays, example)
    progress.step(f"fine-tuning on {len(clips)} clips with {selected.share:.0%} of the encoder's multiply-accumulates")
    loss = fine_tune(
        smaller,
        arranged.ask,
        ask,
        Windows(clips=clips, window=contract.window, input=contract.input),
        kind=contract.scores,
        epochs=epochs,
        progress=progress,
    )
    facts = _facts(found, selected, share, clips=len(clips), epochs=epochs, loss=loss)
    return PrunedModel(model=smaller, arranged=arranged, facts=facts)


def _facts(found: ChannelMap, selected: Selection, share: float, *, clips: int, epochs: int, loss: float) -> Pruning:
    layers = [
        PrunedLayer(
            name=each.layer.name, before=len(each.makes), after=int(np.count_nonzero(selected.stays[each.makes]))
        )
        for each in found.layers.values()
        if each.makes is not None
    ]
    return Pruning(
        wanted=share,
        share=selected.share,
        macs_before=selected.macs_before,
        macs_after=selected.macs_after,
        layers=tuple(each for each in layers if each.after < each.before),
        clips=clips,
        epochs=epochs,
        loss=loss,
    )

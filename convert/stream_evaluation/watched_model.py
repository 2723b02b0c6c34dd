"""A model or a bundle that can watch recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from convert.clips import ClipSet
from convert.evaluation import MODEL_SUFFIXES, EvaluateOptions, open_trained
from convert.watching.watch_bundle import Watch, bundle_watch
from convert.watching.watch_keras import keras_watch
from edgevid.bundle import Bundle
from edgevid.bundle.framing import PLAIN, Framing
from edgevid.bundle.manifest import Window
from edgevid.errors import ModelError, UsageError
from edgevid.events.decide import Decider
from edgevid.events.rule import DecisionRule
from edgevid.lane import default_delay_s
from edgevid.supervision.pace import LEVELS


@dataclass(frozen=True, kw_only=True)
class WatchedModel:
    """A model or a bundle, ready to watch recordings.

    Attributes:
        watch: Runs it over a recording, at a pace level.
        labels: Its classes, in the order of the scores.
        rule: From scores to events.
        window: Its window.
        keeps_state: Whether it runs on every frame at any pace.
        framing: What its training saw of the pictures.
        notes: Assumptions about it, one line each.
    """

    watch: Callable[[int], Watch]
    labels: tuple[str, ...]
    rule: DecisionRule
    window: Window
    keeps_state: bool
    framing: Framing = PLAIN
    notes: tuple[str, ...] = ()

    def decider(self, rule: DecisionRule, *, level: int = 0) -> Decider:
        """Return a decider as the device has it.

        Args:
            rule: The rule.
            level: Pace level.
        """
        decider = Decider(self.labels, rule, delay_s=default_delay_s(self.window))
        decider.slow_down(LEVELS[level].slowdown)
        return decider


def open_watched(path: Path, options: EvaluateOptions) -> WatchedModel:
    """Open a model or a bundle.

    Args:
        path: A `.keras` or `.h5` file, or an `.edgevid` bundle.
        options: How the model was trained, where the file does not say so.

    Raises:
        UsageError: The file does not exist, or an option does not fit.
        ModelError: The model cannot be loaded, or has no stream.
        BundleError: The bundle cannot be used.
    """
    return _model(path, options) if path.suffix in MODEL_SUFFIXES else _bundle(path, options)


def watched_bundle(bundle: Bundle, *, threads: int = 1, notes: Sequence[str] = ()) -> WatchedModel:
    """Return a bundle, ready to watch recordings.

    Args:
        bundle: The bundle.
        threads: Threads of the interpreter, at least 1.
        notes: Assumptions about it, one line each.
    """
    from edgevid.inference.engine import Engine

    engine, manifest = Engine(bundle, threads=threads), bundle.manifest
    return WatchedModel(
        watch=lambda level: bundle_watch(engine, level=level),
        labels=manifest.labels,
        rule=manifest.decision,
        window=manifest.window,
        keeps_state=engine.keeps_state,
        framing=manifest.framing,
        notes=tuple(notes),
    )


def _bundle(path: Path, options: EvaluateOptions) -> WatchedModel:
    from edgevid import bundle
    from edgevid.telemetry.environment import opencv_difference

    options.check_for_bundle()
    checked = bundle.read(path)
    difference = opencv_difference(checked.manifest.versions) if checked.manifest.input.kind == "frames" else None
    return watched_bundle(checked, threads=options.threads, notes=(difference,) if difference else ())


def _model(path: Path, options: EvaluateOptions) -> WatchedModel:
    trained = open_trained(path, options.conversion_options())
    if trained.info is None and options.labels is None:
        raise UsageError(expected="--labels FILE for a model whose file does not name its classes", found=str(path))
    if trained.info is None and options.interval in (None, "uniform"):
        hint = "It is the time between two frames in training, in seconds."
        raise UsageError(expected="--interval SECONDS for a model on a stream", found="none", hint=hint)
    contract = trained.contract(ClipSet(()))
    if contract.window.sampling == "uniform":
        hint = "Convert it with clips, which tell the interval, and evaluate the bundle."
        raise ModelError(expected="a model that was trained on frames a fixed time apart", found=str(path), hint=hint)
    scorer = trained.scorer(contract)
    return WatchedModel(
        watch=lambda level: keras_watch(
            scorer, trained.spec, contract.window, classes=len(contract.labels), slowdown=LEVELS[level].slowdown
        ),
        labels=contract.labels,
        rule=contract.decision,
        window=contract.window,
        keeps_state=True,
        framing=contract.framing,
        notes=contract.notes,
    )

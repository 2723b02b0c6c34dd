"""The main path of `edgevid calibrate`: scores, two parts, a rule from one, its worth on the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from convert.clips import ClipRef
from convert.clips.sources import length_s
from convert.evaluation import MODEL_SUFFIXES
from convert.event_metrics import Answered, EventMetrics, MeasureOptions, measure, replay
from convert.event_metrics.trace import truth_at
from convert.progress import Progress, Silent
from convert.recordings import Recording, TrueEvent, check_durations, check_labels, import_truth
from convert.recordings.importers.options import DEFAULT, ImportOptions
from convert.rule_search.halves import Halves, halve
from convert.rule_search.learned_delays import learn_delays
from convert.rule_search.search import Found, search_rule
from convert.rule_search.trials import Trials
from convert.stream_evaluation.evaluate import watch_all
from convert.stream_evaluation.watched_model import WatchedModel, watched_bundle
from edgevid import atomic, bundle
from edgevid.bundle.framing import NO_CHOICE, FramingChoice
from edgevid.bundle.manifest import Manifest
from edgevid.errors import TruthError, UsageError
from edgevid.events.rule import DecisionRule

# Right answers that `unknown_below` may cost.
_UNKNOWN_SHARE = 0.05


@dataclass(frozen=True, kw_only=True)
class CalibrationOptions:
    """The options of `edgevid calibrate`.

    Attributes:
        max_false_per_hour: The most false alarms an hour that the rule may have where it is chosen;
            None to weigh false alarms and misses equally.
        min_background_h: Hours in which nothing happens that the recordings must have, 0 or more.
        unknown: Whether to choose `unknown_below` too.
        tolerance_s: Time by which an event may miss a true one and still be its hit.
        truth: Choices that files of other tools leave open.
        threads: Threads of the interpreter, at least 1.
        framing: What the model sees of the pictures, where it is not what its training saw. The bundle
            that is written carries it.
    """

    max_false_per_hour: float | None = None
    min_background_h: float = 1.0
    unknown: bool = False
    tolerance_s: float = MeasureOptions().tolerance_s
    truth: ImportOptions = DEFAULT
    threads: int = 1
    framing: FramingChoice = NO_CHOICE

    def __post_init__(self) -> None:
        # Built to reject what has no sense.
        _ = self.measure
        UsageError.unless(
            0 <= self.min_background_h < 1e6, expected="hours of background of at least 0", got=self.min_background_h
        )

    @property
    def measure(self) -> MeasureOptions:
        """What counts as a hit."""
        limit = MeasureOptions().max_false_per_hour if self.max_false_per_hour is None else self.max_false_per_hour
        return MeasureOptions(tolerance_s=self.tolerance_s, max_false_per_hour=limit)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A chosen rule.

    Attributes:
        rule: The rule.
        before: The rule of the bundle.
        halves: The two parts of the recordings.
        names: Names of the recordings.
        tried: Number of rules that were tried on all recordings that it was chosen on.
        depth: What was chosen, see `convert.rule_search.search.Found`.
        second_look: Whether the search was tried on unseen recordings first.
        chosen: Metrics of the rule where it was chosen: too good to be promised.
        checked: Metrics of the rule where it was not.
        checked_before: Metrics of the rule of the bundle there.
        notes: Assumptions, one line each.
    """

    rule: DecisionRule
    before: DecisionRule
    halves: Halves
    names: tuple[str, ...]
    tried: int
    depth: int
    second_look: bool
    chosen: EventMetrics
    checked: EventMetrics
    checked_before: EventMetrics
    notes: tuple[str, ...] = field(default=())


def calibrate(
    path: str | Path,
    streams: str | Path,
    truth: str | Path,
    out: str | Path,
    *,
    options: CalibrationOptions | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Choose the rule of a bundle on recordings, and write a bundle that differs in it alone.

    Args:
        path: The bundle.
        streams: Folder of the recordings.
        truth: What happens in them: a table of events, or a file of another tool.
        out: The bundle to write.
        options: Options; None for the defaults.
        progress: Shows a bar over the recordings; None for no output.

    Returns:
        The rule, and what it is worth on recordings that it was not chosen on.

    Raises:
        UsageError: A file or folder does not exist, or an option is wrong.
        TruthError: The truth is wrong, does not fit, or shows too little.
        BundleError: The bundle cannot be used.
        SourceError: A recording cannot be read.
    """
    options, progress, out = options or CalibrationOptions(), progress or Silent(), Path(out)
    atomic.check_folder(out, suffix=".edgevid")
    read = import_truth(Path(truth), folder=Path(streams), options=options.truth)
    UsageError.unless(
        Path(path).suffix not in MODEL_SUFFIXES,
        expected="an .edgevid bundle",
        found=f"{path}, a model",
        hint="Convert it first: edgevid convert",
    )
    original = bundle.read(Path(path))
    framing = options.framing.over(original.manifest.framing)
    # A rule holds for the part that it was chosen on, so the bundle carries that too.
    framing.check_shares()
    model = watched_bundle(original, threads=options.threads)
    check_labels(read.recordings, model.labels, background=model.rule.background)
    background = model.rule.background
    halves = halve([replace(each, events=_without(each.events, background)) for each in read.recordings])
    _check_background(read.recordings, original.manifest, options.min_background_h, progress)
    answered = watch_all(model, read.recordings, folder=Path(streams), progress=progress, framing=options.framing)
    progress.step("choosing the rule")
    chosen_on = [answered[index] for index in halves.chosen_on]
    trials = Trials(
        chosen_on, model.decider, tolerance_s=options.tolerance_s, max_false_per_hour=options.max_false_per_hour
    )
    found, rule = _choose(model, chosen_on, trials, options)
    checked_on = [answered[index] for index in halves.checked_on]
    calibration = Calibration(
        rule=rule,
        before=model.rule,
        halves=halves,
        names=tuple(each.name for each in answered),
        tried=len(trials),
        depth=found.depth,
        second_look=found.second_look,
        chosen=_measured(model, chosen_on, rule, options.measure),
        checked=_measured(model, checked_on, rule, options.measure),
        checked_before=_measured(model, checked_on, model.rule, options.measure),
        notes=read.notes,
    )
    bundle.write(replace(original, manifest=replace(original.manifest, decision=rule, framing=framing)), out)
    return calibration


def _without(events: Sequence[TrueEvent], background: Sequence[str]) -> tuple[TrueEvent, ...]:
    return tuple(event for event in events if event.label not in background)


def _check_background(recordings: Sequence[Recording], manifest: Manifest, least_h: float, progress: Progress) -> None:
    kind, interval_s, quiet_s = manifest.input.kind, manifest.window.interval_s, 0.0
    for each in progress.track(recordings, "measuring recordings"):
        duration_s = length_s(ClipRef(each.path), kind, interval_s=interval_s)
        check_durations(each, duration_s=duration_s)
        background = manifest.decision.background
        quiet_s += duration_s - sum(real.end_s - real.start_s for real in each.events if real.label not in background)
    quiet_h = quiet_s / 3600
    TruthError.unless(
        quiet_h >= least_h,
        expected=f"at least {least_h:g} h in which nothing happens: false alarms are counted there",
        got=quiet_h,
        found=f"{quiet_h:.2f} h",
        hint="Record more, or lower --min-background-h and mind the intervals.",
    )


def _choose(
    model: WatchedModel, recordings: Sequence[Answered], trials: Trials, options: CalibrationOptions
) -> tuple[Found, DecisionRule]:
    found = search_rule(trials, model.rule)
    rule = found.rule
    TruthError.unless(
        trials.outcome(rule).hits > 0,
        expected="a rule that finds an event",
        found="none" if options.max_false_per_hour is None else "none that has so few false alarms",
        hint="Evaluate the bundle on these recordings first: is it a model of these actions?",
    )
    if not trials.keeps_limit(rule):
        outcome = trials.outcome(rule)
        per_hour = outcome.false_alarms / outcome.hours
        raise TruthError(
            expected=f"a rule with at most {options.max_false_per_hour:g} false alarms an hour",
            got=per_hour,
            found=f"{per_hour:.2g} an hour with the best of {len(trials)}",
            hint="Train the model on what it takes for events, as background.",
        )
    delays = learn_delays(recordings, model.labels, rule, model.decider, tolerance_s=options.tolerance_s)
    below = _unknown_below(recordings, model.labels, rule) if options.unknown else rule.unknown_below
    return found, replace(rule, delays=delays, unknown_below=below)


def _unknown_below(recordings: Sequence[Answered], labels: Sequence[str], rule: DecisionRule) -> float:
    """Return the score that one of twenty right answers is below."""
    right: list[float] = []
    for each in recordings:
        best = each.trace.scores.argmax(axis=1)
        for truth, index, row in zip(truth_at(each.trace.times_s, each.truth), best, each.trace.scores, strict=True):
            label = labels[int(index)]
            if label == truth or (not truth and label in rule.background):
                right.append(float(row[index]))
    # Down, and of the scores that occur: many are equal, and a little more would name them all.
    share = float(np.quantile(right, _UNKNOWN_SHARE, method="lower")) if right else 0.0
    return math.floor(share * 1000) / 1000


def _measured(
    model: WatchedModel, recordings: Sequence[Answered], rule: DecisionRule, options: MeasureOptions
) -> EventMetrics:
    answered = [replace(each, events=replay(each.trace, lambda: model.decider(rule))) for each in recordings]
    return measure(answered, model.labels, rule, model.decider, options=options)

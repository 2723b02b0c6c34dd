"""Find the cheapest precision within the budget: build and prove a bundle, and try the next recipe if it fails."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from convert.precision.builder import Builder
from convert.precision.recipes import Recipe
from convert.progress import Progress
from convert.verification.budget import Budget
from convert.verification.event_drift import EventDrift, EventProof
from convert.verification.examples import Examples
from convert.verification.latency import FrameLatency, latency
from convert.verification.stages import ProofStage, measure, stream_answers, window_scores
from convert.verification.value_drift import ValueDrift, broken, measure_values
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.bundle.golden import Golden
from edgevid.bundle.parts import Part, Precision, Role
from edgevid.errors import ConversionError, VerificationFailed
from edgevid.frames import Array

_STEP_TOLERANCE = 1e-5


@dataclass(frozen=True)
class RecipeTrial:
    """The result of one recipe.

    Attributes:
        recipe: The recipe.
        failure: Why the recipe was rejected or skipped; empty if it keeps the budget.
        bundle: The bundle with its own golden scores; None if it could not be built.
        window: Stage 3 of the proof; None for plan "stateful", which has no window.
        stream: Stage 4 of the proof.
        scores: Scores of the stream (N, classes).
        latency: Time of a new frame on this machine.
        values: Error of each auxiliary output.
        events: Events in long recordings, compared with the trained model's; None without recordings,
            and if the clips already reject the recipe.
    """

    recipe: Recipe
    failure: str
    bundle: Bundle | None = None
    window: ProofStage | None = None
    stream: ProofStage | None = None
    scores: Array | None = None
    latency: FrameLatency | None = None
    values: tuple[ValueDrift, ...] = ()
    events: EventDrift | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The bundle's parts; empty without a bundle."""
        return () if self.bundle is None else self.bundle.manifest.parts

    @property
    def precisions(self) -> Mapping[Role, Precision]:
        """The precision of each part; empty without a bundle."""
        return {part.role: part.precision for part in self.parts}


@dataclass(frozen=True)
class Search:
    """The result of a search.

    Attributes:
        trials: In the order of the recipes. Only the last one can keep the budget, unless times were
            measured.
        builder: Holds the converted parts.
        stopped_by: The error that stopped the search; empty if it ran to its end.
        measured_ms: Time of a frame by recipe, of those that keep the budget; empty if the order of
            the recipes decides.
    """

    trials: tuple[RecipeTrial, ...]
    builder: Builder
    stopped_by: str = ""
    measured_ms: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def stopped(cls, builder: Builder, trials: Sequence[RecipeTrial], recipe: Recipe, reason: str) -> Search:
        """Return the result of a search that an error stopped.

        Args:
            builder: Holds the converted parts.
            trials: The finished trials.
            recipe: The recipe of the unfinished trial. It becomes a trial without a bundle.
            reason: The error.
        """
        return cls((*trials, RecipeTrial(recipe, reason)), builder, reason)

    @property
    def failure(self) -> str:
        """Each recipe with its failure; empty if one keeps the budget."""
        if self._kept:
            return ""
        return "; ".join(f"{trial.recipe.name}: {trial.failure}" for trial in self.trials)

    @property
    def best_trial(self) -> RecipeTrial:
        """The cheapest trial that keeps the budget; else the first one with the highest agreement."""
        if self._kept:
            # Of equal times the first: it was thought cheaper.
            return min(self._kept, key=lambda trial: self.measured_ms.get(trial.recipe.name, math.inf))
        return max(self.trials, key=lambda trial: trial.stream.agreement if trial.stream is not None else -1.0)

    @property
    def _kept(self) -> list[RecipeTrial]:
        return [trial for trial in self.trials if not trial.failure]


def try_recipes(
    builder: Builder,
    recipes: Sequence[Recipe],
    examples: Examples,
    budget: Budget,
    progress: Progress,
    *,
    every: bool = False,
    recordings: EventProof | None = None,
) -> Iterator[RecipeTrial]:
    """Try recipes in their order until one keeps the budget.

    Args:
        builder: Builds the bundles.
        recipes: Cheapest first.
        examples: Windows with the trained model's scores.
        budget: What a conversion may cost.
        progress: Notified of each recipe.
        every: Whether to go on after one that keeps the budget.
        recordings: Long recordings that the trained model has watched; None without any.

    Yields:
        The result of each recipe. One that is coarser than a rejected recipe is skipped.

    Raises:
        ConversionError: The only recipe could not be converted.
    """
    reference = measure("float Keras", examples.scores, examples.scores, examples.truth)
    rejected: list[Recipe] = []
    for recipe in recipes:
        finer = next((each for each in rejected if recipe.is_coarser_than(each)), None)
        if finer is not None:
            yield RecipeTrial(recipe, f"skipped: the more precise recipe {finer.name} already failed")
            continue
        progress.step(f"converting to {recipe.name} and proving it on {len(examples.windows)} clips")
        try:
            trial = _prove(builder.build(recipe), recipe, examples, budget, reference)
            trial = _prove_events(trial, budget, recordings)
        except ConversionError as error:
            # With several recipes the next one may convert. With one, its error is the conversion's.
            if len(recipes) == 1:
                raise
            trial = RecipeTrial(recipe, str(error))
        yield trial
        if not trial.failure:
            if every:
                continue
            return
        # A recipe that could not be converted says nothing about a coarser one, which may convert.
        if trial.stream is not None:
            rejected.append(recipe)
        progress.step(f"  {recipe.name} was rejected: {trial.failure}")


def _prove(bundle: Bundle, recipe: Recipe, examples: Examples, budget: Budget, reference: ProofStage) -> RecipeTrial:
    answers = stream_answers(bundle, examples.windows)
    scores = np.stack([each[0] for each, _ in answers])
    stream = measure("bundle, stream", scores, examples.scores, examples.truth)
    window = None
    if bundle.manifest.plan != "stateful":
        expected = window_scores(bundle, examples.windows)
        window = measure("bundle, whole window", expected, examples.scores, examples.truth)
        _check_stream(scores, expected)
    values = _measure_values(bundle, [[column[-1] for column in values] for _, values in answers], examples)
    golden = _golden(bundle)
    if bundle.manifest.is_one_step:
        _check_steps(golden)
    failure = budget.broken(reference, stream) or broken(values, most=budget.max_value_error)
    return RecipeTrial(recipe, failure, replace(bundle, golden=golden), window, stream, scores, latency(bundle), values)


def _check_steps(golden: Golden) -> None:
    """Reject a stream whose answers are not those of its file, run by hand with the states that run on."""
    worst = float(np.abs(golden.scores - golden.float_scores).max())
    # Not to the bit: a table makes the probabilities of logits in int8 in double precision.
    if not worst <= _STEP_TOLERANCE:
        raise VerificationFailed(
            expected="the stream to equal the file run by hand at every step",
            got=worst,
            found=f"a difference of {worst:.3g}",
            hint="No bundle was written.",
        )


def _prove_events(trial: RecipeTrial, budget: Budget, recordings: EventProof | None) -> RecipeTrial:
    # Recordings take minutes, so a bundle that the clips reject does not watch them.
    if recordings is None or trial.failure or trial.bundle is None:
        return trial
    drift = recordings.compare(trial.bundle)
    return replace(trial, events=drift, failure=budget.broken_events(drift))


def _golden(bundle: Bundle) -> Golden:
    """Return the golden vectors with the bundle's own scores."""
    ((scores, auxiliary),) = stream_answers(bundle, [bundle.golden.frames])
    values = np.concatenate(auxiliary, axis=1) if auxiliary else None
    return replace(bundle.golden, scores=scores, engine=LiteRt().name, values=values)


def _measure_values(bundle: Bundle, rows: Sequence[Sequence[Array]], examples: Examples) -> tuple[ValueDrift, ...]:
    columns = [np.stack(column) for column in zip(*rows, strict=True)]
    return tuple(measure_values("bundle, stream", bundle.manifest.values, columns, examples.values))


def _check_stream(streamed: Array, expected: Array) -> None:
    # Equal to the bit, not nearly: both run the same integer kernels, so any difference is a fault of the engine.
    if not np.array_equal(streamed, expected):
        worst = float(np.abs(streamed - expected).max())
        raise VerificationFailed(
            expected="the stream to equal the whole window bit for bit",
            got=worst,
            found=f"a difference of {worst:.3g}",
            hint="No bundle was written.",
        )

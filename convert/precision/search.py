"""Find the cheapest precision that keeps the budget: build, prove, and go on to the next recipe where the proof fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from convert.precision.builder import Builder
from convert.precision.recipes import Recipe
from convert.progress import Progress
from convert.verification.examples import Examples
from convert.verification.latency import FrameLatency, latency
from convert.verification.stages import Budget, ProofStage, measure, stream_answers, window_scores
from convert.verification.value_drift import ValueDrift, broken, measure_values
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.bundle.golden import Golden
from edgevid.errors import ConversionError, VerificationFailed
from edgevid.frames import Array


@dataclass(frozen=True)
class RecipeTrial:
    """One recipe tried.

    Attributes:
        recipe: What was tried.
        failure: Why it does not do, or an empty string.
        bundle: The bundle, with its own golden answers; None where it could not be made.
        window: Stage 3; None for plan "stateful", which keeps no window.
        stream: Stage 4.
        scores: (N, classes), the stream's answers.
        latency: What a new frame costs on this machine.
        values: How far off what is given beside the scores is.
    """

    recipe: Recipe
    failure: str
    bundle: Bundle | None = None
    window: ProofStage | None = None
    stream: ProofStage | None = None
    scores: Array | None = None
    latency: FrameLatency | None = None
    values: tuple[ValueDrift, ...] = ()


@dataclass(frozen=True)
class Search:
    """What came of a search.

    Attributes:
        trials: In the order tried; the last one is good, or none is.
        builder: Holds the parts that were converted.
        stopped_by: What stopped it; empty where it went through all recipes.
    """

    trials: tuple[RecipeTrial, ...]
    builder: Builder
    stopped_by: str = ""

    @classmethod
    def stopped(cls, builder: Builder, trials: Sequence[RecipeTrial], recipe: Recipe, reason: str) -> Search:
        """Give what there is of a search that ended before it had an answer.

        Args:
            builder: Holds the parts that were converted.
            trials: What was tried before.
            recipe: What was to be tried.
            reason: What stopped it.

        Returns:
            These trials, and one without a bundle.
        """
        return cls((*trials, RecipeTrial(recipe, reason)), builder, reason)

    @property
    def failure(self) -> str:
        """Each recipe with its reason, or an empty string where the last one is good."""
        if not self.trials[-1].failure:
            return ""
        return "; ".join(f"{trial.recipe.name}: {trial.failure}" for trial in self.trials)

    @property
    def best_trial(self) -> RecipeTrial:
        """The good trial; where there is none, the first of those that came nearest."""
        if not self.trials[-1].failure:
            return self.trials[-1]
        return max(self.trials, key=lambda trial: trial.stream.agreement if trial.stream is not None else -1.0)


def search(
    builder: Builder,
    recipes: Sequence[Recipe],
    examples: Examples,
    budget: Budget,
    progress: Progress,
    *,
    trials: list[RecipeTrial] | None = None,
) -> Search:
    """Try recipes in their order until one keeps the budget.

    A recipe that is coarser in every part than one whose answers were too far off is passed over.

    Args:
        builder: Makes the bundles.
        recipes: Cheapest first.
        examples: What to hold them against.
        budget: What a conversion may cost.
        progress: Told of each.
        trials: Where to put them; what was tried before an error stays there.

    Returns:
        The trials, and the parts that were converted for them.

    Raises:
        ConversionError: The only recipe could not be converted.
    """
    trials = [] if trials is None else trials
    reference = measure("float Keras", examples.scores, examples.scores, examples.truth)
    for recipe in recipes:
        nearer = next((trial for trial in trials if trial.stream is not None and recipe.coarser(trial.recipe)), None)
        if nearer is not None:
            trials.append(
                RecipeTrial(
                    recipe, f"not tried: {nearer.recipe.name}, which is nearer to the trained model, does not do"
                )
            )
            continue
        progress.step(f"converting to {recipe.name} and proving it on {len(examples.windows)} clips")
        try:
            trial = _prove(builder.build(recipe), recipe, examples, budget, reference)
        except ConversionError as error:
            if len(recipes) == 1:
                raise
            trial = RecipeTrial(recipe, str(error))
        trials.append(trial)
        if not trial.failure:
            break
        progress.step(f"  {recipe.name} does not do: {trial.failure}")
    return Search(tuple(trials), builder)


def _prove(bundle: Bundle, recipe: Recipe, examples: Examples, budget: Budget, reference: ProofStage) -> RecipeTrial:
    streamed = stream_answers(bundle, examples.windows)
    scores = np.stack([answers[0] for answers, _ in streamed])
    stream = measure("bundle, stream", scores, examples.scores, examples.truth)
    window = None
    if bundle.manifest.plan != "stateful":
        anew = window_scores(bundle, examples.windows)
        window = measure("bundle, whole window", anew, examples.scores, examples.truth)
        _check_stream(scores, anew)
    values = _values(bundle, [[column[-1] for column in beside] for _, beside in streamed], examples)
    failure = budget.broken(reference, stream) or broken(values, most=budget.max_value_error)
    return RecipeTrial(
        recipe, failure, replace(bundle, golden=_golden(bundle)), window, stream, scores, latency(bundle), values
    )


def _golden(bundle: Bundle) -> Golden:
    """The golden vectors with this bundle's own answers."""
    (answers,) = stream_answers(bundle, [bundle.golden.frames])
    values = np.concatenate(answers[1], axis=1) if answers[1] else None
    return replace(bundle.golden, scores=answers[0], engine=LiteRt().name, values=values)


def _values(bundle: Bundle, given: Sequence[Sequence[Array]], examples: Examples) -> tuple[ValueDrift, ...]:
    columns = [np.stack(column) for column in zip(*given, strict=True)]
    return tuple(measure_values("bundle, stream", bundle.manifest.values, columns, examples.values))


def _check_stream(streamed: Array, anew: Array) -> None:
    if not np.array_equal(streamed, anew):
        worst = float(np.abs(streamed - anew).max())
        raise VerificationFailed(
            expected="the stream to equal the whole window bit for bit",
            got=worst,
            found=f"a difference of {worst:.3g}",
            hint="No bundle was written.",
        )

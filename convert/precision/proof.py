"""One conversion as an experiment: the float model's answers, its split, and every precision that was tried.

A `Proof` collects what was measured. Where an error ends it, what there is by then still makes a report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from convert.clips import ClipSet
from convert.interface.contract import Contract
from convert.options import CORAL, Options
from convert.precision.builder import Builder, BuildJob, prefetch
from convert.precision.recipes import Recipe, candidates
from convert.precision.search import RecipeTrial, Search, search
from convert.progress import Progress
from convert.quantization.calibration import choose
from convert.quantization.part_converter import PartConverter
from convert.splitting.split import Split
from convert.verification.examples import Examples, file_stage, float_stages, golden_vectors, prepare_examples
from convert.verification.reference_answers import ReferenceAnswers
from convert.verification.stages import Budget, ProofStage, unlike_training
from edgevid.bundle.manifest import Plan, Scores
from edgevid.errors import ConversionError, EdgevidError, VerificationFailed
from edgevid.frames.preprocess import InputSpec


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is converted: the model taken apart, and the clips to prove it on.

    Attributes:
        name: What the bundle is called.
        plan: How frames become scores.
        parts: The model, split.
        clips: The user's clips.
        contract: What the bundle will say of the model.
        reference: Makes the float model, from the parts, the frames and what the scores are.
        recipes: The only precision there is, of a file that is converted already; None for a trained model.
    """

    name: str
    plan: Plan
    parts: Split
    clips: ClipSet
    contract: Contract
    reference: Callable[[Split, InputSpec, Scores], ReferenceAnswers]
    recipes: tuple[Recipe, ...] | None


class Proof:
    """Holds a model's parts against the trained model, and searches for the precision.

    Args:
        subject: What is converted.
        converter: Converts parts, in a process of its own.
        options: How it was asked for.
        progress: Told of each step.

    Attributes:
        job: What is built.
        examples: Windows and float answers.
        budget: What the conversion may cost.
        builder: Makes the bundles.
        stages: Measured so far: float model and float split.
        trials: Precisions tried so far.
        cautions: What a person should know.
    """

    def __init__(self, subject: Subject, converter: PartConverter, options: Options, progress: Progress) -> None:
        parts, clips, contract = subject.parts, subject.clips, subject.contract
        coral = options.delegate == CORAL
        self._subject, self._progress = subject, progress
        self.recipes = subject.recipes or recipes_for(options, subject.plan, parts)
        calibration = choose(clips.clips, contract.window)
        # The converter's process works on the encoder while the float model is asked here.
        precision = self.recipes[0].precision("encoder")
        prefetch(converter, parts, precision=precision, contract=contract, calibration=calibration, edgetpu=coral)
        progress.step(f"asking the float model about {len(clips.clips)} clips")
        self._reference = subject.reference(parts, contract.input, contract.scores)
        self.examples: Examples = prepare_examples(clips, contract, self._reference)
        golden = golden_vectors(clips, contract, self._reference)
        self.job = BuildJob(parts, subject.plan, contract, calibration, converter, subject.name, golden, edgetpu=coral)
        self.budget = Budget(
            max_drop=options.max_drop, min_agreement=options.min_agreement, max_value_error=options.max_value_error
        )
        self.builder = Builder(self.job)
        self.stages: list[ProofStage] = []
        self.trials: list[RecipeTrial] = []
        self.cautions: list[str] = []
        self._stopped_by = ""

    def run(self) -> EdgevidError | None:
        """Measure the stages and try the recipes in their order.

        Returns:
            What stopped the proof: a ConversionError where the only recipe could not be converted, a VerificationFailed where the split is
            another model than the trained one. None where all was measured, good or not.
        """
        try:
            self._measure_stages()
            search(self.builder, self.recipes, self.examples, self.budget, self._progress, trials=self.trials)
        except (ConversionError, VerificationFailed) as error:
            self._stopped_by = str(error)
            return error
        return None

    @property
    def clips(self) -> ClipSet:
        """The clips it is proven on."""
        return self._subject.clips

    @property
    def search(self) -> Search:
        """What came of the search, as far as it came."""
        if self._stopped_by:
            recipe = self.recipes[len(self.trials)]
            return Search.stopped(self.builder, self.trials, recipe, self._stopped_by)
        return Search(tuple(self.trials), self.builder)

    def _measure_stages(self) -> None:
        contract, parts = self._subject.contract, self._subject.parts
        stages: Sequence[ProofStage] | None = file_stage(self.examples) if self._subject.recipes is not None else None
        for stage in stages or float_stages(self._reference, parts, self.examples, contract.values):
            self.stages.append(stage)
        for caution in unlike_training(self.stages[0], len(contract.labels)):
            self.cautions.append(caution)
            self._progress.step(f"  careful: {caution}")


def recipes_for(options: Options, plan: Plan, parts: Split) -> tuple[Recipe, ...]:
    """List the recipes that an option names, cheapest first.

    Args:
        options: Precision and delegate.
        plan: How frames become scores.
        parts: The model, split.

    Returns:
        At least one.

    Raises:
        UsageError: The recipe does not go with the plan.
    """
    count, light = 1 if plan == "stack" else 2, plan == "window" and parts.light_head
    return candidates(options.precision, parts=count, int8_first=options.delegate == CORAL, light_head=light)

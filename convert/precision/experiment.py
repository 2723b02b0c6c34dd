"""One conversion as an experiment: the float model's scores, the float split, and the trial of each recipe.

A `Proof` collects the measurements. If an error stops it, the measurements so far still make a report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from convert.clips import ClipSet
from convert.frameworks.tensorflow_setup import run_graphs_as_they_are
from convert.interface.contract import Contract
from convert.options import CORAL, Options
from convert.precision.builder import Builder, BuildJob, prefetch
from convert.precision.measured import measure_recipes
from convert.precision.recipes import Recipe, candidates
from convert.precision.search import RecipeTrial, Search, try_recipes
from convert.progress import Progress
from convert.quantization.calibration import choose
from convert.quantization.converter_protocol import PartConverter
from convert.splitting.split import Split
from convert.verification.budget import Budget
from convert.verification.event_drift import EventProof
from convert.verification.examples import (
    Examples,
    file_stage,
    float_stages,
    golden_vectors,
    prepare_examples,
    pruned_stages,
)
from convert.verification.reference_answers import ReferenceAnswers
from convert.verification.stages import ProofStage, unlike_training
from edgevid.bundle.manifest import Plan, Scores
from edgevid.errors import ConversionError, EdgevidError, VerificationFailed
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The split model and the clips that prove it.

    Attributes:
        name: The bundle's name.
        plan: How the device runs the model.
        parts: The split model.
        clips: The user's clips.
        contract: Labels, input, window and decision rule of the bundle.
        reference: Creates the float model from the parts, the input and the kind of scores.
        recipes: The only recipe of a file that is already converted; None for a trained model.
        recordings: Long recordings to compare events on; None without any.
        pruned: Creates the pruned float model, whose parts `parts` are; None if nothing was pruned.
    """

    name: str
    plan: Plan
    parts: Split
    clips: ClipSet
    contract: Contract
    reference: Callable[[Split, InputSpec, Scores], ReferenceAnswers]
    recipes: tuple[Recipe, ...] | None
    recordings: EventProof | None = None
    pruned: Callable[[Split, InputSpec, Scores], ReferenceAnswers] | None = None

    @property
    def is_trained_model(self) -> bool:
        """Whether there is a float model, and not only a file that is already converted."""
        return self.recipes is None


class Proof:
    """Compares a model's parts and bundles with the trained model, and searches for the precision.

    Creating it runs the float model on the clips.

    Args:
        subject: The split model and its clips.
        converter: Converts parts in a child process.
        options: The user's options.
        progress: Notified of each step.

    Attributes:
        recipes: The recipes to try, cheapest first.
        job: What the bundles are built from.
        examples: Windows with the float model's scores.
        budget: What the conversion may cost.
        builder: Builds the bundles.
        stages: Stages measured so far, up to the float split.
        trials: Trials finished so far.
        cautions: Warnings for the user.
        measured_ms: Time of a frame by recipe; empty until `measure_times`.
    """

    def __init__(self, subject: Subject, converter: PartConverter, options: Options, progress: Progress) -> None:
        parts, clips, contract = subject.parts, subject.clips, subject.contract
        coral = options.delegate == CORAL
        self._subject, self._progress = subject, progress
        self.recipes = subject.recipes or recipes_for(options, subject.plan, parts)
        calibration = choose(clips.clips, contract.window)
        # Before the float model runs: the child process converts the encoder at the same time.
        precision = self.recipes[0].precision("encoder")
        prefetch(converter, parts, precision=precision, contract=contract, calibration=calibration, edgetpu=coral)
        progress.step(f"running the float model on {len(clips.clips)} clips")
        self._reference = self._make_reference()
        self.examples: Examples = prepare_examples(clips, contract, self._reference)
        golden = golden_vectors(clips, contract, self._reference)
        self.job = BuildJob(parts, subject.plan, contract, calibration, converter, subject.name, golden, edgetpu=coral)
        self.budget = Budget(
            max_drop=options.max_drop,
            min_agreement=options.min_agreement,
            max_value_error=options.max_value_error,
            max_missed_events=options.max_missed_events,
            max_extra_false_per_hour=options.max_extra_false_per_hour,
        )
        self.builder = Builder(self.job)
        self.stages: list[ProofStage] = []
        self.trials: list[RecipeTrial] = []
        self.cautions: list[str] = []
        self.measured_ms: dict[str, float] = {}
        self._measure_on = options.measure_on
        self._stopped_by = ""

    def _make_reference(self) -> ReferenceAnswers:
        subject = self._subject
        # A setting of the whole process, so it is made here and not in `Reference`. Loading and training,
        # which came before, keep the graph optimizer; from here on it costs seconds on the first call of
        # each graph and speeds up none of the few hundred that follow. A `.tflite` file, whose reference
        # is the interpreter, needs no TensorFlow.
        if subject.is_trained_model:
            run_graphs_as_they_are()
        return subject.reference(subject.parts, subject.contract.input, subject.contract.scores)

    def run(self) -> EdgevidError | None:
        """Measure the stages and try the recipes in their order.

        Returns:
            The error that stopped the proof: a ConversionError if the only recipe could not be converted,
            a VerificationFailed if the float split or the stream differs. None if the search ran to its end.
        """
        recordings = self._subject.recordings
        try:
            self._measure_stages()
            if recordings is not None:
                window = self._subject.contract.window.frames
                recordings.watch_trained(partial(self._trained_stream, window=window))
            for trial in try_recipes(
                self.builder,
                self.recipes,
                self.examples,
                self.budget,
                self._progress,
                every=self._measure_on is not None,
                recordings=recordings,
            ):
                self.trials.append(trial)
        except (ConversionError, VerificationFailed) as error:
            self._stopped_by = str(error)
            return error
        return None

    def _trained_stream(self, frames: Array, window: int) -> Array:
        """Return the trained model's scores in a stream."""
        if self._subject.pruned is not None:
            return self._reference.stream_scores(frames, window)
        # By the parts, which the stages have just compared with the model: they encode each frame once.
        return self._reference.split_stream_scores(frames, window)

    @property
    def clips(self) -> ClipSet:
        """The user's clips."""
        return self._subject.clips

    @property
    def search(self) -> Search:
        """The result of the search so far."""
        if self._stopped_by:
            recipe = self.recipes[len(self.trials)]
            return Search.stopped(self.builder, self.trials, recipe, self._stopped_by)
        return Search(tuple(self.trials), self.builder, measured_ms=self.measured_ms)

    def measure_times(self) -> None:
        """Time the recipes that keep the budget, if the user named a machine for it.

        Raises:
            DeployError: The machine cannot be reached, or cannot measure.
        """
        kept = [trial for trial in self.trials if not trial.failure]
        if self._measure_on is not None and len(kept) > 1:
            self.measured_ms = measure_recipes(kept, self._measure_on, self._progress)
            self._progress.step(f"  the fastest within the budget: {self.search.best_trial.recipe.name}")

    def _measure_stages(self) -> None:
        contract, parts = self._subject.contract, self._subject.parts
        if self._subject.pruned is not None:
            pruned = self._subject.pruned(parts, contract.input, contract.scores)
            for stage in pruned_stages(self._reference, pruned, parts, self.examples, self.budget):
                self.stages.append(stage)
        elif self._subject.is_trained_model:
            # Appended one by one: if the float split fails, the report still has both stages.
            for stage in float_stages(self._reference, parts, self.examples, contract.values):
                self.stages.append(stage)
        else:
            self.stages.append(file_stage(self.examples))
        for caution in unlike_training(self.stages[0], len(contract.labels)):
            self.cautions.append(caution)
            self._progress.step(f"  careful: {caution}")


def recipes_for(options: Options, plan: Plan, parts: Split) -> tuple[Recipe, ...]:
    """Return the recipes that the options allow, cheapest first; at least one.

    Raises:
        UsageError: The recipe does not suit the plan or the Edge TPU.
    """
    count = 1 if plan == "stack" else 2
    is_light = plan == "window" and parts.light_head
    return candidates(options.precision, parts=count, int8_first=options.delegate == CORAL, light_head=is_light)

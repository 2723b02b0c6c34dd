"""The path of one model through a stream. Several models on one source have one lane each."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from edgevid.bundle.manifest import Manifest, Window
from edgevid.errors import UsageError
from edgevid.events.decide import Decider, Event
from edgevid.events.repetitions import RepetitionCounter
from edgevid.frames import Array, Frame
from edgevid.frames.cropping import Cropper
from edgevid.frames.motion import MotionGate
from edgevid.frames.preprocess import InputSpec, Preprocessor, SharedPreprocessor
from edgevid.frames.rate_watch import RateWatch
from edgevid.frames.region import Region
from edgevid.frames.sampling import IntervalSampler, describe_short
from edgevid.inference.engine import Engine
from edgevid.keypoints.person import PersonFollower
from edgevid.keypoints.stage import KeypointStage
from edgevid.supervision.pace import Pace
from edgevid.telemetry.telemetry import Telemetry
from edgevid.units import NS_PER_S

_log = logging.getLogger(__name__)


class Lane:
    """One model with its sampler, preprocessor, engine and decider.

    Args:
        engine: The model's engine; no other lane may use it.
        name: Model name in decisions and events; None for the manifest's name.
        telemetry: Counters to write to; None for new ones.
        motion_gate: Share of a frame, 0 to below 1, that must change for the encoder to run again;
            None to encode every frame.

    Raises:
        UsageError: If the model has no encoder over pictures and `motion_gate` is set.

    Attributes:
        name: Model name in decisions and events.
        engine: Runs the model.
        sampler: Picks frames at the training interval.
        preprocessor: Resizes and recolours frames; lanes of equal input share one.
        stage: Finds key points in pictures, in the preprocessor's place; None for a model of pictures or other rows.
        cropper: Cuts the region out of pictures; the lanes of a stream share one. None for whole pictures.
        follower: Cuts a square around a person out of what the cropper leaves; the lanes of a stream share one.
            None to follow nobody.
        decider: Turns scores into events.
        counters: Count repetitions; none unless the run counts.
        telemetry: Latency and counters of this model.
        gate: Detects still frames; None if every frame is encoded.
        stride: The model answers every `stride`-th frame that it takes.
        slowdown: Training intervals between two taken frames; 1 unless the device cannot keep up.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        name: str | None = None,
        telemetry: Telemetry | None = None,
        motion_gate: float | None = None,
    ) -> None:
        manifest = engine.bundle.manifest
        self.name = manifest.name if name is None else name
        self.engine = engine
        self.sampler = IntervalSampler(manifest.window.interval_s)
        self.preprocessor: Preprocessor | SharedPreprocessor | KeypointStage = Preprocessor(manifest.input)
        self.stage: KeypointStage | None = None
        self.cropper: Cropper | None = None
        self.follower: PersonFollower | None = None
        self.decider = Decider(
            manifest.labels, manifest.decision, model=self.name, delay_s=default_delay_s(manifest.window)
        )
        self.counters: tuple[RepetitionCounter, ...] = ()
        self.telemetry = telemetry or Telemetry()
        self.gate = None if motion_gate is None else _motion_gate(manifest, motion_gate)
        self.slowdown = 1
        self.stride = 1
        self._region: Region | None = None
        self._rate = RateWatch()
        self._unanswered = 0
        self._last: Frame | None = None
        self._prepared: Array | None = None

    def find_keypoints(self, stage: KeypointStage) -> None:
        """Make the rows of the model from the key points of pictures.

        Args:
            stage: Finds them; no other lane may use it.
        """
        self.stage = self.preprocessor = stage

    @property
    def sees_pictures(self) -> bool:
        """Whether pictures are of use to the model: as they are, or for their key points."""
        return self.stage is not None or self.engine.bundle.manifest.input.kind == "frames"

    def look_at(self, cropper: Cropper, follower: PersonFollower | None = None) -> None:
        """Let the model see a region, and a person in it, from the next frame on.

        Args:
            cropper: Cuts the region out; the lanes of a stream share one.
            follower: Cuts a square around a person out of the region; None to follow nobody.

        Raises:
            UsageError: There is a region or somebody to follow, and the model sees no pictures; or the
                model is one of key points, which follow the person themselves.
        """
        if follower is not None and self.stage is not None:
            raise UsageError(
                expected="a model of pictures for a person to follow",
                found=f"{self.name!r}, a model of key points, which follow the person",
            )
        if cropper.is_idle and follower is None:
            return
        if not self.sees_pictures:
            raise UsageError(expected="pictures for a region", found=f"{self.name!r}, a model of features")
        self.cropper, self.follower = None if cropper.is_idle else cropper, follower

    def prepare(self, frame: Frame) -> None:
        """Write the part of a frame that the model sees into the engine's input buffer.

        Args:
            frame: A frame of the source.

        Raises:
            ContractError: The model cannot take the frame.
            SourceError: The region does not fit pictures of this size.
            AssetError: The network that finds a person is missing or altered.
        """
        self.preprocessor.write(self.see(frame), self.engine.input_buffer())

    def see(self, frame: Frame) -> Frame:
        """Return the part of a frame that the model sees.

        Args:
            frame: A frame of the source.

        Returns:
            Itself, or a frame that is valid until the next call.

        Raises:
            SourceError: The region does not fit pictures of this size.
            AssetError: The network that finds a person is missing or altered.
        """
        if self.cropper is not None:
            # Before the first frame nobody has asked `has_moved`.
            self._region = self._region or self.cropper.region
            frame = self.cropper.crop(frame, self._region)
        if self.follower is not None:
            frame = self.follower.crop(frame)
        return frame

    def has_moved(self) -> bool:
        """Return whether the region is another one from this frame on."""
        if self.cropper is None or self.cropper.region is self._region:
            return False
        before, self._region = self._region, self.cropper.region
        return before is not None

    def count(self, t_s: float, scores: Sequence[float]) -> Mapping[str, int]:
        """Return the repetitions up to an answer, by what is counted.

        Args:
            t_s: Sensor time of the answer in seconds.
            scores: One probability per class.
        """
        for counter in self.counters:
            counter.update(t_s, scores)
        return {counter.name: counter.count for counter in self.counters}

    def count_savings(self, *, answered: bool, wanted: bool, still: bool) -> None:
        """Count the work skipped for a frame: its answer, its encoder run, and the due frames before it.

        Args:
            answered: Whether there was an answer.
            wanted: Whether there should have been one.
            still: Whether the encoder was skipped.
        """
        telemetry = self.telemetry
        telemetry.unanswered += not (answered or wanted)
        telemetry.still += still
        if self.slowdown > 1:
            telemetry.drops["pace"] = telemetry.drops.get("pace", 0) + self.slowdown - 1

    def keep_last(self, frame: Frame) -> None:
        """Copy the prepared frame, in case the source ends before the first window is full.

        Args:
            frame: The frame in the engine's input buffer; only its time is kept.
        """
        buffer = self.engine.input_buffer()
        if self._prepared is None:
            self._prepared = np.empty_like(buffer)
        np.copyto(self._prepared, buffer)
        self._last = frame

    def fill_window(self, name: str) -> tuple[Frame, list[float]] | None:
        """Repeat the last frame of a clip that is shorter than a window, as training does.

        Args:
            name: The clip, for the warning.

        Returns:
            The last frame, with its time, and the scores of the window. None if the model has
            answered, saw no frame, or restarted its window at a gap.
        """
        taken, frames = self.telemetry.taken, self.engine.bundle.manifest.window.frames
        if self._last is None or self._prepared is None or self.telemetry.decisions or self.sampler.gaps:
            return None
        scores: list[float] | None = None
        for _ in range(taken, frames):
            np.copyto(self.engine.input_buffer(), self._prepared)
            scores = self.engine.advance()
        if scores is None:
            return None
        _log.warning("%s", describe_short(name, taken, frames))
        return self._last, scores

    def keep_pace(self, pace: Pace) -> None:
        """Apply a pace level.

        Args:
            pace: The level. If it changes the time between frames, the next frame begins a new window.
        """
        # A model with a state must run on every frame anyway, so skipping answers saves nothing.
        self.stride = 1 if self.engine.keeps_state else pace.stride
        if pace.slowdown != self.slowdown:
            self.slowdown = pace.slowdown
            self.sampler.slow_down(pace.slowdown)

    def restart(self) -> tuple[Event, ...]:
        """Begin a new window, as after a gap; return the event that ends, if there is one."""
        self.engine.restart()
        if self.gate is not None:
            self.gate.restart()
        if self.stage is not None:
            self.stage.restart()
        if self.follower is not None:
            self.follower.restart()
        ended = self.decider.flush()
        self.decider.slow_down(self.slowdown)
        return ended

    def saw(self, timestamp_ns: int) -> None:
        """Note the first frame of the stream, and after a gap: no event begins before it.

        Args:
            timestamp_ns: Sensor time of a frame that the sampler took.
        """
        if self.decider.began_s is None:
            self.decider.began_s = timestamp_ns / NS_PER_S

    def watch_rate(self, timestamp_ns: int, *, is_late: bool) -> None:
        """Warn when the source begins to deliver too few frames for the model, and when it recovers.

        Args:
            timestamp_ns: Sensor time of a frame that the sampler took.
            is_late: Whether frames were dropped since the start because the loop was too slow.
        """
        telemetry, missed = self.telemetry, self.sampler.missed
        if missed == telemetry.missed and not self._rate.is_slow and telemetry.taken:
            return
        telemetry.missed = missed
        # An overloaded device misses due times too, and the pace levels report it.
        if self._rate.has_changed(timestamp_ns, taken=telemetry.taken, missed=missed) and not is_late:
            telemetry.is_starved = self._rate.is_slow
            found = "too few frames" if self._rate.is_slow else "enough frames again"
            interval_s = self.sampler.interval_ns / NS_PER_S
            _log.warning("%s: the source delivers %s; training had one every %g s.", self.name, found, interval_s)

    def wants_answer(self) -> bool:
        """Count a taken frame; return whether the model answers it."""
        self._unanswered += 1
        if self._unanswered < self.stride:
            return False
        self._unanswered = 0
        return True


def default_delay_s(window: Window) -> float:
    """Return how late a model is taken to answer, where nobody has measured it.

    Args:
        window: The model's window.

    Returns:
        Half of the window in seconds: an answer changes when about half of the window shows the
        new action.
    """
    return window.span_s / 2


def _motion_gate(manifest: Manifest, share: float) -> MotionGate:
    if manifest.plan == "stack":
        raise UsageError(
            expected="a model with an encoder for a motion gate",
            got=manifest.plan,
            found=f"{manifest.name!r}, which runs as a whole (plan 'stack')",
        )
    return MotionGate(manifest.input, lookback=manifest.lookback, share=share)


def as_lanes(models: Engine | Lane | Sequence[Lane]) -> tuple[Lane, ...]:
    """Return the lanes of one or several models; equal inputs share a preprocessor.

    Args:
        models: An engine becomes a lane of its own.

    Raises:
        UsageError: If there is no lane, or two have the same name.
    """
    if isinstance(models, Engine):
        models = Lane(models)
    lanes = (models,) if isinstance(models, Lane) else tuple(models)
    names = [lane.name for lane in lanes]
    if not lanes or len(set(names)) < len(names):
        raise UsageError(expected="at least one model, each with a name of its own", got=names)
    _share_preprocessors(lanes)
    return lanes


def _share_preprocessors(lanes: Iterable[Lane]) -> None:
    by_input: dict[InputSpec, list[Lane]] = {}
    for lane in lanes:
        if lane.stage is not None:
            continue
        # The range does not matter here: pixels get their meaning when they are quantised.
        spec = dataclasses.replace(lane.engine.bundle.manifest.input, range=(0.0, 1.0))
        by_input.setdefault(spec, []).append(lane)
    for spec, group in by_input.items():
        if len(group) > 1:
            shared = SharedPreprocessor(spec)
            for lane in group:
                lane.preprocessor = shared

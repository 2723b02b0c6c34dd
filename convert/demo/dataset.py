"""The rendered data set of the demo: clips for training, validation and test, and one long video.

No two clips share a person, a room or a motion. The seed of a clip consists of the seed of the data
set, the split, the class and the number of the clip.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from convert.demo.annotated_video import CODECS, write_video
from convert.demo.training_clips import plan_moment
from convert.progress import Progress
from edgevid.capture.synthetic import GestureSource
from edgevid.frames import Pixels
from edgevid.synthetic.gestures import BACKGROUND, LABELS, Gesture
from edgevid.synthetic.scene import Renderer, draw_scene

SPLITS = ("train", "validation", "test")
MARKER = "dataset.json"
# Increase it when the same specification renders other pictures.
RENDERER = 1


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """Specification of a data set.

    Attributes:
        train: Number of training clips of each gesture.
        validation: Number of clips of each gesture that decide which epoch is the best.
        test: Number of clips of each gesture for the evaluation and the conversion.
        none_share: Number of clips of "none" for each clip of a gesture. A stream shows "none" most
            of the time, and in the most diverse ways.
        height_px: Height of a frame in pixels.
        width_px: Width of a frame in pixels.
        fps: Frames per second.
        clip_s: Length of a clip in seconds.
        window_s: Time from the first to the last frame of the model's window, in seconds.
        stream_s: Length of the long stream in seconds; 0 for no stream.
        codec: One of `video.CODECS`.
        seed: Seed of everything.
    """

    train: int = 160
    validation: int = 12
    test: int = 20
    none_share: int = 3
    height_px: int = 120
    width_px: int = 160
    fps: float = 20.0
    clip_s: float = 2.0
    window_s: float = 1.5
    stream_s: float = 90.0
    codec: str = "mp4v"
    seed: int = 1

    def clips(self, split: str, label: str) -> int:
        """Return the number of clips in the folder of one class.

        Args:
            split: One of `SPLITS`.
            label: One of `gestures.LABELS`.
        """
        return int(getattr(self, split)) * (self.none_share if label == BACKGROUND else 1)


@dataclass(frozen=True)
class Dataset:
    """A rendered data set.

    Attributes:
        root: Its folder, which contains one folder for each of `SPLITS`.
        spec: Its specification.
    """

    root: Path
    spec: DatasetSpec

    @property
    def stream(self) -> Path:
        """Path of the long video, which no split contains."""
        return self.root / f"stream{CODECS[self.spec.codec]}"

    @property
    def truth(self) -> tuple[Gesture, ...]:
        """Gestures in the long video."""
        return tuple(Gesture(**each) for each in json.loads(self.stream.with_suffix(".json").read_text()))


def write_dataset(root: Path, spec: DatasetSpec, progress: Progress, *, processes: int) -> Dataset:
    """Render a data set, unless it exists already.

    Args:
        root: The folder; created if it is missing. The clips of another data set in it are deleted.
        spec: Specification of the data set.
        progress: Shows the progress of rendering.
        processes: Number of processes that render clips.

    Returns:
        The complete data set.

    Raises:
        SourceError: OpenCV cannot write video files on this machine.
    """
    dataset, marker = Dataset(root, spec), root / MARKER
    key = json.dumps({"renderer": RENDERER, **asdict(spec)}, indent=1)
    if marker.exists() and marker.read_text() == key:
        progress.step(f"using the clips in {root}")
        return dataset
    _clear(root)
    jobs = [
        _ClipJob(root, spec, split, label, index)
        for split in SPLITS
        for label in LABELS
        for index in range(spec.clips(split, label))
    ]
    progress.step(f"rendering {len(jobs)} clips into {root}")
    # Not forked: a fork of a process with the threads of a numeric library may deadlock.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        written = pool.map(_ClipJob.write, jobs, chunksize=8)
        for _job in progress.track(jobs, "rendering clips"):
            next(written)
    if spec.stream_s:
        _write_stream(dataset)
    # Last, so that the marker exists only in a complete data set.
    marker.write_text(key)
    return dataset


def _clear(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / MARKER).unlink(missing_ok=True)
    for split in SPLITS:
        shutil.rmtree(root / split, ignore_errors=True)


@dataclass(frozen=True)
class _ClipJob:
    """A clip to render; it is pickled for the process that renders it."""

    root: Path
    spec: DatasetSpec
    split: str
    label: str
    index: int

    def write(self) -> None:
        spec = self.spec
        path = self.root / self.split / self.label / f"{self.label}_{self.index:04}{CODECS[spec.codec]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, self._frames(), fps=spec.fps, codec=spec.codec)

    def _frames(self) -> Iterator[Pixels]:
        spec = self.spec
        rng = np.random.default_rng((spec.seed, SPLITS.index(self.split), LABELS.index(self.label), self.index))
        scene = draw_scene(rng)
        track = plan_moment(rng, self.label, clip_s=spec.clip_s, window_s=spec.window_s, arm_rad=scene.arm_rad)
        renderer = Renderer(scene, height_px=spec.height_px, width_px=spec.width_px)
        frame: Pixels = np.zeros((spec.height_px, spec.width_px, 3), np.uint8)
        for number in range(round(spec.clip_s * spec.fps)):
            renderer.draw(track.at(number / spec.fps), number / spec.fps, frame)
            # OpenCV writes BGR.
            yield np.ascontiguousarray(frame[:, :, ::-1])


def _write_stream(dataset: Dataset) -> None:
    spec = dataset.spec
    # The seeds of clips are tuples, so the stream never repeats a clip.
    with GestureSource(
        seed=spec.seed, height_px=spec.height_px, width_px=spec.width_px, fps=spec.fps, duration_s=spec.stream_s
    ) as source:
        frames = (np.ascontiguousarray(frame.data[:, :, ::-1]) for frame in source.frames())
        write_video(dataset.stream, frames, fps=spec.fps, codec=spec.codec)
        dataset.stream.with_suffix(".json").write_text(
            json.dumps([asdict(gesture) for gesture in source.truth], indent=1)
        )

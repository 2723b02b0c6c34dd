"""Renders the demo's data set: real video files in class folders, for training, validation and test, and one long unseen stream.

No person, room or motion occurs in two of them: each clip has its own seed, made of the data set's seed, the folder, the class and the clip.
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

from convert.demo.moments import plan_moment
from convert.demo.video import CODECS, write_video
from convert.progress import Progress
from edgevid.capture.synthetic import GestureSource
from edgevid.frames import Pixels
from edgevid.synthetic.gestures import BACKGROUND, LABELS, Gesture
from edgevid.synthetic.scene import Renderer, draw_scene

SPLITS = ("train", "validation", "test")
MARKER = "dataset.json"
# Counts up when the same specification gives other pictures.
RENDERER = 1


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """What to render.

    Attributes:
        train: Clips of each gesture to train on.
        validation: Clips of each gesture to stop training by.
        test: Clips of each gesture to measure and to convert with.
        none_share: Clips of "none" for each clip of a gesture: a stream shows it most of the time, in the most various ways.
        height_px: Rows of a frame.
        width_px: Columns of a frame.
        fps: Frames a second.
        clip_s: Length of a clip.
        window_s: Time from the first to the last frame of the windows that clips are cut for.
        stream_s: Length of the long stream; 0 for none.
        codec: One of `video.CODECS`.
        seed: Draws everything.
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
        """Count the clips of one class folder.

        Args:
            split: One of `SPLITS`.
            label: One of `gestures.LABELS`.

        Returns:
            How many clips it holds.
        """
        return int(getattr(self, split)) * (self.none_share if label == BACKGROUND else 1)


@dataclass(frozen=True)
class Dataset:
    """Where a rendered data set lies.

    Attributes:
        root: Its folder; holds one for each of `SPLITS`.
        spec: What was rendered.
    """

    root: Path
    spec: DatasetSpec

    @property
    def stream(self) -> Path:
        """The long unseen video."""
        return self.root / f"stream{CODECS[self.spec.codec]}"

    @property
    def truth(self) -> tuple[Gesture, ...]:
        """The gestures in the long video."""
        return tuple(Gesture(**each) for each in json.loads(self.stream.with_suffix(".json").read_text()))


def write_dataset(root: Path, spec: DatasetSpec, progress: Progress, *, processes: int) -> Dataset:
    """Render a data set, or find it rendered.

    Args:
        root: Folder to write; made if it is not there. Folders of an earlier, other data set in it are removed.
        spec: What to render.
        progress: Told how far it is.
        processes: Renderers to run side by side.

    Returns:
        The data set, complete.

    Raises:
        SourceError: OpenCV cannot write video files here.
    """
    dataset, marker, key = (
        Dataset(root, spec),
        root / MARKER,
        json.dumps({"renderer": RENDERER, **asdict(spec)}, indent=1),
    )
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
    # Spawned, not forked: a process that has threads of a numeric library must not be forked.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        done = pool.map(_ClipJob.write, jobs, chunksize=8)
        for _job in progress.track(jobs, "rendering clips"):
            next(done)
    if spec.stream_s:
        _write_stream(dataset)
    # Written last, so that its presence means that everything else is there.
    marker.write_text(key)
    return dataset


def _clear(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / MARKER).unlink(missing_ok=True)
    for split in SPLITS:
        shutil.rmtree(root / split, ignore_errors=True)


@dataclass(frozen=True)
class _ClipJob:
    """One clip to render, in another process."""

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
            yield np.ascontiguousarray(frame[:, :, ::-1])


def _write_stream(dataset: Dataset) -> None:
    spec = dataset.spec
    # No clip's seed is a single number, so the stream's is none of theirs.
    with GestureSource(
        seed=spec.seed, height_px=spec.height_px, width_px=spec.width_px, fps=spec.fps, duration_s=spec.stream_s
    ) as source:
        frames = (np.ascontiguousarray(frame.data[:, :, ::-1]) for frame in source.frames())
        write_video(dataset.stream, frames, fps=spec.fps, codec=spec.codec)
        dataset.stream.with_suffix(".json").write_text(
            json.dumps([asdict(gesture) for gesture in source.truth], indent=1)
        )

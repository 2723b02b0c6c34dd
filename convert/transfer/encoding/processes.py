"""Encodes clips in several processes, which share the cache on disk.

A clip's windows and features depend on nothing but the clip, so it does not matter which process encodes it, or when.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from convert.clips import ClipRef
from convert.progress import Progress
from convert.transfer.cache import FeatureCache
from convert.transfer.encoding.clip_reader import ClipReader, open_encoders
from convert.transfer.encoding.interpreter import CompiledEncoder
from convert.transfer.encoding.windows import Way, WindowPlan
from edgevid.bundle.parts import Precision
from edgevid.errors import ClipsError, ContractError, SourceError
from edgevid.frames.preprocess import InputSpec


@dataclass(frozen=True)
class EncodingJob:
    """All that a process needs to encode clips.

    Attributes:
        plans: The windows of each clip, for each precision.
        spec: Input frames of the encoders.
        folder: Folder of the cache.
        compiled: The encoders.
    """

    plans: Mapping[Precision, WindowPlan]
    spec: InputSpec
    folder: Path
    compiled: Mapping[Way, CompiledEncoder]

    def open(self) -> tuple[ClipReader, FeatureCache]:
        """Return a reader and its cache."""
        cache = FeatureCache(self.folder)
        return ClipReader(self.plans, self.spec, cache, open_encoders(self.compiled)), cache


@dataclass(frozen=True)
class EncodedInProcesses:
    """What the processes did.

    Attributes:
        new: Clips that were not whole on disk before.
        damaged: Cached files that were dropped.
    """

    new: frozenset[ClipRef] = frozenset()
    damaged: int = 0


def encode_in_processes(
    job: EncodingJob, clips: Mapping[ClipRef, str], *, workers: int, progress: Progress
) -> EncodedInProcesses:
    """Encode clips into the cache. Those that cannot be read are left out; reading them again says why.

    Args:
        job: What to encode with.
        clips: Clips with the digest of each.
        workers: Number of processes.
        progress: Shows how many clips are done.

    Raises:
        ClipsError: A process ended by itself.
        ModelError: A feature is not a finite number.
        UsageError: The cache cannot be written.
    """
    # Not forked: TensorFlow's threads would be missing in a copy of this process.
    pool = ProcessPoolExecutor(
        min(workers, len(clips)), mp_context=get_context("spawn"), initializer=_open, initargs=(job,)
    )
    try:
        tasks = [(ref, pool.submit(_encode, ref, digest)) for ref, digest in clips.items()]
        done = [(ref, *_result(future)) for ref, future in progress.track(tasks, f"encoding clips, {workers} at once")]
    except BrokenProcessPool as error:
        raise ClipsError(
            expected=f"{workers} processes that encode clips",
            found="one that ended by itself",
            hint="Use fewer --workers if memory is short. A script that trains needs: if __name__ == '__main__'.",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
    return EncodedInProcesses(
        frozenset(ref for ref, is_new, _ in done if is_new), sum(damaged for _, _, damaged in done)
    )


def _result(future: Future[tuple[bool, int]]) -> tuple[bool, int]:
    return future.result()


_opened: list[tuple[ClipReader, FeatureCache]] = []


def _open(job: EncodingJob) -> None:
    _opened.append(job.open())


def _encode(ref: ClipRef, digest: str) -> tuple[bool, int]:
    """Encode a clip in a process of the pool, and return whether it was new and how many damaged files it had."""
    ((reader, cache),) = _opened
    before = cache.damaged
    try:
        is_new = reader.read(ref, digest).is_new
    except (SourceError, ContractError):
        return False, cache.damaged - before
    return is_new, cache.damaged - before

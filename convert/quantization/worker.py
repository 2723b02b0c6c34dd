"""A process of `convert.quantization.worker_main`, which may die of its job: jobs are given to it as they come, and answers taken in their order.

TensorFlow's converter can end its process with a segmentation fault (tensorflow#75140), and so can the interpreter, which aborts on scales that
it cannot represent. The child's death is a diagnosis, not ours. One child serves many jobs, because importing TensorFlow takes longer than most.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevid.errors import ConversionError, ConverterCrashed

_CHUNK_BYTES = 65536


@dataclass(frozen=True)
class WorkerTask:
    """What a child is asked to do.

    Attributes:
        key: What tells it from other jobs.
        what: What it is called in a message.
        order: For the child, see `convert.quantization.worker_main`.
    """

    key: Hashable
    what: str
    order: Mapping[str, Any]


class Child:
    """A child and the jobs that it has.

    Args:
        folder: For its log and whatever it leaves behind when it dies.
        timeout_s: Longest wait for one answer.

    Attributes:
        process: The process; None where there is none.
    """

    def __init__(self, folder: Path, *, timeout_s: float) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._folder, self._timeout_s = folder, timeout_s
        self._unread = b""
        # Given to the child, oldest first; what it has answered and nobody has asked for.
        self._begun: list[WorkerTask] = []
        self._answers: dict[Hashable, dict[str, Any] | ConversionError] = {}

    def start(self) -> None:
        """Start it now, so that it imports TensorFlow while the caller does something else."""
        self.stop()
        log = (self._folder / "child.log").open("a")
        # With -P nothing in the folder that a person happens to be in is imported in place of TensorFlow; our own packages are where this file is.
        paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "convert.quantization.worker_main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            # What it leaves behind when it dies goes with the folder.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "TMPDIR": str(self._folder)},
        )
        log.close()

    def stop(self) -> None:
        """End it, if there is one."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                # A job that the child did not live to read is still in the pipe's buffer.
                with contextlib.suppress(BrokenPipeError):
                    if pipe is not None:
                        pipe.close()
        self.process, self._unread = None, b""

    def has(self, key: Hashable) -> bool:
        """Tell whether a job was given and its answer not yet taken.

        Args:
            key: The job's.

        Returns:
            Whether `wait` gives it.
        """
        return key in self._answers or any(job.key == key for job in self._begun)

    def submit(self, job: WorkerTask) -> None:
        """Give it a job, behind those that it has.

        Args:
            job: The job.
        """
        # One that has died with jobs is found dead when their answers are read; another one now would be given none of them.
        if not self._begun and (self.process is None or self.process.poll() is not None):
            self.start()
        self._begun.append(job)
        self._send(job.order)

    def result(self, key: Hashable) -> dict[str, Any]:
        """Wait for the answer to a job that was given; those to the jobs before it are kept for whoever asks.

        Args:
            key: The job's.

        Returns:
            The answer, with what was ordered.

        Raises:
            ConverterCrashed: The child died of it; another one takes the next job.
            ConversionError: TensorFlow refused it.
        """
        while key not in self._answers:
            self._take_next(key)
        answer = self._answers.pop(key)
        if isinstance(answer, ConversionError):
            raise answer
        return answer

    def _take_next(self, wanted: Hashable) -> None:
        job = self._begun.pop(0)
        try:
            self._answers[job.key] = {**job.order, **self._receive(job.what)}
        except ConverterCrashed as error:
            self._answers[job.key] = error
            # The jobs behind it died with the child; those that are not wanted now may never be.
            behind, self._begun = self._begun, []
            for each in behind:
                if each.key == wanted:
                    self.submit(each)
        except ConversionError as error:
            self._answers[job.key] = error

    def _send(self, order: Mapping[str, Any]) -> None:
        assert self.process is not None and self.process.stdin is not None
        # A child that is gone already is found when its answer is read.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            self.process.stdin.flush()

    def _receive(self, what: str) -> dict[str, Any]:
        line = self._line(what)
        if not line:
            assert self.process is not None
            died = _death(self.process.wait())
            raise ConverterCrashed(
                expected=f"TensorFlow and the interpreter to survive the {what}",
                found=f"a process that {died}",
                hint=self._last_words(),
            )
        answer: dict[str, Any] = json.loads(line)
        if answer["error"]:
            raise ConversionError(expected=f"the TensorFlow converter to take the {what}", found=f"{answer['error']}")
        return answer

    def _line(self, what: str) -> bytes:
        """The next line of an answer, empty where the child is gone. A second one that came with it is kept: no wait on the pipe would tell of it."""
        assert self.process is not None and self.process.stdout is not None
        place = self.process.stdout.fileno()
        while b"\n" not in self._unread:
            ready, _, _ = select.select([place], [], [], self._timeout_s)
            if not ready:
                self.stop()
                raise ConverterCrashed(
                    expected=f"the TensorFlow converter to finish the {what} within {self._timeout_s:.0f} s",
                    found="no answer; it was ended",
                )
            chunk = os.read(place, _CHUNK_BYTES)
            if not chunk:
                return b""
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _last_words(self) -> str:
        lines = (self._folder / "child.log").read_text(errors="replace").strip().splitlines()
        return f"Its last words: {lines[-1][:300]}" if lines else ""


def _death(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

"""The parent's side of the child process `convert.quantization.worker_main`, which may crash on a job.

TensorFlow's converter can end its process with a segmentation fault (tensorflow#75140), and so can the
interpreter, which aborts on scales that it cannot represent. A crash of the child process becomes an error.
One child process serves many jobs, because importing TensorFlow takes longer than most of them.
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
    """A job for the child process.

    Attributes:
        key: Identifies the job and its answer.
        name: The job's name in messages.
        request: JSON for the child process, see `convert.quantization.worker_main`.
    """

    key: Hashable
    name: str
    request: Mapping[str, Any]


class Child:
    """A child process and its jobs. It answers them in the order in which they were submitted.

    Args:
        folder: For the log, and for temporary files that a crash leaves behind.
        timeout_s: Maximum wait for one answer.

    Attributes:
        process: The process; None if there is none.
    """

    def __init__(self, folder: Path, *, timeout_s: float) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._folder, self._timeout_s = folder, timeout_s
        # Bytes received after the last complete line.
        self._unread = b""
        # Submitted jobs without an answer, oldest first.
        self._pending: list[WorkerTask] = []
        # Answers not yet collected by `result`.
        self._answers: dict[Hashable, dict[str, Any] | ConversionError] = {}

    def start(self) -> None:
        """Start the process, which imports TensorFlow while the caller continues."""
        self.stop()
        log = (self._folder / "child.log").open("a")
        # -P keeps the current folder off the path: a `tensorflow.py` there would be imported instead of TensorFlow.
        # This package is then found through PYTHONPATH.
        paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "convert.quantization.worker_main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            # Ctrl-C in the terminal reaches the parent only, which stops the child.
            start_new_session=True,
            # Temporary files of a crashed process are removed with the folder.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "TMPDIR": str(self._folder)},
        )
        log.close()

    def stop(self) -> None:
        """Kill the process if it runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                # Closing flushes: a job that the child did not read is still in the pipe's buffer.
                with contextlib.suppress(BrokenPipeError):
                    if pipe is not None:
                        pipe.close()
        self.process, self._unread = None, b""

    def has(self, key: Hashable) -> bool:
        """Return whether a job was submitted and its answer not yet collected by `result`."""
        return key in self._answers or any(task.key == key for task in self._pending)

    def submit(self, task: WorkerTask) -> None:
        """Send a job to the process; start a new process if it has ended."""
        # Don't restart while jobs are pending: `_receive` detects the crash and resubmits them. A process started
        # here would never see them.
        if not self._pending and (self.process is None or self.process.poll() is not None):
            self.start()
        self._pending.append(task)
        self._send(task.request)

    def result(self, key: Hashable) -> dict[str, Any]:
        """Wait for the answer to a submitted job. Answers to earlier jobs are stored for their own callers.

        Args:
            key: The key of the job.

        Returns:
            The answer, merged with the request.

        Raises:
            ConverterCrashed: The process crashed on the job, or did not answer in time.
            ConversionError: The job failed.
        """
        while key not in self._answers:
            self._receive_next(key)
        answer = self._answers.pop(key)
        if isinstance(answer, ConversionError):
            raise answer
        return answer

    def _receive_next(self, wanted: Hashable) -> None:
        task = self._pending.pop(0)
        try:
            self._answers[task.key] = {**task.request, **self._receive(task.name)}
        except ConverterCrashed as error:
            self._answers[task.key] = error
            # The jobs behind it are lost with the process. Only the wanted one is submitted again:
            # nobody may ever collect the others.
            lost, self._pending = self._pending, []
            for each in lost:
                if each.key == wanted:
                    self.submit(each)
        except ConversionError as error:
            self._answers[task.key] = error

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self.process is not None and self.process.stdin is not None
        # If the process has ended, `_receive` reports it.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()

    def _receive(self, name: str) -> dict[str, Any]:
        line = self._read_line(name)
        if not line:
            assert self.process is not None
            raise ConverterCrashed(
                expected=f"TensorFlow and the interpreter to survive the {name}",
                found=f"a process that {_ending(self.process.wait())}{self._last_log_line()}",
            )
        answer: dict[str, Any] = json.loads(line)
        if answer["error"]:
            raise ConversionError(expected=f"the TensorFlow converter to accept the {name}", found=str(answer["error"]))
        return answer

    def _read_line(self, name: str) -> bytes:
        """Return the next line; empty if the process has ended."""
        assert self.process is not None and self.process.stdout is not None
        pipe = self.process.stdout.fileno()
        # Read from the descriptor: in the file object's buffer, a second line would be invisible to `select`.
        while b"\n" not in self._unread:
            ready, _, _ = select.select([pipe], [], [], self._timeout_s)
            if not ready:
                self.stop()
                raise ConverterCrashed(
                    expected=f"the TensorFlow converter to finish the {name} within {self._timeout_s:.0f} s",
                    found="no answer; it was stopped",
                )
            chunk = os.read(pipe, _CHUNK_BYTES)
            if not chunk:
                return b""
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _last_log_line(self) -> str:
        lines = (self._folder / "child.log").read_text(errors="replace").strip().splitlines()
        return f" (last line of its log: {lines[-1][:300]})" if lines else ""


def _ending(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

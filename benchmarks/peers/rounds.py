"""Runs peers in rounds: in each, every peer once, in random order, in a fresh process on one core."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers.catalog import Peer
from benchmarks.peers.chores import last_line
from benchmarks.peers.environments import Environments

RUN = Path(__file__).resolve().parent / "workers" / "run.py"
_LONGEST_S = 300


@dataclass
class Runs:
    """What the processes of one peer reported.

    Attributes:
        wall_us: Median of each round, by round.
        cpu_us: Median of each round, by round; all threads of the process count.
        start_ms: From the start of the process to the first decision.
        peak_mib: Peak of the resident memory.
        answers: Scores of the last round, one row for each window of the stream.
        bytes: Size of the peer's files.
        reason: Why it could not run; empty if it did.
    """

    wall_us: dict[int, float] = field(default_factory=dict)
    cpu_us: dict[int, float] = field(default_factory=dict)
    start_ms: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)
    answers: list[list[float]] = field(default_factory=list)
    bytes: int = 0
    reason: str = ""

    def add(self, number: int, report: dict[str, Any]) -> None:
        """Add what one process reported."""
        self.wall_us[number] = statistics.median(report["wall_us"])
        self.cpu_us[number] = report["cpu_us"]
        self.peak_mib.append(report["peak_mib"])
        self.answers = report["answers"]
        if report["start_ms"] is not None:
            self.start_ms.append(report["start_ms"])


@dataclass(frozen=True)
class Limits:
    """How long to measure.

    Attributes:
        rounds: Number of rounds.
        slow_rounds: Rounds of the peers that take seconds to start.
        seconds: Time of a process on the stream, after it answered all of it once.
        most: Decisions of a process.
    """

    rounds: int = 5
    slow_rounds: int = 2
    seconds: float = 0.3
    most: int = 2000


def measure(
    peers: Sequence[Peer],
    folder: Path,
    *,
    window: int,
    environments: Environments,
    limits: Limits,
    root: Path,
    color: str = "rgb",
) -> dict[str, Runs]:
    """Measure the peers on one model.

    Args:
        peers: The peers.
        folder: Folder of the model.
        window: Frames of its window.
        environments: The interpreters.
        limits: How long.
        root: Root of the repository, which edgevid is imported from.
        color: Order of the channels of the frames.

    Returns:
        The reports by the peer's name.
    """
    found = {peer.name: Runs() for peer in peers}
    jobs = {}
    for peer in peers:
        try:
            files = peer.found(folder)
        except FileNotFoundError as missing:
            found[peer.name].reason = str(missing)
            continue
        found[peer.name].bytes = sum(Path(path).stat().st_size for path in files.values())
        jobs[peer.name] = _job(peer, files, folder, window=window, limits=limits) | {"color": color}
    order = random.Random(0)
    for number in range(limits.rounds):
        turn = [peer for peer in peers if peer.name in jobs and (not peer.slow or number < limits.slow_rounds)]
        order.shuffle(turn)
        for peer in turn:
            runs = found[peer.name]
            if not runs.reason:
                _one(peer, jobs[peer.name], runs, number=number, environments=environments, root=root)
    return found


def _job(peer: Peer, files: dict[str, str], folder: Path, *, window: int, limits: Limits) -> dict[str, Any]:
    return {
        "worker": peer.worker, "kind": peer.kind, "files": files, "window": window,
        "stream": str(folder / "stream.npy"), "seconds": limits.seconds, "most": limits.most,
        "core": max(os.sched_getaffinity(0)),
    }  # fmt: skip


def _one(peer: Peer, job: dict[str, Any], runs: Runs, *, number: int, environments: Environments, root: Path) -> None:
    """Run one process of a peer, and add its report or the reason of its failure."""
    python = environments.python(peer.environment)
    if python is None:
        runs.reason = environments.reasons[peer.environment]
        return
    with tempfile.NamedTemporaryFile("w", suffix=".json") as given:
        json.dump(job, given)
        given.flush()
        command = [str(python), str(RUN), given.name, str(time.monotonic_ns())]
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=_LONGEST_S,
                env=os.environ | {"PYTHONPATH": str(root) if peer.environment == "edgevid" else ""},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            runs.reason = f"it took more than {_LONGEST_S} s"
            return
    if done.returncode:
        ended = f"it ended with status {done.returncode}"
        runs.reason = ended if done.returncode < 0 else last_line(done.stderr) or ended
        sys.stderr.write(f"   {peer.name}: {runs.reason}\n")
        return
    runs.add(number, json.loads(done.stdout.splitlines()[-1]))

"""One process that plays the suite's stream to a bundle.

`python -m edgevid.bench.reference.stream_worker` reads a task as JSON from standard input, and prints its report as
JSON.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, process_time
from typing import Any

from edgevid.bench.fresh_process import answer
from edgevid.bench.measuring.loop import Punctuality
from edgevid.bench.reference.score import Detection, StreamScore, score
from edgevid.events.decide import Event
from edgevid.frames import Frame
from edgevid.outputs.output import QuietOutput
from edgevid.units import NS_PER_S


@dataclass(frozen=True, kw_only=True)
class StreamTask:
    """What to play.

    Attributes:
        bundle: The bundle's file.
        threads: Interpreter threads.
        person_s: Time of each person in the stream.
    """

    bundle: str
    threads: int
    person_s: float


@dataclass(frozen=True, kw_only=True)
class StreamReport:
    """What was found.

    Attributes:
        score: Events against the truth.
        took_s: Time of the stream.
        due: Frames that were due.
        late: Of these, answered late or never.
        duty: Processor time of all threads by elapsed time.
    """

    score: StreamScore
    took_s: float
    due: int
    late: int
    duty: float


class _Announcements(QuietOutput):
    """Notes when each event is announced, by the time since the first frame was due."""

    def __init__(self) -> None:
        self.detections: list[Detection] = []
        self._began_s: float | None = None

    def saw(self, frame: Frame) -> None:
        """Note the due time of the first frame."""
        if self._began_s is None:
            self._began_s = frame.timestamp_ns / NS_PER_S

    def started(self, event: Event) -> None:
        """Note an event."""
        assert self._began_s is not None
        self.detections.append(Detection(label=event.label, at_s=monotonic() - self._began_s))


def play(task: StreamTask) -> StreamReport:
    """Play the stream at its own pace.

    Raises:
        EdgevidError: The bundle cannot be loaded or fails its self-test.
    """
    from edgevid import bundle as bundles
    from edgevid.api.engines import open_engine
    from edgevid.bench.reference.film import render
    from edgevid.capture.paced import PacedSource
    from edgevid.inference.selftest import selftest
    from edgevid.pipeline import Pipeline

    bundle = bundles.read(Path(task.bundle))
    engine = open_engine(bundle, threads=task.threads)
    selftest(engine)
    with tempfile.TemporaryDirectory(prefix="edgevid-reference-") as folder:
        film, truth = render(bundle.manifest, Path(folder) / "frames.raw", person_s=task.person_s)
        announced, punctual = _Announcements(), Punctuality(bundle.manifest.window.interval_s)
        began_s, cpu_s = monotonic(), process_time()
        with PacedSource(film) as source:
            Pipeline(engine, source, [punctual, announced], taps=[announced]).run()
        took_s, cpu_s = monotonic() - began_s, process_time() - cpu_s
    return StreamReport(
        score=score(truth, announced.detections),
        took_s=round(took_s, 3),
        due=punctual.due,
        late=punctual.misses,
        duty=round(cpu_s / took_s, 4),
    )


def _played(data: dict[str, Any]) -> StreamReport:
    return play(StreamTask(**data))


if __name__ == "__main__":
    sys.exit(answer(_played))

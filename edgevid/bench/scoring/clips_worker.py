"""One process that classifies labelled clips.

`python -m edgevid.bench.scoring.clips_worker` reads a task as JSON from standard input, and prints its report as
JSON.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevid.bench.fresh_process import answer


@dataclass(frozen=True, kw_only=True)
class ClipsTask:
    """What to classify, and how.

    Attributes:
        bundle: The bundle's file.
        threads: Interpreter threads.
        delegate: As for `--delegate`.
        clips: Path and true label of each clip.
    """

    bundle: str
    threads: int
    delegate: str
    clips: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class ClipsReport:
    """What was found.

    Attributes:
        correct: Clips whose highest score is that of their label.
        sha256: Hash of the bundle.
        interpreter: What ran the parts at the end.
        threads: Interpreter threads.
    """

    correct: int
    sha256: str
    interpreter: str
    threads: int


def score(task: ClipsTask) -> ClipsReport:
    """Classify each clip by the window in its middle, as `edgevid evaluate` does.

    Raises:
        EdgevidError: The bundle cannot be loaded, or a clip cannot be read.
    """
    import hashlib

    from edgevid import bundle as bundles
    from edgevid.api.clip import classify
    from edgevid.api.engines import open_engine
    from edgevid.capture.open import open_source
    from edgevid.lane import Lane

    path = Path(task.bundle)
    bundle = bundles.read(path)
    engine = open_engine(bundle, threads=task.threads, delegate=task.delegate)
    lane, manifest, correct = Lane(engine), bundle.manifest, 0
    for clip, label in task.clips:
        decision = classify(lane, lambda clip=clip: open_source(clip, manifest))  # type: ignore[misc]
        correct += manifest.labels[int(np.argmax(decision.probabilities))] == label
    return ClipsReport(
        correct=correct,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        interpreter=engine.interpreter,
        threads=engine.threads,
    )


def _scored(data: dict[str, Any]) -> ClipsReport:
    return score(ClipsTask(**{**data, "clips": tuple(map(tuple, data["clips"]))}))


if __name__ == "__main__":
    sys.exit(answer(_scored))

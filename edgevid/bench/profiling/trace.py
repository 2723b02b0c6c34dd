"""A profile as a trace that https://ui.perfetto.dev opens.

Source of the format: "Trace Event Format", complete events ("ph": "X"), times in microseconds.
"""

from __future__ import annotations

import json
from typing import Any

from edgevid.bench.profiling.profile import Profile

_US_PER_MS = 1000.0


def as_trace(profile: Profile, name: str) -> str:
    """Return the operators one after the other, as one frame would run them.

    Args:
        profile: The profile.
        name: Of the bundle.
    """
    events: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", "pid": 1, "args": {"name": f"{name}, one frame ({profile.interpreter})"}}
    ]
    at_us = 0.0
    for each in profile.operators:
        # A difference of two medians may be below 0, and a trace knows no such time.
        took_us = max(0.0, each.ms.value) * _US_PER_MS
        events.append(
            {
                "name": each.kind,
                "cat": each.role,
                "ph": "X",
                "pid": 1,
                "tid": 1,
                "ts": round(at_us, 3),
                "dur": round(took_us, 3),
                "args": {"part": each.role, "place": each.place, "output": each.output},
            }
        )
        at_us += took_us
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}, indent=1) + "\n"

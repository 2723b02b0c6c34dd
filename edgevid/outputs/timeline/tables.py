"""The events of a run as a table, as SubRip and as WebVTT."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from edgevid.events.decide import Event
from edgevid.outputs.timeline.clock import cue_time

# The first four are those of a truth of recordings.
COLUMNS = ("path", "label", "start_s", "end_s", "announced_s", "score", "model")
_DIGITS = 3
# Shorter cues are not seen, and WebVTT rejects empty ones.
LEAST_CUE_S = 0.5


def csv_text(events: Sequence[Event], *, path: str) -> str:
    """Return the events as CSV, one a row, under `COLUMNS`.

    Args:
        events: In the order of the rows.
        path: Content of the first column: the recording's file name.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for event in events:
        numbers = (event.start_s, event.end_s, event.announced_s, event.score)
        start, end, announced, score = (repr(round(number, _DIGITS)) for number in numbers)
        writer.writerow((path, event.label, start, end, announced, score, event.model))
    return text.getvalue()


def srt_text(events: Sequence[Event], *, several: bool) -> str:
    """Return the events as SubRip, one cue each.

    Args:
        events: In the order of their starts.
        several: Whether several models ran; each cue then names its model.
    """
    cues = (
        f"{number}\n{_times(event, ',')}\n{_words(event, several)}\n" for number, event in enumerate(events, start=1)
    )
    return "\n".join(cues)


def vtt_text(events: Sequence[Event], *, several: bool) -> str:
    """Return the events as WebVTT, one cue each.

    Args:
        events: In the order of their starts.
        several: Whether several models ran; each cue then names its model.
    """
    cues = (f"{_times(event, '.')}\n{_escape(_words(event, several))}\n" for event in events)
    return "\n".join(["WEBVTT\n", *cues])


def _times(event: Event, point: str) -> str:
    end_s = max(event.end_s, event.start_s + LEAST_CUE_S)
    return f"{cue_time(event.start_s, point=point)} --> {cue_time(end_s, point=point)}"


def _words(event: Event, several: bool) -> str:
    # An empty line would end the cue.
    label = " ".join(event.label.split())
    return f"{f'{event.model}: ' if several else ''}{label} {event.score:.2f}"


def _escape(text: str) -> str:
    # WebVTT, section 3.2: a cue's text may contain neither & nor <, and no arrow.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

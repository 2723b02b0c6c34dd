"""The timeline of a run as one self-contained HTML page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from edgevid.events.decide import Event
from edgevid.outputs.timeline.clock import clock_text
from edgevid.outputs.timeline.colors import label_colors
from edgevid.outputs.timeline.shots import Shots, assets_html, shots_html, static, video_address
from edgevid.outputs.timeline.sketch import ScoreSketch
from edgevid.outputs.timeline.strip import Mark, Strip, legend_html, shown_colors, strip_html

# A page with more is slow on a phone.
MOST_CARDS = 1000
_LABELS_NAMED = 8


@dataclass(frozen=True, kw_only=True)
class TimelineModel:
    """What the timeline of a run needs to know of a model.

    Attributes:
        name: Its name, unique in the run.
        labels: Its classes, in the order of the scores.
        background: Labels that are never events.
    """

    name: str
    labels: tuple[str, ...]
    background: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SeenRun:
    """What a run saw.

    Attributes:
        source: The source, a path or another name.
        first_s: Time of its first frame in seconds.
        last_s: Time of its last frame.
        models: The models.
        sketches: The scores of each model by its name.
        events: The events of all models, ordered by start.
        pictures: JPEGs of some events, by their place in `events`.
    """

    source: str
    first_s: float
    last_s: float
    models: Sequence[TimelineModel]
    sketches: Mapping[str, ScoreSketch]
    events: Sequence[Event]
    pictures: Mapping[int, Sequence[bytes]]


def page_html(run: SeenRun, page: Path) -> str:
    """Return the page.

    Args:
        run: What was seen.
        page: Where it will be, for the address of the video.
    """
    video, name = video_address(run.source, page), Path(run.source).name
    marks = [_mark(event, f"e{index}" if index in run.pictures else "") for index, event in enumerate(run.events)]
    return Template(static("page.html")).substitute(
        title=escape(name),
        verdict=escape(_verdict(run)),
        facts=escape(_facts(run, video)),
        sections="".join(_section(run, model, marks, video) for model in run.models),
        events=_cards(run, marks, video),
        assets=assets_html(),
    )


def _mark(event: Event, shots: str) -> Mark:
    return Mark(
        label=event.label,
        start_s=event.start_s,
        end_s=event.end_s,
        kind="event",
        text=event_text(event),
        shots=shots,
    )


def event_text(event: Event) -> str:
    """Describe an event, such as "wave 0:03.1 to 0:04.9, score 0.93"."""
    start, end = clock_text(event.start_s, decimals=1), clock_text(event.end_s, decimals=1)
    return f"{event.label} {start} to {end}, score {event.score:.2f}"


def _verdict(run: SeenRun) -> str:
    count, length = len(run.events), clock_text(run.last_s - run.first_s)
    counted = Counter(event.label for event in run.events).most_common()
    kinds = ", ".join(f"{number} {label}" for label, number in counted[:_LABELS_NAMED])
    more = " and others" if len(counted) > _LABELS_NAMED else ""
    return f"{count} event{'' if count == 1 else 's'} in {length}{f': {kinds}{more}' if count else ''}."


def _facts(run: SeenRun, video: str) -> str:
    names = ", ".join(model.name for model in run.models)
    step_s = max(run.sketches[model.name].step_s for model in run.models)
    play = "Click on an event or on a place in time to play it. " if video else ""
    return f"Seen by {names}. {play}A curve shows the highest score in each {step_s:g} s, not smoothed."


def _section(run: SeenRun, model: TimelineModel, marks: Sequence[Mark], video: str) -> str:
    colors = label_colors(model.labels, model.background)
    own = [mark for mark, event in zip(marks, run.events, strict=True) if event.model == model.name]
    strip = Strip(
        name=Path(run.source).name,
        title=model.name,
        start_s=run.first_s,
        end_s=run.last_s,
        lanes={"events": own},
        curves=run.sketches[model.name],
        colors=colors,
        background=model.background,
        video=video,
    )
    return f"<section>\n{strip_html(strip)}{legend_html(shown_colors(strip))}</section>\n"


def _cards(run: SeenRun, marks: Sequence[Mark], video: str) -> str:
    if not marks:
        return '<p class="soft">None.</p>'
    several = len(run.models) > 1
    shots = [
        Shots(mark=mark, video=video, name=Path(run.source).name, pictures=run.pictures.get(index, ()))
        for index, mark in enumerate(marks[:MOST_CARDS])
    ]
    notes = []
    if len(marks) > MOST_CARDS:
        notes.append(f"The first {MOST_CARDS} of {len(marks)}; a .csv file has all of them.")
    if run.pictures and len(run.pictures) < len(marks):
        notes.append(f"The {len(run.pictures)} with the highest scores have pictures.")
    if several:
        notes.append("Those of all models.")
    return f'<p class="soft">{escape(" ".join(notes))}</p>\n{shots_html(shots)}' if notes else shots_html(shots)

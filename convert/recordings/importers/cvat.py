"""XML of CVAT, version 1.1, for videos and for images.

For videos: a track has a shape for each frame in which its object is seen, and one with `outside="1"`
where it leaves. For images: a tag holds for one frame; a run of frames with one tag is an event. Frame
numbers are those of the video, also in a task with a start frame or a step.

Source: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/,
https://docs.cvat.ai/docs/manual/advanced/xml_format/, `abs_frame_id` in
https://github.com/cvat-ai/cvat, cvat/apps/dataset_manager/bindings.py
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from convert.recordings.importers.options import ImportOptions
from convert.recordings.importers.safe_xml import read_xml
from convert.recordings.marks import Mark, Marks
from convert.recordings.streams import StreamFolder
from edgevid.capture.video_files import VideoFile
from edgevid.errors import SourceError, TruthError
from edgevid.units import NS_PER_S

EXPECTED = "annotations of CVAT 1.1"
_STEP = re.compile(r"step\s*=\s*([1-9][0-9]*)")
# First and last frame of an event, the last one inclusive.
Run = tuple[int, int]


def read_cvat(path: Path, streams: StreamFolder, options: ImportOptions) -> Marks:
    """Read the marks of annotations of CVAT. Their video is decoded once, for the times of its frames.

    Args:
        path: The XML file.
        streams: The folder of the video that it names.
        options: Names the attribute whose values are labels, if the labels are not.

    Raises:
        TruthError: The file cannot be read, is of several videos, or names frames beyond its video.
    """
    document = read_xml(path, root="annotations", expected=EXPECTED)
    video, step = _video(document, path, streams), _step(document)
    runs = [
        *_of_tracks(document.findall("track"), step, options.attribute, path),
        *_of_tags(document.findall("image"), step, options.attribute, path),
    ]
    if not runs:
        return Marks([Mark(video=video, origin=path.name)])
    times_s = _times_s(video)
    marks = []
    for label, (first, last), origin in runs:
        if last + 1 >= len(times_s):
            expected = f"frames 0 to {len(times_s) - 2} of {video}"
            raise TruthError(expected=expected, found=f"frame {last} in {origin}", path=path)
        marks.append(Mark(video=video, label=label, start_s=times_s[first], end_s=times_s[last + 1], origin=origin))
    return Marks(marks)


def _video(document: Element, path: Path, streams: StreamFolder) -> Path:
    sources = [each.text.strip() for each in document.iter("source") if each.text and each.text.strip()]
    # Exports of single jobs have no source, but the name of the file.
    names = sorted(set(sources)) or [path.stem]
    if len(names) > 1:
        hint = "Export each task on its own."
        raise TruthError(expected=f"one video in {path}", found=" and ".join(names), hint=hint, path=path)
    return streams.require(names[0], path.name)


def _step(document: Element) -> int:
    found = _STEP.search(
        document.findtext("meta/task/frame_filter") or document.findtext("meta/job/frame_filter") or ""
    )
    return int(found[1]) if found else 1


def _of_tracks(tracks: Iterable[Element], step: int, attribute: str, path: Path) -> Iterator[tuple[str, Run, str]]:
    for track in tracks:
        origin = f"track {track.get('id')} of {path.name}"
        states = sorted(
            (_frame(shape, origin, path), _state(track, shape, attribute)) for shape in track if shape.get("frame")
        )
        yield from ((label, run, origin) for label, run in _runs(states, step, has_gaps=False))


def _of_tags(images: Iterable[Element], step: int, attribute: str, path: Path) -> Iterator[tuple[str, Run, str]]:
    frames: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for image in images:
        origin = f"image {image.get('id')} of {path.name}"
        for tag in image.findall("tag"):
            label = _state(tag, tag, attribute)
            if label:
                frames[label].append((_frame(image, origin, path, name="id"), label))
    for label, states in frames.items():
        yield from (
            (label, run, f"the tags {label!r} of {path.name}") for _, run in _runs(sorted(states), step, has_gaps=True)
        )


def _runs(states: Sequence[tuple[int, str]], step: int, *, has_gaps: bool) -> Iterator[tuple[str, Run]]:
    """Yield the runs of frames with one label.

    Args:
        states: Frames in order, each with its label, or "" where there is none.
        step: Frames of the video between two frames of the task.
        has_gaps: Whether a frame that is not listed has no label. Otherwise it has that of the one
            before it: CVAT may leave out what it interpolates.
    """
    label, first, last = "", 0, 0
    for frame, state in states:
        if label and (state != label or (has_gaps and frame > last + 1)):
            yield label, (first, last if has_gaps else frame - 1)
            label = ""
        if state and not label:
            label, first = state, frame
        last = frame + step - 1
    if label:
        yield label, (first, last)


def _state(owner: Element, shape: Element, attribute: str) -> str:
    """Return the label of a shape or tag, or "" for none."""
    if shape.get("outside") == "1":
        return ""
    if not attribute:
        return owner.get("label", "")
    values = {
        each.get("name"): (each.text or "").strip()
        for each in (*owner.findall("attribute"), *shape.findall("attribute"))
    }
    return values.get(attribute, "")


def _frame(element: Element, origin: str, path: Path, *, name: str = "frame") -> int:
    text = element.get(name, "")
    if not text.isascii() or not text.isdigit():
        raise TruthError(expected=f"a frame number in {origin}", got=text, path=path)
    return int(text)


def _times_s(video: Path) -> list[float]:
    """Return the time of each frame, and the end of the last one."""
    try:
        with VideoFile(video) as source:
            times_ns = list(source.times_ns())
    except SourceError as error:
        raise TruthError(str(error), path=video) from error
    usual_ns = (times_ns[-1] - times_ns[0]) / (len(times_ns) - 1) if len(times_ns) > 1 else 0.0
    return [round(time_ns / NS_PER_S, 6) for time_ns in (*times_ns, times_ns[-1] + usual_ns)]

"""Annotation files of ELAN, `.eaf`, versions 2.7 to 3.0.

An annotation of an aligned tier names two slots of the time order; one of a dependent tier names the
annotation that it belongs to. Times are milliseconds. A video with an offset (TIME_ORIGIN) is
rejected: its times are not those of the annotations.

pympi-ling reads these files too. It has had no release since 2021, ignores the offset of the media,
and hands its file to a parser that expands entities.

Source: ELAN Annotation Format, https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from convert.recordings.importers.options import ImportOptions
from convert.recordings.importers.safe_xml import read_xml
from convert.recordings.marks import Mark, Marks
from convert.recordings.streams import StreamFolder
from edgevid.capture.video.containers import VIDEO_SUFFIXES
from edgevid.errors import TruthError, UsageError

EXPECTED = "an annotation file of ELAN"
_MS_PER_S = 1000


def read_elan(path: Path, streams: StreamFolder, options: ImportOptions) -> Marks:
    """Read the marks of an annotation file of ELAN.

    Args:
        path: The `.eaf` file.
        streams: The folder of the video that it names.
        options: Names the tiers, where several have annotations.

    Raises:
        TruthError: The file cannot be read, its video is not there, or an annotation has no times.
        UsageError: A tier is not in the file, or has to be named.
    """
    document = read_xml(path, root="ANNOTATION_DOCUMENT", expected=EXPECTED)
    video = _video(document, path, streams)
    units = _attribute(document.find("HEADER"), "TIME_UNITS", "milliseconds")
    if units != "milliseconds":
        raise TruthError(expected=f"times in milliseconds in {path}", got=units, path=path)
    times = _Times(document, path)
    marks = [mark for tier in _tiers(document, path, options) for mark in _marks(tier, times, video, path.name)]
    return Marks(marks or [Mark(video=video, origin=path.name)])


class _Times:
    """The times of the annotations of a document."""

    def __init__(self, document: Element, path: Path) -> None:
        self._path = path
        self._slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in document.iter("TIME_SLOT")}
        self._annotations = {
            each.get("ANNOTATION_ID"): each
            for name in ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION")
            for each in document.iter(name)
        }

    def of(self, annotation: Element, origin: str) -> tuple[float, float]:
        """Return start and end of an annotation in milliseconds."""
        seen: set[str | None] = set()
        while annotation.tag == "REF_ANNOTATION":
            reference = annotation.get("ANNOTATION_REF")
            if reference in seen or reference not in self._annotations:
                raise TruthError(
                    expected="an annotation to refer to", found=f"{reference!r} in {origin}", path=self._path
                )
            seen.add(reference)
            annotation = self._annotations[reference]
        return self._slot(annotation, "TIME_SLOT_REF1", origin), self._slot(annotation, "TIME_SLOT_REF2", origin)

    def _slot(self, annotation: Element, reference: str, origin: str) -> float:
        value = self._slots.get(annotation.get(reference))
        try:
            return float(value or "")
        except ValueError:
            raise TruthError(
                expected="a time for the begin and the end of each annotation",
                found=f"{value!r} in {origin}",
                hint="Align the annotation in ELAN.",
                path=self._path,
            ) from None


def _video(document: Element, path: Path, streams: StreamFolder) -> Path:
    media = [
        (unquote(each.get("RELATIVE_MEDIA_URL") or each.get("MEDIA_URL") or ""), each.get("TIME_ORIGIN", "0"))
        for each in document.iter("MEDIA_DESCRIPTOR")
    ]
    videos = [(name, offset) for name, offset in media if Path(name).suffix.lower() in VIDEO_SUFFIXES]
    if len(videos) > 1:
        # Two views of one scene, each with truth of its own.
        there = [each for each in videos if streams.find(each[0], path.name) is not None]
        names = " and ".join(name for name, _ in there)
        TruthError.unless(len(there) < 2, expected=f"one video of {path.name} in {streams.root}", found=names)
        videos = there or videos
    name, offset = videos[0] if videos else (path.stem, "0")
    if offset != "0":
        hint = "Cut the video where the annotations begin, and set its offset to 0 in ELAN."
        found = f"{offset} ms for {name} in {path}"
        raise TruthError(expected="a video without an offset", found=found, hint=hint, path=path)
    return streams.require(name, path.name)


def _tiers(document: Element, path: Path, options: ImportOptions) -> Sequence[Element]:
    tiers = {_attribute(tier, "TIER_ID", ""): tier for tier in document.iter("TIER")}
    used = [name for name, tier in tiers.items() if tier.find("ANNOTATION") is not None]
    unknown = next((name for name in options.tiers if name not in tiers), None)
    if unknown is not None:
        raise UsageError(expected=f"a tier of {path.name}", choices=tiers, got=unknown, path=path)
    if not options.tiers and len(used) > 1:
        raise UsageError(
            expected=f"the tiers of {path.name} that are events",
            choices=used,
            found="none",
            hint=f"Name each one, such as: edgevid truth --tier {used[0]!r}.",
            path=path,
        )
    return [tiers[name] for name in options.tiers or used]


def _marks(tier: Element, times: _Times, video: Path, file: str) -> Iterator[Mark]:
    for holder in tier.iter("ANNOTATION"):
        for annotation in holder:
            label = (annotation.findtext("ANNOTATION_VALUE") or "").strip()
            origin = f"annotation {annotation.get('ANNOTATION_ID')} of tier {tier.get('TIER_ID')!r} in {file}"
            if not label:
                raise TruthError(
                    expected="a text for each annotation", found=f"none in {origin}", hint="Write the label."
                )
            start_ms, end_ms = times.of(annotation, origin)
            yield Mark(video=video, label=label, start_s=start_ms / _MS_PER_S, end_s=end_ms / _MS_PER_S, origin=origin)


def _attribute(element: Element | None, name: str, otherwise: str) -> str:
    return otherwise if element is None else element.get(name, otherwise)

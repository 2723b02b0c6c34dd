"""Pictures of events as HTML, and the player of their seconds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from edgevid.outputs.timeline.strip import Mark
from edgevid.outputs.timeline.thumbnails import jpeg_url

PLAYER = (
    '<aside class="tl-player" hidden aria-label="player">\n'
    '<p><b class="tl-what"></b> <span class="tl-note"></span>'
    '<button type="button" class="tl-close">close</button></p>\n'
    '<video controls playsinline preload="none"></video><div class="tl-pictures"></div>\n</aside>\n'
)


@dataclass(frozen=True, kw_only=True)
class Shots:
    """Pictures of one event.

    Attributes:
        mark: The event.
        video: Address of its video, relative to the page; "" if there is none.
        name: Its recording, for people.
        pictures: JPEGs in order of time.
    """

    mark: Mark
    video: str
    name: str
    pictures: Sequence[bytes]


def shots_html(shots: Sequence[Shots]) -> str:
    """Draw events as cards with pictures; a click plays their seconds."""
    return f'<div class="tl-cards">\n{"".join(_card(each) for each in shots)}</div>\n'


def _card(shots: Shots) -> str:
    mark, text = shots.mark, escape(shots.mark.text)
    pictures = "".join(f'<img alt="" src="{jpeg_url(each)}">' for each in shots.pictures)
    name = f' id="{escape(mark.shots)}"' if mark.shots else ""
    return (
        f'<button type="button" class="tl-card"{name} data-start="{mark.start_s:.3f}" data-end="{mark.end_s:.3f}" '
        f'data-video="{escape(shots.video)}" data-name="{escape(shots.name)}" data-shots="{escape(mark.shots)}" '
        f'aria-label="{text}"><span class="tl-frames">{pictures}</span><span>{text}</span></button>\n'
    )


def assets_html() -> str:
    """Return the style, the player and the script that every page with a strip needs once."""
    return f"<style>\n{static('timeline.css')}</style>\n{PLAYER}<script>\n{static('timeline.js')}</script>\n"


@cache
def static(name: str) -> str:
    """Return the text of a file in `static`."""
    return (files("edgevid.outputs.timeline") / "static" / name).read_text("utf-8")


def video_address(video: str | Path, page: Path) -> str:
    """Return the address of a video relative to a page, percent-encoded; "" if it is no file."""
    path = Path(video)
    if not path.is_file():
        return ""
    return quote(os.path.relpath(path.resolve(), page.resolve().parent))

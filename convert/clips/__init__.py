"""Clips on disk, decoded clips, and the windows of prepared frames that a model reads from them.

A folder of clips holds `<class>/<clip>`; a clip is a video, a folder of pictures, or rows of
features. Clips directly in the folder have no label. A file lists clips that are kept elsewhere:
`layouts` has a module for each known one. Clips that cannot be read are skipped, named and counted;
a run ends only if none is left.
"""

from convert.clips.clip import Clip, ClipRef, ClipSet, Segment
from convert.clips.decoding import decode, decode_all, read_folder
from convert.clips.find import find_clips, list_clips, passed_over
from convert.clips.listing import Listing
from convert.clips.reading import Reading
from convert.clips.sources import clip_frames
from convert.clips.window_frames import (
    centre_window,
    evenly_spread,
    random_start,
    random_window,
    to_real,
    window_indices,
)

__all__ = [
    "Clip",
    "ClipRef",
    "ClipSet",
    "Listing",
    "Reading",
    "Segment",
    "centre_window",
    "clip_frames",
    "decode",
    "decode_all",
    "evenly_spread",
    "find_clips",
    "list_clips",
    "passed_over",
    "random_start",
    "random_window",
    "read_folder",
    "to_real",
    "window_indices",
]

"""Folders of clips: `<class>/<clip>`, or clips without classes directly in the folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from convert.clips.clip import ClipRef
from convert.clips.layouts.picture_folders import picture_clips, why_no_clip
from convert.clips.layouts.row_folders import gather
from convert.clips.listing import Listing
from convert.clips.reading import ASSUMED_PICTURES_PER_S, Reading
from convert.clips.row_format import NAME
from edgevid.capture.video.containers import VIDEO_SUFFIXES, in_order, natural_key
from edgevid.errors import ClipsError
from edgevid.frames.preprocess import Kind

SUFFIXES: dict[Kind, tuple[str, ...]] = {"frames": VIDEO_SUFFIXES, "features": (".npy",)}


def list_folder(root: Path, kind: Kind, reading: Reading, group: Callable[[Path], str]) -> Listing:
    """List the clips of a folder.

    Args:
        root: The folder.
        kind: "frames" for videos and folders of pictures, "features" for `.npy` arrays and folders
            of `.npy` rows.
        reading: States the rate of folders of pictures.
        group: From a clip's path to its group.

    Raises:
        ClipsError: There is no clip of the kind.
    """
    clips, others = _sort(root, kind)
    if not clips:
        raise ClipsError(
            expected=f"clips ({', '.join(SUFFIXES[kind])}) in {root}, as <class>/<clip>",
            found=f"{len(others)} other files, such as {others[0][0]}" if others else "none",
            hint=_hint(others, kind),
            path=root,
        )
    fps = reading.fps or ASSUMED_PICTURES_PER_S
    refs = tuple(
        ClipRef(path, _label(path, root), group(path), fps=fps if kind == "frames" and path.is_dir() else None)
        for path in clips
    )
    return Listing(refs, others, notes_on_rate(refs, reading))


def notes_on_rate(refs: tuple[ClipRef, ...], reading: Reading, *, source: str = "") -> tuple[str, ...]:
    """Note an assumed rate of folders of pictures.

    Args:
        refs: Clips, of any kind.
        reading: States the rate, or not.
        source: Who states the assumed rate, such as "of Jester".
    """
    folders = [ref for ref in refs if ref.fps is not None]
    if not folders or reading.fps is not None:
        return ()
    rate = f"{folders[0].fps:g} pictures a second{f' {source}' if source else ''}"
    return (f"{rate} are assumed for {len(folders)} folders of pictures, such as {folders[0].path}: state --fps",)


def other_files(root: Path, kind: Kind) -> tuple[tuple[Path, str], ...]:
    """List the files of a folder that belong to no clip, apart from hidden ones.

    Args:
        root: The folder.
        kind: As for `list_folder`.

    Returns:
        Path and reason of each, sorted by path.
    """
    return _sort(root, kind)[1]


def _sort(root: Path, kind: Kind) -> tuple[list[Path], tuple[tuple[Path, str], ...]]:
    """Return the clips of a folder, and its other files with the reason."""
    files = [path for path in in_order(root.rglob("*"), root) if not path.is_dir()]
    single = [path for path in files if path.suffix.lower() in SUFFIXES[kind] and path.is_file()]
    # A folder of pictures may be named like a video.
    folders = picture_clips(files, root) if kind == "frames" else []
    clips = gather(single, root) if kind == "features" else sorted([*single, *folders], key=natural_key)
    inside, taken = set(folders), set(single)
    others = [path for path in files if path not in taken and not (path.parent in inside and why_no_clip(path, root))]
    if kind == "features":
        others = [path for path in others if path.name != NAME]
    reason = f"no clip ({', '.join(SUFFIXES[kind])})"
    return clips, tuple((path, (kind == "frames" and why_no_clip(path, root)) or reason) for path in others)


def _label(path: Path, root: Path) -> str | None:
    return None if path.parent == root else path.relative_to(root).parts[0]


def _hint(others: tuple[tuple[Path, str], ...], kind: Kind) -> str:
    suffixes = {path.suffix.lower() for path, _ in others}
    if kind == "frames" and ".npy" in suffixes:
        return "The .npy files are sequences of features, for a model over features."
    if kind == "frames" and any(why for _, why in others if why.startswith("a picture outside")):
        return "Put the pictures of each clip into a folder of their own, <class>/<clip>/<frame>.jpg."
    return ""

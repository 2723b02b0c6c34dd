"""The folder of the recordings, and how truth names the videos in it."""

from __future__ import annotations

import csv
import difflib
import io
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from edgevid.capture.video.containers import VIDEO_SUFFIXES, in_order
from edgevid.errors import TruthError

_SHOWN = 3
_FEATURES = ".npy"


class StreamFolder:
    """A folder of recordings: its videos and its files of features, at any depth.

    Args:
        root: The folder.

    Raises:
        TruthError: There is no such folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise TruthError(expected="a folder of recordings", found=f"none at {root}", path=root)
        self.root = root

    @cached_property
    def videos(self) -> tuple[Path, ...]:
        """The videos in natural order, with the folder joined. Hidden files are left out."""
        return self._files(VIDEO_SUFFIXES)

    @cached_property
    def features(self) -> tuple[Path, ...]:
        """The files of feature rows in natural order, as `videos` has the videos."""
        return self._files((_FEATURES,))

    def _files(self, suffixes: Sequence[str]) -> tuple[Path, ...]:
        files = (Path(folder, name) for folder, _, names in os.walk(self.root, followlinks=True) for name in names)
        return tuple(in_order((file for file in files if file.suffix.lower() in suffixes), self.root))

    def locate(self, name: str, origin: str) -> Path:
        """Return the video that a row names.

        Args:
            name: Its path, relative to the folder.
            origin: Place of the row, for errors.

        Returns:
            The path with the folder joined, the same for each spelling such as `./a.mp4`.

        Raises:
            TruthError: The path leaves the folder, or is no file in it.
        """
        root = Path(os.path.abspath(self.root))  # noqa: PTH100  # resolve() follows links, which may lead out
        place = Path(os.path.normpath(root / name))
        if not place.is_relative_to(root):
            hint = "Name recordings by their path in the folder."
            raise self._wrong(name, origin, expected=f"a path inside of {self.root}", hint=hint)
        inside = place.relative_to(root)
        if not _is_file(place):
            raise self._wrong(name, origin, expected=f"a video in {self.root}", hint=self._suggestion(name))
        return self.root / inside

    def find(self, name: str, origin: str) -> Path | None:
        """Return the video that another tool names, or None.

        Args:
            name: Its file name, with or without the suffix, and the folder on the tool's machine.
            origin: Place of the name, for errors.

        Raises:
            TruthError: The name fits several videos.
        """
        plain = name.replace("\\", "/").rpartition("/")[2]
        found = self._by_name.get(plain) or self._by_name.get(Path(plain).stem, ())
        if len(found) > 1:
            names = " and ".join(self.name_of(video) for video in found)
            hint = "Rename one of them."
            raise TruthError(expected=f"one video for {plain!r} in {origin}", found=names, hint=hint, path=self.root)
        return found[0] if found else None

    def require(self, name: str, origin: str) -> Path:
        """Return the video that another tool names.

        Raises:
            TruthError: It is not there, or the name fits several videos.
        """
        found = self.find(name, origin)
        if found is None:
            hint = self._suggestion(name.replace("\\", "/").rpartition("/")[2], "Name its folder with --streams.")
            raise self._wrong(name, origin, expected=f"a video in {self.root}", hint=hint)
        return found

    @cached_property
    def _by_name(self) -> dict[str, tuple[Path, ...]]:
        """The recordings by their file name, and by the name without the suffix, by which videos come first."""
        names: defaultdict[str, tuple[Path, ...]] = defaultdict(tuple)
        stems: defaultdict[str, tuple[Path, ...]] = defaultdict(tuple)
        for recordings in (self.videos, self.features):
            known = frozenset(stems)
            for each in recordings:
                names[each.name] += (each,)
                # Features of a video often lie beside it, under its name.
                if each.stem not in known:
                    stems[each.stem] += (each,)
        return {**stems, **names}

    def unnamed(self, named: Iterable[Path]) -> tuple[Path, ...]:
        """Return the recordings that are not among the named ones, of the kinds of those.

        Videos may lie beside the features that were computed of them. A model reads one kind, and
        its truth names that one.
        """
        known = set(named)
        kinds = {path.suffix.lower() == _FEATURES for path in known} or {not self.videos}
        files = (*(self.videos if False in kinds else ()), *(self.features if True in kinds else ()))
        return tuple(file for file in files if file not in known)

    def check_named(self, named: Iterable[Path], source: Path) -> None:
        """Reject a folder with recordings that the truth does not name: are they empty, or forgotten?

        Args:
            named: The recordings that it names.
            source: The file of the truth.

        Raises:
            TruthError: At least one recording of their kinds is not named.
        """
        unnamed = [self.name_of(video) for video in self.unnamed(named)]
        if not unnamed:
            return
        named_features = unnamed[0].lower().endswith(_FEATURES)
        more = f" and {len(unnamed) - _SHOWN} more" if len(unnamed) > _SHOWN else ""
        raise TruthError(
            expected=f"each {'file of features' if named_features else 'video'} of {self.root} in {source.name}",
            found=f"none of {', '.join(unnamed[:_SHOWN])}{more}",
            hint=f"Add the row {empty_row(unnamed[0])} if nothing happens in it, or move it elsewhere.",
            path=source,
        )

    def name_of(self, video: Path) -> str:
        """Return the path of a video in the folder, as a row names it.

        Raises:
            TruthError: The video lies elsewhere.
        """
        root, place = (Path(os.path.abspath(each)) for each in (self.root, video))  # noqa: PTH100
        if not place.is_relative_to(root):
            raise TruthError(expected=f"a recording in {self.root}", found=str(video), path=video)
        return place.relative_to(root).as_posix()

    def _wrong(self, name: str, origin: str, *, expected: str, hint: str) -> TruthError:
        return TruthError(expected=expected, found=f"{name!r} in {origin}", hint=hint, path=self.root)

    def _suggestion(self, name: str, otherwise: str = "Correct the path, or delete the row.") -> str:
        names = [self.name_of(each) for each in (*self.videos, *self.features)]
        close = difflib.get_close_matches(name.replace("\\", "/"), names, n=1)
        return f"Did you mean {close[0]!r}?" if close else otherwise


def empty_row(name: str) -> str:
    """Return the row of a recording in which nothing happens, quoted where CSV needs it."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([name, "", "", ""])
    return text.getvalue()


def _is_file(place: Path) -> bool:
    try:
        return place.is_file()
    # A name may be too long for a file, or contain a byte that none can.
    except (OSError, ValueError):
        return False

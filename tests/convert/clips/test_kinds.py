"""Whether a folder or list holds pictures or rows, by names alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.clips.kinds import kind_of
from edgevid.errors import ClipsError

ROWS = "wave/a.npy"


def folder(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ((ROWS,), "features"),
        (("wave/0/0.npy", "wave/0/1.npy", "rows.json", "notes.txt"), "features"),
        # A plot and a preview are no clips, and hidden files nobody's.
        ((ROWS, "plot.png", "wave/a.png", ".trash/b.mp4", "wave/.c.mp4"), "features"),
        (("wave/a.MP4",), "frames"),
        (("wave/0/0.jpg", "wave/0/1.jpg"), "frames"),
        (("notes.txt",), "frames"),
    ],
)
def test_a_folder_is_of_the_kind_of_its_clips(tmp_path: Path, names: tuple[str, ...], kind: str) -> None:
    assert kind_of(folder(tmp_path, *names)) == kind


@pytest.mark.parametrize("other", ["wave/b.avi", "wave/0/0.jpg"])
def test_a_folder_of_both_is_rejected_with_one_of_each(tmp_path: Path, other: str) -> None:
    with pytest.raises(ClipsError, match=rf"not both, got .*{other} and .*{ROWS}\. Keep them apart"):
        kind_of(folder(tmp_path, ROWS, other))


def test_a_list_is_of_the_kind_of_what_it_names(tmp_path: Path) -> None:
    folder(tmp_path / "data", "0/0.npy", "a.npy")
    path = tmp_path / "list.csv"
    path.write_text("path,label\na.npy,wave\n0,rest\n")
    assert kind_of(path, videos=tmp_path / "data") == "features"
    # Not there: `0` is no folder of rows.
    with pytest.raises(ClipsError, match=r"0 in line 3 and .*a\.npy in line 2"):
        kind_of(path)
    path.write_text("path,label\na.mp4,wave\n")
    assert kind_of(path) == "frames"
    path.write_text("something else\n")
    assert kind_of(path) == "frames"
    assert kind_of(tmp_path / "nothing") == "frames"

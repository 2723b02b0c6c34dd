"""Files that are made again only when their inputs change."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.demo.cached import once
from convert.progress import Silent


def calls(path: Path, *inputs: bytes) -> int:
    """How often the file is made for these inputs: 0 or 1."""
    made: list[Path] = []

    def make(target: Path) -> None:
        made.append(target)
        target.write_bytes(b"made")

    assert once(path, inputs, make, Silent()) == path
    return len(made)


def test_a_file_is_made_once_for_the_same_inputs(tmp_path: Path) -> None:
    assert [calls(tmp_path / "a", b"x", b"y") for _ in range(3)] == [1, 0, 0]


@pytest.mark.parametrize("changed", [(b"x",), (b"x", b"z"), (b"xy", b""), (b"y", b"x")])
def test_it_is_made_again_when_an_input_changes(changed: tuple[bytes, ...], tmp_path: Path) -> None:
    calls(tmp_path / "a", b"x", b"y")
    assert calls(tmp_path / "a", *changed) == 1


def test_it_is_made_again_when_it_is_gone(tmp_path: Path) -> None:
    calls(tmp_path / "a", b"x")
    (tmp_path / "a").unlink()
    assert calls(tmp_path / "a", b"x") == 1


def test_a_failure_does_not_count_as_made(tmp_path: Path) -> None:
    calls(tmp_path / "a", b"x")

    def fail(_path: Path) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        once(tmp_path / "a", [b"y"], fail, Silent())
    assert calls(tmp_path / "a", b"x") == 1

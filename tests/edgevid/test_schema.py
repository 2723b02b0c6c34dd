"""Dataclasses from TOML tables, and the messages for tables that do not match."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from edgevid.errors import DeploymentError, UsageError
from edgevid.schema import from_toml, legal, read_toml


@dataclass(frozen=True)
class Inner:
    ssid: str
    hidden: bool = False


@dataclass(frozen=True)
class Outer:
    name: str
    kind: Literal["a", "b"] = "a"
    sizes: tuple[int, ...] = ()
    rate: float = 1.0
    inner: Inner | None = None


def test_a_table_becomes_a_dataclass_with_its_defaults() -> None:
    made = from_toml(Outer, {"name": "x", "sizes": [1, 2], "rate": 3, "inner": {"ssid": "home"}}, "a.toml")
    assert made == Outer("x", "a", (1, 2), 3.0, Inner("home"))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "Expected name in a.toml, got none. Add it."),
        (
            {"name": "x", "knid": "a"},
            "Expected a key of a.toml, one of inner, kind, name, rate, sizes, got 'knid'. Did you mean 'kind'?",
        ),
        ({"name": "x", "kind": "c"}, "Expected a.toml: kind, one of a, b, got 'c'."),
        ({"name": 3}, "Expected a text for a.toml: name, got 3."),
        ({"name": "x", "sizes": [1, True]}, "Expected a whole number for a.toml: sizes[1], got True."),
        ({"name": "x", "rate": "fast"}, "Expected a number for a.toml: rate, got 'fast'."),
        (
            {"name": "x", "inner": {"ssid": "h", "pasword": "p"}},
            "Expected a key of a.toml: inner, one of hidden, ssid, got 'pasword'.",
        ),
        ({"name": "x", "inner": "home"}, "Expected a table for a.toml: inner, got 'home'."),
    ],
)
def test_what_does_not_fit_is_named_with_what_is_legal(table: dict[str, object], message: str) -> None:
    with pytest.raises(DeploymentError) as caught:
        from_toml(Outer, table, "a.toml")
    assert str(caught.value) == message
    assert caught.value.exit_code == 2


def test_what_is_legal_is_given_back() -> None:
    assert legal("a", ("b", "a"), "a letter") == "a"


def test_a_file_that_is_not_there_and_one_that_is_no_toml_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.toml"):
        read_toml(tmp_path / "nowhere.toml")
    (tmp_path / "bad.toml").write_text("a = = 1")
    with pytest.raises(DeploymentError, match=r"Expected TOML in .*bad\.toml"):
        read_toml(tmp_path / "bad.toml")


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "{b = " * 50_000])
def test_toml_that_is_nested_too_deeply_is_rejected_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deep.toml"
    path.write_text(text)
    with pytest.raises(DeploymentError, match="nested too deeply"):
        read_toml(path)

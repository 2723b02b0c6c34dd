"""What a person sees while a long step runs: one line a step and a bar, on standard error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Told of each step as it begins."""

    def step(self, text: str) -> None:
        """Say what begins.

        Args:
            text: One line.
        """
        ...

    def track(self, items: Sequence[Item], text: str) -> Iterable[Item]:
        """Show how far an iteration is.

        Args:
            items: What is gone through.
            text: What is done.

        Returns:
            The same items.
        """
        ...


class Silent:
    """Shows nothing."""

    def step(self, text: str) -> None:
        """Do nothing."""

    def track(self, items: Sequence[Item], text: str) -> Iterable[Item]:
        """Give the items."""
        return items


class Terminal:
    """Shows steps and bars on standard error, by rich: plain lines where that is no terminal."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)

    def step(self, text: str) -> None:
        """Print the line."""
        self._console.print(f"• {text}", soft_wrap=True, markup=False)

    def track(self, items: Sequence[Item], text: str) -> Iterator[Item]:
        """Show a bar that goes away when it is full."""
        from rich.progress import track

        yield from track(items, f"  {text}", console=self._console, transient=True)

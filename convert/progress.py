"""Progress of a long call: one line for each step, and a bar while it iterates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Observer of a long call."""

    def step(self, text: str) -> None:
        """Show that a step begins.

        Args:
            text: One line that names the step.
        """
        ...

    def track(self, items: Sequence[Item], text: str) -> Iterable[Item]:
        """Show a bar while the caller iterates.

        Args:
            items: The items to iterate over.
            text: A few words that name the iteration.

        Returns:
            An iterable of the same items.
        """
        ...


class Silent:
    """Progress that shows nothing."""

    def step(self, text: str) -> None:
        """Ignore the step."""

    def track(self, items: Sequence[Item], text: str) -> Iterable[Item]:
        """Return the items as they are."""
        return items


class Terminal:
    """Progress on standard error, drawn by rich; plain lines if that is not a terminal."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)

    def step(self, text: str) -> None:
        """Print the line."""
        # A path may hold square brackets, which rich would read as markup; a wrapped line breaks
        # copied paths.
        self._console.print(f"• {text}", soft_wrap=True, markup=False)

    def track(self, items: Sequence[Item], text: str) -> Iterator[Item]:
        """Show a bar that disappears after the last item."""
        from rich.progress import track

        yield from track(items, f"  {text}", console=self._console, transient=True)

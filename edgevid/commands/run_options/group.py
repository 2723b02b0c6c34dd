"""What a group of options of `edgevid run` offers: each output has a module of its own, listed in `run.GROUPS`.

A group is a module with `add` and `outputs`. It is imported whenever the help is shown, so it imports nothing heavy.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edgevid.api.outputs import OutputLike


class OptionGroup(Protocol):
    """A module under `edgevid/commands/run_options`."""

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Declare the group's options.

        Args:
            parser: The verb's.
        """
        ...

    def outputs(self, args: argparse.Namespace) -> list[OutputLike]:
        """Return what the options ask for; nothing where they ask for nothing.

        Args:
            args: Parsed options.

        Returns:
            As `edgevid.run` takes them.

        Raises:
            UsageError: An option is out of range.
        """
        ...

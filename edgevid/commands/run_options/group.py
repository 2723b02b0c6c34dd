"""The interface of a group of options of `edgevid run`.

Each group is a module, listed in `run.GROUPS`. The help imports all of them, so a group imports
nothing heavy at its top.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Protocol

from edgevid.commands.options import Option

if TYPE_CHECKING:
    from edgevid.api.outputs import OutputLike


class OptionGroup(Protocol):
    """A module of `edgevid/commands/run_options` that adds outputs to a run.

    Attributes:
        OPTIONS: The options, in the order of the help.
    """

    OPTIONS: tuple[Option, ...]

    def outputs(self, args: argparse.Namespace) -> list[OutputLike]:
        """Return the requested outputs; none if the options request none.

        Args:
            args: Parsed options.

        Returns:
            Values for `outputs=` of `edgevid.run`.

        Raises:
            UsageError: An option is out of range.
        """
        ...

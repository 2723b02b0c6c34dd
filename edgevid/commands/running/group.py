"""What a group of options of `edgevid run` offers: each output and each thing that looks on has a module of its own, listed in `run.GROUPS`.

A group is a module with `add` and `open`. It is imported whenever the help is shown, so it imports its library inside `open` only.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edgevid.board import BoardSampler
    from edgevid.capture import Source
    from edgevid.lane import Lane
    from edgevid.outputs import Output, Tap
    from edgevid.outputs.sink import Report


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What there is before the first frame.

    Attributes:
        lanes: The models, each with its engine, its telemetry and its manifest (`lane.engine.bundle.manifest`).
        source: Open.
        board: Looks at the board once a second; its `facts()` are for metrics and pages. None where nobody looks.
        reporters: Each says how some outputs are doing. A group that opens outputs adds one, and `reports` asks all of them.
    """

    lanes: tuple[Lane, ...]
    source: Source
    board: BoardSampler | None = None
    reporters: list[Callable[[], Iterable[Report]]] = field(default_factory=list)

    def reports(self) -> tuple[Report, ...]:
        """Say how the outputs of every group are doing.

        Returns:
            A report each, in the order in which the groups were opened.
        """
        return tuple(report for reporter in self.reporters for report in reporter())


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What a group adds to the pipeline, which closes the outputs; one object may be both.

    Attributes:
        outputs: Take decisions and events.
        taps: Look at the frames.
    """

    outputs: Sequence[Output] = ()
    taps: Sequence[Tap] = ()


class OptionGroup(Protocol):
    """A module under `edgevid/commands/running`."""

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Declare the group's options.

        Args:
            parser: The verb's.
        """
        ...

    def open(self, args: argparse.Namespace, setup: Setup) -> Opened:
        """Open what the options ask for; nothing where they ask for nothing.

        Args:
            args: Parsed options.
            setup: The models and the source.

        Returns:
            Outputs and taps.

        Raises:
            EdgevidError: What was asked for cannot be had.
        """
        ...


def open_groups(groups: Sequence[OptionGroup], args: argparse.Namespace, setup: Setup) -> Opened:
    """Open every group; where one fails, those before it are closed again.

    Args:
        groups: In the order in which their outputs are called.
        args: Parsed options.
        setup: The models and the source.

    Returns:
        Everything together.
    """
    outputs: list[Output] = []
    taps: list[Tap] = []
    try:
        for group in groups:
            opened = group.open(args, setup)
            outputs += opened.outputs
            taps += opened.taps
    except BaseException:
        for output in outputs:
            output.close()
        raise
    return Opened(outputs=outputs, taps=taps)

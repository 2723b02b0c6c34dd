"""Calls a function of the user's program with each event."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edgevid.errors import OutputRefused
from edgevid.events.decide import Event
from edgevid.outputs.delivery.sink import SinkBase
from edgevid.outputs.output import QuietOutput

_log = logging.getLogger(__name__)


class FunctionCaller(SinkBase, QuietOutput):
    """A sink that calls a function. An exception is logged with its traceback and counted as an event refused; the run goes on.

    Args:
        function: Called with each event as it ends, in the sink's thread.
        starts: Whether it is called with the start of each event as well; such an event has `ended` False.
    """

    def __init__(self, function: Callable[[Event], object], *, starts: bool) -> None:
        self._function = function
        self._starts = starts

    def started(self, event: Event) -> None:
        """Call the function with a start, if it wants starts.

        Args:
            event: As far as it is known.
        """
        if self._starts:
            self._call(event)

    def ended(self, event: Event) -> None:
        """Call the function with an event.

        Args:
            event: The whole event.
        """
        self._call(event)

    def _call(self, event: Event) -> None:
        try:
            self._function(event)
        except Exception as error:
            name = getattr(self._function, "__qualname__", repr(self._function))
            _log.exception("edgevid: %s failed on an event of %s.", name, event.label)
            raise OutputRefused(
                expected=f"{name} to return", got=error, found=f"{type(error).__name__}: {error}"
            ) from error

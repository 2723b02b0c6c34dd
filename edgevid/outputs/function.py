"""An output that calls a function of the user's program with each event."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edgevid.errors import OutputRefused
from edgevid.events.decide import Event
from edgevid.outputs.delivery.sink import Sink

_log = logging.getLogger(__name__)


class FunctionCaller(Sink):
    """A sink that calls a function.

    An exception of the function is logged with its traceback and counts as a rejected event; the
    run continues.

    Args:
        function: Called with each whole event, in the sink's thread.
        starts: Whether to call it with the start of each event too, which has `ended` False.
    """

    def __init__(self, function: Callable[[Event], object], *, starts: bool) -> None:
        self._function = function
        self._starts = starts

    def started(self, event: Event) -> None:
        """Call the function with the start of an event, if it takes starts.

        Raises:
            OutputRefused: The function raised.
        """
        if self._starts:
            self._call(event)

    def ended(self, event: Event) -> None:
        """Call the function with a whole event.

        Raises:
            OutputRefused: The function raised.
        """
        self._call(event)

    def _call(self, event: Event) -> None:
        try:
            self._function(event)
        except Exception as error:
            name = getattr(self._function, "__qualname__", repr(self._function))
            _log.exception("edgevid: %s failed on an event of %s.", name, event.label)
            # Not retried: a function that fails on an event most likely fails on it again.
            raise OutputRefused(
                expected=f"{name} to return", got=error, found=f"{type(error).__name__}: {error}"
            ) from error

"""The live page as an output with a thread of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from functools import partial

from edgevid.events.decide import Decision, Event
from edgevid.outputs.addresses import Endpoint, listen
from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.delivery.threaded import ThreadedOutput
from edgevid.outputs.delivery.worker import WorkerRun
from edgevid.outputs.video.pictures import Pictures
from edgevid.outputs.web import server, site
from edgevid.outputs.web.gate import Gate, choose_token
from edgevid.outputs.web.hub import Hub

_PURPOSE = "--page"


class LivePage(ThreadedOutput):
    """An output that serves the live page. In the loop it only stores a reference to each decision.

    Args:
        endpoint: The address to listen on.
        hub: The content of the page.
        pictures: The video; None for a source without pictures.
        environment: See `choose_token`.

    Attributes:
        endpoint: With the port that is in use.
        address: The URL to open in a browser, with the token if one was generated.

    Raises:
        UsageError: The address is in use or belongs to another machine, or the token is too short.
        MissingDependency: websockets is not installed.
    """

    name = "page"

    def __init__(
        self, endpoint: Endpoint, hub: Hub, *, pictures: Pictures | None, environment: Mapping[str, str] = os.environ
    ) -> None:
        site.check(_PURPOSE)
        token, is_generated = choose_token(endpoint, environment)
        self._bound: socket.socket | None = listen(endpoint, purpose=_PURPOSE)
        self.endpoint = Endpoint(host=endpoint.host, port=self._bound.getsockname()[1])
        name = Endpoint(host=endpoint.host or socket.gethostname(), port=self.endpoint.port)
        self.address = f"http://{name}/" + (f"?token={token}" if is_generated else "")
        self._hub, self._pictures = hub, pictures
        self._gate = Gate(self.endpoint, token)
        self._server: server.PageServer | None = None
        super().__init__(self._work)

    def start(self) -> None:
        """Print the address and start serving."""
        sys.stderr.write(f"edgevid: live page at {self.address}\n")
        super().start()

    def release(self) -> None:
        """Close the listening socket."""
        if self._bound is not None:
            self._bound.close()

    def decided(self, decision: Decision) -> None:
        """Show a decision."""
        self._hub.add_decision(decision)

    def started(self, event: Event) -> None:
        """Show the start of an event."""
        self._hub.add_event(event)

    def ended(self, event: Event) -> None:
        """Show the end of an event."""
        self._hub.add_event(event)

    def report(self) -> Report:
        """Return visits, pictures sent and displaced clients, as `delivered`, and the current problem."""
        served = self._server
        if served is None:
            return self._report(delivered={})
        delivered = {"visit": served.visits, "picture": served.sent, "displaced": served.clients.displaced}
        return self._report(delivered=delivered)

    def _work(self, run: WorkerRun) -> None:
        """Serve the page, in the thread."""
        # `__init__` opened the address, to report a bad one early; after a fault, open it again.
        bound, self._bound = self._bound or listen(self.endpoint, purpose=_PURPOSE), None
        try:
            self._server = server.PageServer(self._hub, self._gate, self._pictures)
            asyncio.run(self._server.serve(bound, partial(_beat, run)))
        finally:
            bound.close()


def _beat(run: WorkerRun) -> bool:
    """Send a heartbeat; return whether the run goes on."""
    run.heartbeat()
    return not run.cancelled.is_set()

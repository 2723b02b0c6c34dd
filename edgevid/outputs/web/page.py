"""The live page as a member of the outputs."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Mapping

from edgevid.events.decide import Decision, Event
from edgevid.outputs.addresses import Endpoint, listen
from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.delivery.watched import RestartingOutput
from edgevid.outputs.delivery.worker import WorkerRun
from edgevid.outputs.video.pictures import Pictures
from edgevid.outputs.web import server
from edgevid.outputs.web.gate import Gate, choose_token
from edgevid.outputs.web.hub import Hub


class LivePage(RestartingOutput):
    """Serves the live page in a thread of its own. In the loop it keeps a reference to each decision, and no more.

    Args:
        where: Where to listen.
        hub: What is shown.
        pictures: The video; None for a source without pictures.
        environment: See `choose_token`.

    Attributes:
        where: With the port that was taken.
        address: What to open in a browser; has the token where one was made up.

    Raises:
        UsageError: The address is taken or not this machine's, or the token is too short.
        MissingDependency: websockets is not installed.
    """

    name = "page"

    def __init__(
        self, where: Endpoint, hub: Hub, *, pictures: Pictures | None, environment: Mapping[str, str] = os.environ
    ) -> None:
        server.check()
        token, made_up = choose_token(where, environment)
        self._bound: socket.socket | None = listen(where, purpose="--page")
        self.where = Endpoint(host=where.host, port=self._bound.getsockname()[1])
        name = Endpoint(host=where.host or socket.gethostname(), port=self.where.port)
        self.address = f"http://{name}/" + (f"?token={token}" if made_up else "")
        self._hub, self._pictures = hub, pictures
        self._gate = Gate(self.where, token)
        self._server: server.PageServer | None = None
        super().__init__(self._work)

    def start(self) -> None:
        """Begin to serve, and say where."""
        sys.stderr.write(f"edgevid: live page at {self.address}\n")
        super().start()

    def decided(self, decision: Decision) -> None:
        """Show a decision.

        Args:
            decision: It.
        """
        self._hub.decided(decision)

    def started(self, event: Event) -> None:
        """Show that an event began.

        Args:
            event: It.
        """
        self._hub.happened(event, ended=False)

    def ended(self, event: Event) -> None:
        """Show that it ended.

        Args:
            event: It.
        """
        self._hub.happened(event, ended=True)

    def report(self) -> Report:
        """Say how it is doing.

        Returns:
            Visits and pictures sent as what was delivered.
        """
        delivered = {} if self._server is None else {"visit": self._server.visits, "picture": self._server.sent}
        return self._report(delivered=delivered)

    def _work(self, run: WorkerRun) -> None:
        """Run in the thread; after a fault the place is taken again."""
        bound, self._bound = self._bound or listen(self.where, purpose="--page"), None

        def beat() -> bool:
            run.heartbeat()
            return not run.cancelled.is_set()

        try:
            self._server = server.PageServer(self._hub, self._gate, self._pictures)
            asyncio.run(self._server.serve(bound, beat))
        finally:
            bound.close()

"""A small HTTP server for whoever scrapes metrics: a client that hangs is dropped, and many of them at once cannot take all memory."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from socketserver import ThreadingMixIn
from time import monotonic_ns
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from edgevid.outputs.delivery.worker import WorkerRun

CLIENT_S = 10.0
_MOST_CLIENTS = 16
_NS_PER_S = 1_000_000_000


class _Handler(WSGIRequestHandler):
    """Gives a client that hangs a limit, and writes no log."""

    timeout = CLIENT_S

    def log_message(self, format: str, *args: Any) -> None:
        pass


class ScrapeServer(ThreadingMixIn, WSGIServer):
    """Serves on a socket that is bound already, for a bounded number of clients at once.

    Args:
        bound: The socket; closed by `server_close`.
        app: The WSGI application.
        each_second: Called about once a second, between requests.

    Attributes:
        answered: Clients that were served.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, bound: socket.socket, app: Any, each_second: Callable[[], None]) -> None:
        super().__init__(bound.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = bound
        self.server_name, self.server_port = bound.getsockname()[:2]
        self.setup_environ()
        self.server_activate()
        self.set_app(app)
        self.answered = 0
        self._each_second = each_second
        self._called_ns = 0
        self._clients = threading.BoundedSemaphore(_MOST_CLIENTS)
        self._left = False

    def serve(self, run: WorkerRun) -> None:
        """Serve until `leave` is called or the run is cancelled.

        Args:
            run: Told that the thread lives.
        """
        self.timeout = 0.5
        while not self._left and not run.cancelled.is_set():
            run.heartbeat()
            self.handle_request()
            self.service_actions()

    def leave(self) -> None:
        """Stop serving; returns at once."""
        self._left = True

    def service_actions(self) -> None:
        """Call `each_second`, when it is due."""
        if monotonic_ns() - self._called_ns > _NS_PER_S:
            self._called_ns = monotonic_ns()
            self._each_second()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the client a thread, if there is one left.

        Args:
            request: Its socket.
            client_address: Its address.
        """
        if self._clients.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve the client.

        Args:
            request: Its socket.
            client_address: Its address.
        """
        try:
            super().process_request_thread(request, client_address)
            self.answered += 1
        finally:
            self._clients.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Forget a client that broke off or hung.

        Args:
            request: Its socket.
            client_address: Its address.
        """

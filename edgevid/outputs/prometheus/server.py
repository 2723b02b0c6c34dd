"""A small HTTP server for scrapers, with a time limit per client and a limit on their number."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from socketserver import ThreadingMixIn
from time import monotonic_ns
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from edgevid.outputs.delivery.worker import WorkerRun
from edgevid.units import NS_PER_S

CLIENT_S = 10.0
# Each has a thread; more are disconnected, so that they cannot use up the memory.
_MOST_CLIENTS = 16
# How soon `serve` returns after `leave`.
_POLL_S = 0.5


class _Handler(WSGIRequestHandler):
    """A request handler with a socket timeout and no log."""

    timeout = CLIENT_S

    def log_message(self, format: str, *args: Any) -> None:
        pass


class ScrapeServer(ThreadingMixIn, WSGIServer):
    """A WSGI server on a bound socket, for a bounded number of concurrent clients.

    Args:
        bound: The listening socket; `server_close` closes it.
        app: The WSGI application.
        each_second: Called about once a second, between requests.

    Attributes:
        answered: The number of clients served.
    """

    daemon_threads = True
    # server_close() must not wait for a client that hangs.
    block_on_close = False

    def __init__(self, bound: socket.socket, app: Any, each_second: Callable[[], None]) -> None:
        super().__init__(bound.getsockname()[:2], _Handler, bind_and_activate=False)
        # TCPServer creates a socket of its own in any case.
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
            run: Receives a heartbeat before each wait for a request.
        """
        self.timeout = _POLL_S
        while not self._left and not run.cancelled.is_set():
            run.heartbeat()
            self.handle_request()
            self.service_actions()

    def leave(self) -> None:
        """Stop serving. Does not block."""
        self._left = True

    def service_actions(self) -> None:
        """Call `each_second` when it is due."""
        if monotonic_ns() - self._called_ns > NS_PER_S:
            self._called_ns = monotonic_ns()
            self._each_second()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a client in a thread, or disconnect it if all threads are in use.

        Args:
            request: The client's socket.
            client_address: The client's address.
        """
        if self._clients.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a client, in its thread.

        Args:
            request: The client's socket.
            client_address: The client's address.
        """
        try:
            super().process_request_thread(request, client_address)
            self.answered += 1
        finally:
            self._clients.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that disconnected or timed out.

        Args:
            request: The client's socket.
            client_address: The client's address.
        """

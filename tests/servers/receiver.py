"""A real HTTP server on this machine that receives events, fails, hangs and disappears as a test wants."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """Receives.

    Attributes:
        received: (body, headers) of each request that was answered with 2xx.
        status: What to answer, or what gives the answer to a body.
        tries: Requests that came.
    """

    def __init__(self, *, port: int = 0) -> None:
        self.received: list[tuple[dict[str, Any], dict[str, str]]] = []
        self.status: int | Callable[[dict[str, Any]], int] = 204
        self.tries = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.tries += 1
                status = receiver.status(body) if callable(receiver.status) else receiver.status
                if 200 <= status < 300:
                    receiver.received.append((body, dict(self.headers)))
                self.send_response(status)
                if status // 100 == 3:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def serve_tls(self, context: ssl.SSLContext) -> None:
        """Take TLS connections only, from now on. A handshake that fails ends its own thread."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.handle_error = lambda request, client_address: None

    @property
    def url(self) -> str:
        """Where to post to."""
        return f"http://127.0.0.1:{self.port}/hooks/edgevid"

    def told(self) -> list[tuple[str, float]]:
        """Phase and start of what was received, in order."""
        return [(body["phase"], body["start_s"]) for body, _ in self.received]

    def close(self) -> None:
        """Disappear."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

"""Real servers on the loopback interface for the network sources."""

from __future__ import annotations

import base64
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np

from tests.clips.videos import level

BOUNDARY = "edgevidframe"
RTSP_SCRIPT = Path(__file__).with_name("rtsp_server.py")


class MjpegServer:
    """A web camera with Motion JPEG over HTTP. Frame i of a connection is a flat gray of `level(i)`.

    Args:
        fps: Frames a second.
        per_connection: Frames after which the server hangs up; None for never.
        password: Asked for with HTTP's basic authentication, for user "cam"; None for none.
    """

    def __init__(self, *, fps: float = 30.0, per_connection: int | None = None, password: str | None = None) -> None:
        self.connections = 0
        self.open = threading.Event()
        self.open.set()
        self.leaving = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = "Basic " + base64.b64encode(f"cam:{password}".encode()).decode()
                if password is not None and self.headers.get("Authorization") != wanted:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                    self.end_headers()
                    return
                if not server.open.is_set():
                    self.send_error(503)
                    return
                server.connections += 1
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
                self.end_headers()
                self._send_frames()

            def _send_frames(self) -> None:
                index = 0
                try:
                    while (
                        not server.leaving.is_set()
                        and server.open.is_set()
                        and (per_connection is None or index < per_connection)
                    ):
                        _, jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), level(index), np.uint8))
                        head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                        self.wfile.write(head.encode() + jpeg.tobytes() + b"\r\n")
                        index += 1
                        server.leaving.wait(1 / fps)
                except OSError:
                    pass

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> MjpegServer:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.leaving.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class FileServer:
    """A web server for the files of a folder, without byte ranges.

    Args:
        folder: The files.
        announces_length: Whether answers have a Content-Length; a live stream has none.
    """

    def __init__(self, folder: Path, *, announces_length: bool = True) -> None:
        class Handler(SimpleHTTPRequestHandler):
            def send_header(self, keyword: str, value: str) -> None:
                if announces_length or keyword != "Content-Length":
                    super().send_header(keyword, value)

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def rtsp_server(python: str, *, password: str) -> Iterator[str]:
    """GStreamer's RTSP server, from Debian's packages, in a process of its own.

    Args:
        python: The interpreter that has them.
        password: Of user "cam".

    Yields:
        HOST:PORT; the stream is at /camera.
    """
    process = subprocess.Popen([python, str(RTSP_SCRIPT), password], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def wait_until(what, *, limit_s: float = 20.0) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)

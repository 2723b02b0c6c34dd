"""A real Chromium without a screen, driven through its DevTools protocol.

Source: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage --hide-scrollbars"
).split()
_LIMIT_S = 60.0


class Browser:
    """A running Chromium.

    Args:
        folder: A fresh one, for its profile.
    """

    def __init__(self, folder: Path) -> None:
        assert CHROMIUM is not None
        arguments = [CHROMIUM, *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
        # In a session of its own, so that all its processes can be ended together.
        self._process = subprocess.Popen(
            arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self._address = self._find(folder / "DevToolsActivePort")

    def _find(self, file: Path) -> str:
        end_s = time.monotonic() + _LIMIT_S
        while not (file.exists() and len(file.read_text().splitlines()) == 2):
            assert self._process.poll() is None, "chromium ended"
            assert time.monotonic() < end_s, "chromium does not start"
            time.sleep(0.05)
        port, path = file.read_text().splitlines()
        return f"ws://127.0.0.1:{port}{path}"

    @contextmanager
    def page(
        self, url: str, *, width_px: int = 1280, height_px: int = 900, phone: bool = False, dark: bool = False
    ) -> Iterator[Page]:
        """Open a page in a profile of its own, so that no cookie is left from another.

        Args:
            url: Where.
            width_px: Of the window.
            height_px: Of the window.
            phone: Whether it has a phone's pixels and touch.
            dark: Whether the person likes it dark.

        Yields:
            The page, loaded.
        """
        with connect(self._address, max_size=None) as line:
            tab = Page(line)
            try:
                tab.open(url, width_px=width_px, height_px=height_px, phone=phone, dark=dark)
                yield tab
            finally:
                tab.close()

    def close(self) -> None:
        """End it, with all that it started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(20)


class Page:
    """One tab.

    Attributes:
        complaints: What went to the console as error or warning, exceptions, and loads that failed.
        asked: Addresses of everything that was loaded.
    """

    def __init__(self, line: ClientConnection) -> None:
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self._line = line
        self._number = 0
        self._session: str | None = None
        self._loaded = False
        context = self._call("Target.createBrowserContext")["browserContextId"]
        self._context = context
        self._target = self._call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]

    def open(self, url: str, *, width_px: int, height_px: int, phone: bool, dark: bool) -> None:
        """Load an address and wait for it."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width_px,
            height=height_px,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        self._call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        self._loaded = False
        self._call("Page.navigate", url=url)
        end_s = time.monotonic() + _LIMIT_S
        while not self._loaded:
            assert time.monotonic() < end_s, "the page does not load"
            self._take(0.2)

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page.

        Args:
            script: JavaScript.

        Returns:
            Its value.
        """
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, script: str, *, limit_s: float = _LIMIT_S) -> Any:
        """Wait until an expression is true.

        Args:
            script: JavaScript.
            limit_s: Longest wait.

        Returns:
            Its value.
        """
        end_s = time.monotonic() + limit_s
        while not (value := self.run(script)):
            assert time.monotonic() < end_s, f"never became true: {script}; {self.complaints}"
            time.sleep(0.05)
        return value

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key as a person does.

        Args:
            key: As `KeyboardEvent.key`, such as "ArrowLeft" or "1".
            shift: Whether Shift is held.
        """
        text = {"text": key} if len(key) == 1 else {}
        about = {"key": key, "modifiers": 8 if shift else 0}
        self._call("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self._call("Input.dispatchKeyEvent", type="keyUp", **about)

    def drag(self, start_px: tuple[float, float], *path_px: tuple[float, float]) -> None:
        """Press the mouse, move it, and let it go; without a path, click.

        Args:
            start_px: Where, from the window's left and top.
            path_px: Where to.
        """
        at = start_px
        mouse = {"button": "left", "clickCount": 1}
        self._call("Input.dispatchMouseEvent", type="mouseMoved", x=at[0], y=at[1])
        self._call("Input.dispatchMouseEvent", type="mousePressed", x=at[0], y=at[1], **mouse)
        for at in path_px:
            self._call("Input.dispatchMouseEvent", type="mouseMoved", x=at[0], y=at[1], button="left", buttons=1)
        self._call("Input.dispatchMouseEvent", type="mouseReleased", x=at[0], y=at[1], **mouse)

    def swipe(self, start_px: tuple[float, float], *path_px: tuple[float, float]) -> None:
        """Put a finger on the screen, move it, and lift it.

        Args:
            start_px: Where, from the window's left and top.
            path_px: Where to.
        """
        self._call("Emulation.setTouchEmulationEnabled", enabled=True)
        for kind, (x, y) in [("touchStart", start_px), *(("touchMove", at) for at in path_px)]:
            self._call("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y}])
        self._call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def picture(self, path: Path) -> None:
        """Take a screenshot of the window.

        Args:
            path: A PNG file.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        """Close the tab and forget its cookies."""
        self._session = None
        self._call("Target.disposeBrowserContext", browserContextId=self._context)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._line.send(json.dumps(message))
        end_s = time.monotonic() + _LIMIT_S
        while time.monotonic() < end_s:
            answer = self._take(_LIMIT_S)
            if answer is not None and answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
        raise AssertionError(f"no answer to {method}")

    def _take(self, timeout_s: float) -> dict[str, Any] | None:
        try:
            message = json.loads(self._line.recv(timeout_s))
        except TimeoutError:
            return None
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method: str | None, content: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.consoleAPICalled" and content["type"] in ("error", "warning", "assert"):
            self.complaints.append(str([each.get("value") for each in content["args"]]))
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(content["exceptionDetails"]))
        elif method == "Log.entryAdded" and content["entry"]["level"] in ("error", "warning"):
            self.complaints.append(str(content["entry"]))
        elif method in ("Network.requestWillBeSent", "Network.webSocketCreated"):
            self.asked.append(content.get("url") or content["request"]["url"])


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser for the length of a block.

    Args:
        folder: For its profile.

    Yields:
        It.
    """
    browser = Browser(folder)
    try:
        yield browser
    finally:
        browser.close()

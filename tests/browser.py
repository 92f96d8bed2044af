"""A page in a real browser: Chromium over its DevTools protocol, spoken by aiohttp, which Lightning brings along."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars", "--remote-debugging-port=0",
]  # fmt: skip
WIDER = """[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1
    && !e.closest('.scroll, pre, .unseen, .skip')).map(e => e.outerHTML.slice(0, 120))"""
"""What sticks out at the right side, but for what scrolls within itself."""


class Page:
    """An open page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, loop: asyncio.AbstractEventLoop) -> None:
        self._socket, self._loop, self._number = socket, loop, 0
        self.requests: list[str] = []
        """URLs that were asked for."""
        self.errors: list[str] = []
        """What stands in the console, and exceptions."""

    def open(self, path: Path, width: int, height: int = 900, dark: bool = False, media: str = "") -> None:
        """Open a file in a window of that size, in points of the screen."""
        self.visit(path.resolve().as_uri(), width, height, dark, media)

    def visit(self, url: str, width: int, height: int = 900, dark: bool = False, media: str = "") -> None:
        """Open an address, likewise."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.call("Page.navigate", url=url)
        while self.evaluate("document.readyState + location.protocol") != f"complete{url.partition(':')[0]}:":
            time.sleep(0.02)

    def wait(self, expression: str, seconds: float = 60) -> Any:
        """Return the value of an expression, which is plain data, once it is true of the page."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < end, f"{expression}: not within {seconds} s"
            time.sleep(0.05)
        return value

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element, once it is there and stands still."""
        self.wait(f"!!document.querySelector({selector!r})")
        where = f"""(e => (e.scrollIntoView({{block: 'center', behavior: 'instant'}}), e.getBoundingClientRect()))(
            document.querySelector({selector!r}))"""
        box = before = None
        while box is None or box != before:
            before, box = box, self.evaluate(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({where})")
            time.sleep(0.2)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        """Click into a field and type."""
        self.click(selector)
        self.call("Input.insertText", text=text)

    def overflow(self) -> list[str]:
        """Return the elements that stick out of the window, and a word if the page can be moved sideways."""
        moves = self.evaluate("document.documentElement.scrollWidth > innerWidth")
        return [*self.evaluate(WIDER), *(["the page scrolls sideways"] if moves else [])]

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, which may be a promise."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def picture(self, path: Path, height: int = 15_000) -> None:
        """Write a PNG of the page, down to that height."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], height), "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def call(self, method: str, **options: Any) -> dict[str, Any]:
        """Return what a method of the protocol answers."""
        self._number += 1
        return self._loop.run_until_complete(self._call(self._number, method, options))

    async def _call(self, number: int, method: str, options: dict[str, Any]) -> dict[str, Any]:
        await self._socket.send_str(json.dumps({"id": number, "method": method, "params": options}))
        while True:
            message = json.loads((await self._socket.receive(timeout=120)).data)
            if message.get("method") == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            if message.get("method") == "Log.entryAdded":
                self.errors.append(message["params"]["entry"]["text"])
            if message.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(message["params"]))
            if message.get("id") == number:
                assert "error" not in message, message
                found: dict[str, Any] = message["result"]
                return found


@contextmanager
def browser() -> Iterator[Page]:
    """Start Chromium, and end it."""
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        session = loop.run_until_complete(_session())
        try:
            port = _port(Path(profile, "DevToolsActivePort"), process)
            page = Page(loop.run_until_complete(_connect(session, port)), loop)
            for domain in ("Page", "Network", "Log", "Runtime"):
                page.call(f"{domain}.enable")
            yield page
        finally:
            loop.run_until_complete(session.close())
            process.terminate()
            process.wait(30)
            loop.close()


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


async def _connect(session: aiohttp.ClientSession, port: int) -> aiohttp.ClientWebSocketResponse:
    async with session.get(f"http://127.0.0.1:{port}/json") as answer:
        targets = await answer.json(content_type=None)
    page = next(target for target in targets if target["type"] == "page")
    return await session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + 90
    while time.monotonic() < end and process.poll() is None:
        if file.is_file() and (text := file.read_text()).count("\n"):
            return int(text.split("\n")[0])
        time.sleep(0.05)
    raise RuntimeError(f"Chromium did not start (code {process.poll()}).")

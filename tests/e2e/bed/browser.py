"""A headless Chromium, driven by the WebDriver protocol."""

from __future__ import annotations

import base64
import json
import pathlib
import shutil
import urllib.error
import urllib.request
from typing import Any

from bed.arena import Arena, Process
from bed.prometheus import free_port
from bed.wait import wait_for

_OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--window-size=1400,1000", "--hide-scrollbars"]


class Browser(Process):
    """One window."""

    def __init__(self, arena: Arena) -> None:
        self._port = free_port()
        program = shutil.which("chromedriver")
        if program is None:
            raise RuntimeError("chromium-driver is not installed")
        super().__init__(arena, "chromedriver", [program, f"--port={self._port}"])
        wait_for("chromedriver to be ready", self._ready, 60, self.log)
        profile = f"--user-data-dir={arena.path('chromium')}"
        capabilities = {"goog:chromeOptions": {"args": [*_OPTIONS, profile]}, "goog:loggingPrefs": {"browser": "ALL"}}
        self._session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})["sessionId"]
        arena.on_close(lambda: self._call("DELETE", f"/session/{self._session}"))

    def _ready(self) -> bool:
        try:
            return bool(self._call("GET", "/status")["ready"])
        except (urllib.error.URLError, ConnectionError):
            return False

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.read().decode()[:500]}") from error

    def _do(self, path: str, **body: Any) -> Any:
        return self._call("POST", f"/session/{self._session}/{path}", body)

    def open(self, url: str) -> None:
        """Returns when the page is there."""
        self._do("url", url=url)

    def run(self, script: str) -> Any:
        """The value that a function with this body returns in the page."""
        return self._do("execute/sync", script=script, args=[])

    def text(self) -> str:
        """What a reader of the page sees."""
        return str(self.run("return document.body.innerText"))

    def forbid_scripts(self) -> None:
        """Pages that are opened from now on are without JavaScript."""
        self._do("goog/cdp/execute", cmd="Emulation.setScriptExecutionDisabled", params={"value": True})

    def complaints(self) -> list[str]:
        """What the browser has said of the page since it was asked last, such as a policy that was violated."""
        return [entry["message"] for entry in self._do("se/log", type="browser")]

    def resize(self, width: int, height: int) -> None:
        """The page, not the window around it."""
        self._do("goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride",
                 params={"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def picture(self, path: pathlib.Path) -> None:
        """Writes a PNG of the window."""
        png = self._call("GET", f"/session/{self._session}/screenshot")
        path.write_bytes(base64.b64decode(png))

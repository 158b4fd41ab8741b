"""Headless Chromium that signs a person in: as a program for ``--browser-cmd``, and for tests that look at pages.

It speaks WebDriver to chromedriver. `sign_in` plays the person: it fills in a form that asks for a password, presses
the button of any other form, and stops when the browser has left the *known* origins for a plain loopback address.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from tests.peers.parts import REPOSITORY, require
from tests.peers.process import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Browser", "BrowserCommand", "run_browser"]

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver, section 12: the web element identifier
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing leaves this machine, whatever the browser would like to fetch for itself.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


class Browser:
    """One window."""

    def __init__(self, driver: str, session: str) -> None:
        self._base = f"{driver}/session/{session}"

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return _call(method, f"{self._base}{path}", body)

    def go(self, url: str) -> None:
        self._call("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        return cast("str", self._call("GET", "/url"))

    @property
    def title(self) -> str:
        return cast("str", self._call("GET", "/title"))

    @property
    def text(self) -> str:
        """What a person can read on the page."""
        found = self.find("body")
        return cast("str", self._call("GET", f"/element/{found[0]}/text")) if found else ""

    @property
    def source(self) -> str:
        return cast("str", self._call("GET", "/source"))

    @property
    def cookies(self) -> list[dict[str, Any]]:
        return cast("list[dict[str, Any]]", self._call("GET", "/cookie"))

    def find(self, selector: str) -> list[str]:
        """Return the elements that a CSS *selector* matches and a person can see."""
        found = self._call("POST", "/elements", {"using": "css selector", "value": selector})
        elements = [cast("str", element[_ELEMENT]) for element in found]
        return [element for element in elements if self._call("GET", f"/element/{element}/displayed")]

    def type(self, element: str, text: str) -> None:
        self._call("POST", f"/element/{element}/clear", {})
        self._call("POST", f"/element/{element}/value", {"text": text})

    def click(self, element: str) -> None:
        self._call("POST", f"/element/{element}/click", {})

    def sign_in(self, url: str, *, name: str, password: str, known: Sequence[str], timeout: float = 60.0) -> list[str]:
        """Open *url* and do what its pages ask for; return the addresses that were seen, queries removed."""
        seen: list[str] = []
        deadline = time.monotonic() + timeout
        self.go(url)
        while time.monotonic() < deadline:
            try:
                here = self.url
                page = here.partition("?")[0]
                if not seen or seen[-1] != page:
                    seen.append(page)
                if here.startswith("http://") and not any(here.startswith(origin) for origin in known):
                    return seen
                self._next(name, password)
            except BrowserError as error:
                if error.code not in _MOVED_ON:
                    raise
            time.sleep(0.1)
        raise AssertionError(f"the sign-in stopped at {seen}: {self.text[:1000]}")

    def _next(self, name: str, password: str) -> None:
        secrets = self.find("input[type=password]")
        if secrets:
            names = self.find("input[type=text], input[type=email], input:not([type])")
            if names:
                self.type(names[0], name)
            self.type(secrets[0], password)
        buttons = self.find("form button[type=submit], form input[type=submit], form button:not([type])")
        if buttons:
            self.click(buttons[0])


class BrowserError(Exception):
    """What chromedriver answers when it can't do as asked; ``code`` is WebDriver's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


# The page changed between two questions.
_MOVED_ON = {"stale element reference", "no such element", "element not interactable", "element click intercepted"}


def _call(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as response:
            return json.load(response)["value"]
    except urllib.error.HTTPError as error:
        with error:
            value = json.load(error)["value"]
        raise BrowserError(value["error"], value["message"]) from None


@contextmanager
def run_browser(folder: Path) -> Iterator[Browser]:
    """Start chromedriver and one window with an empty profile."""
    driver, chromium = require("chromedriver", "chromium")
    port = free_port()
    profile = tempfile.mkdtemp(prefix="tunnelui-chromium-")
    env = {**os.environ, "HOME": profile, "TMPDIR": profile}
    with Process("chromedriver", [driver, f"--port={port}", "--allowed-ips=127.0.0.1"], folder, env=env) as process:
        try:
            process.wait_port(port)
            base = f"http://127.0.0.1:{port}"
            options = {"binary": chromium, "args": [*_FLAGS, f"--user-data-dir={profile}/profile"]}
            capabilities = {"browserName": "chrome", "acceptInsecureCerts": True, "goog:chromeOptions": options}
            answer = _call("POST", f"{base}/session", {"capabilities": {"alwaysMatch": capabilities}})
            yield Browser(base, answer["sessionId"])
            _call("DELETE", f"{base}/session/{answer['sessionId']}")
        finally:
            process.kill()
            shutil.rmtree(profile, ignore_errors=True)


class BrowserCommand:
    """A program for ``--browser-cmd``: opens the address in Chromium and signs *name* in.

    :param known: the origins of the proxy and of the identity provider.
    :param delay: seconds to wait before anything is done.
    """

    def __init__(self, folder: Path, *, name: str, password: str, known: Sequence[str], delay: float = 0.0) -> None:
        require("chromedriver", "chromium")
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "browser.log"
        self.path = folder / "browser"
        settings = {"name": name, "password": password, "known": list(known), "folder": str(folder), "delay": delay}
        file = folder / "browser.json"
        file.write_text(json.dumps(settings))
        self.path.write_text(
            f"#!/bin/sh\ncd '{REPOSITORY}' && exec '{sys.executable}' -m tests.peers.browser '{file}' \"$1\"\n"
        )
        self.path.chmod(0o755)

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What each run saw: ``url``, ``pages`` or ``error``."""
        if not self._log.exists():
            return []
        return [json.loads(line) for line in self._log.read_text().splitlines()]


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(settings["folder"])
    time.sleep(settings["delay"])
    outcome: dict[str, Any] = {"url": sys.argv[2].partition("?")[0]}
    try:
        with run_browser(folder / f"browser-{os.getpid()}") as browser:
            outcome["pages"] = browser.sign_in(
                sys.argv[2], name=settings["name"], password=settings["password"], known=settings["known"]
            )
            outcome["last"] = browser.text
            outcome["address"] = urlsplit(browser.url).path
    except (Exception, AssertionError) as error:
        outcome["error"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        with (folder / "browser.log").open("a") as log:
            log.write(json.dumps(outcome) + "\n")


if __name__ == "__main__":
    main()

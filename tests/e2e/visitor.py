"""A person with a very plain browser: follows redirects, keeps cookies, fills in forms. No script, no pictures.

As a program it serves ``--browser-cmd``; where a test is about pages or browsers, `tests.peers.browser` is used.
"""

from __future__ import annotations

import json
import ssl
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["VisitorCommand", "visit"]


class _Form(HTMLParser):
    """The first form of a page that has a button: its address, fields and whether it asks for a password."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.asks: dict[str, str] = {}
        self._open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form" and self.action is None:
            self.action, self._open = values.get("action") or "", True
        elif tag == "input" and self._open and values.get("name"):
            name, kind = values["name"] or "", values.get("type") or "text"
            self.fields[name] = values.get("value") or ""
            if kind in ("text", "email", "password"):
                self.asks[kind] = name

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False


def visit(url: str, *, name: str, password: str, ca_file: str, deliver: bool = True) -> str:
    """Sign *name* in at *url*, say yes to what is asked, and return the loopback address that the way ends at.

    :param deliver: whether that last address is called as well.
    """
    context = ssl.create_default_context(cafile=ca_file)
    with httpx.Client(verify=context, timeout=20, trust_env=False) as client:
        request = client.build_request("GET", url)
        for _ in range(20):
            response = client.send(request)
            if response.next_request is not None:
                request = response.next_request
                if request.url.scheme == "http" and "pomerium_jwt" in request.url.params:
                    if deliver:
                        client.send(request, follow_redirects=True).raise_for_status()
                    return str(request.url)
                continue
            form = _Form(response.text)
            assert response.status_code == 200, f"{response.status_code} at {response.url.path}: {response.text[-600:]}"
            assert form.action is not None, f"no form at {response.url.path}: {response.text[-600:]}"
            data = dict(form.fields)
            if "password" in form.asks:
                data[form.asks.get("email") or form.asks["text"]] = name
                data[form.asks["password"]] = password
            headers = {"Origin": f"{response.url.scheme}://{response.url.netloc.decode()}"}
            request = client.build_request("POST", response.url.join(form.action), data=data, headers=headers)
    raise AssertionError(f"no end of redirects and forms at {request.url.path}")


class VisitorCommand:
    """A program for ``--browser-cmd`` that signs *name* in after *delay* seconds; ``runs`` counts."""

    def __init__(self, folder: Path, *, name: str, password: str, ca_file: str, delay: float = 0.0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "visitor.log"
        self.path = folder / "visitor"
        settings = {"name": name, "password": password, "ca_file": ca_file, "delay": delay, "log": str(self._log)}
        file = folder / "visitor.json"
        file.write_text(json.dumps(settings))
        root = Path(__file__).resolve().parents[2]
        command: Sequence[str] = (sys.executable, "-m", "tests.e2e.visitor", str(file))
        quoted = " ".join(f"'{part}'" for part in command)
        self.path.write_text(f"#!/bin/sh\ncd '{root}' && exec {quoted} \"$1\"\n")
        self.path.chmod(0o755)

    @property
    def runs(self) -> list[str]:
        """One line for each run."""
        return self._log.read_text().splitlines() if self._log.exists() else []


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text())
    with Path(settings["log"]).open("a") as log:
        log.write(sys.argv[2].partition("?")[0] + "\n")
    time.sleep(settings["delay"])
    visit(sys.argv[2], name=settings["name"], password=settings["password"], ca_file=settings["ca_file"])


if __name__ == "__main__":
    main()

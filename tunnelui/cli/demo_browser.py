"""What a browser does in a sign-in, for `tunnelui.cli.demo_check`: over HTTP, from the address that the proxy gave to
the loopback address at the end.
"""

from __future__ import annotations

import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import httpx

from tunnelui.errors import SignInFailed
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["browse"]


class _Form(HTMLParser):
    """The first form of a page: where it goes, and its fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = names.get("action") or ""
        elif tag in ("input", "button") and self.action is not None and names.get("name"):
            self.fields.setdefault(str(names["name"]), names.get("value") or "")


def browse(url: str, answers: Mapping[str, str], *, timeout: float) -> None:
    """Follow the sign-in at *url* to its end, filling *answers* into the forms on the way. Blocks.

    :raises SignInFailed: a page is an error, or can't be had within *timeout* seconds.
    """
    deadline = time.monotonic() + timeout
    try:
        with httpx.Client(follow_redirects=True, timeout=timeout / 3, trust_env=False) as browser:
            page = browser.get(url)
            while page.is_success and (form := _form(page)).action is not None and time.monotonic() < deadline:
                target = urljoin(str(page.url), form.action)
                origin = urlsplit(target)
                page = browser.post(
                    target,
                    data={name: answers.get(name, value) for name, value in form.fields.items()},
                    headers={"Origin": f"{origin.scheme}://{origin.netloc}", "Sec-Fetch-Site": "same-origin"},
                )
    except httpx.HTTPError as error:
        raise SignInFailed(f"the browser failed: {clean(str(error)) or type(error).__name__}") from error
    if not page.is_success:
        raise SignInFailed(f"the sign-in ended with {page.status_code}")


def _form(page: httpx.Response) -> _Form:
    form = _Form()
    if page.headers.get("content-type", "").startswith("text/html"):
        form.feed(page.text)
    return form

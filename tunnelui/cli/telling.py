"""What ``tunnelui tcp`` says while it runs: events as JSON, or as words for people."""

from __future__ import annotations

import math
import sys
from functools import partial
from typing import IO, TYPE_CHECKING

from tunnelui.cli.output import json_line, print_news, print_note, takes_text, write_unbuffered
from tunnelui.engine.model import to_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tunnelui.engine.model import Event

__all__ = ["announce", "is_told", "lines", "tell_all", "tell_other_ways", "tell_stdio"]


def announce(url: str, browser: bool) -> None:
    """Print the address of a sign-in.

    :param browser: whether one is started.
    """
    if browser:
        print_note(f"Your browser should open. If it does not, open this address to sign in:\n\n  {url}\n")
    else:
        print_note(f"Open this address in a browser on this machine to sign in:\n\n  {url}\n")
    tell_other_ways()


def tell_other_ways(first: str = "Stop this and run") -> None:
    """Say how to sign in where no browser can open, if that is here: the address leads back to this machine."""
    from tunnelui.auth.browser import browser_command  # here: few commands need a sign-in

    if not browser_command(""):
        print_note(f"No browser on this machine? {first}: tunnelui login --device (or --paste)")


async def tell_all(events: AsyncIterator[Event], *, as_json: bool) -> None:
    """Tell every event until they end.

    A reader that does not read (a full pipe, a terminal stopped with Ctrl-S) holds up the telling and nothing else: no
    tunnel waits for it, and the event loop does not either.
    """
    from tunnelui.auth.blocking import BlockingCalls  # here: a tunnel over standard input and output needs none

    calls = BlockingCalls("output")
    async for event in events:
        for text, is_result in lines(event, as_json=as_json):
            stream: IO[str] | None = sys.stdout if is_result else sys.stderr
            if stream is None or takes_text(stream, text):
                (print_news if is_result else print_note)(text)
            else:
                await calls.run(partial(write_unbuffered, stream, text), timeout=math.inf)


def tell_stdio(event: Event, *, as_json: bool) -> None:
    """Tell what happens to the one tunnel of ``--listen -``: on standard error, since the other one is the tunnel's."""
    if as_json:
        print_note(json_line(to_json(event)))
    elif event.kind in ("retry", "note") and not _is_told_otherwise(event):
        print_note(f"tunnelui: {event.message}")


def lines(event: Event, *, as_json: bool) -> list[tuple[str, bool]]:
    """Return what to print for *event*: each text, and whether it is a result (standard output) or a note."""
    if as_json:
        return [(json_line(to_json(event)), True)]
    if event.kind == "listening":
        # The address alone, for scripts; the sentence is for people.
        local, data = event.data["local"], event.data
        return [(local, True), (f"{local} leads to {data['target']} through {data['proxy']}", False)]
    if event.kind == "signed_in":
        return [(event.message, False)]
    if event.level not in ("warning", "error") or _is_told_otherwise(event):
        return []
    text = f"{event.route or 'tunnelui'}: {event.message}"
    if event.data.get("request_id"):
        text += f" (request {event.data['request_id']})"
    # What is tried again by itself needs no next step yet; the last try gives it.
    hint = event.data.get("hint") if event.kind != "retry" else ""
    return [(f"{text}\n  {hint}" if hint else text, False)]


def is_told(event: Event) -> bool:
    """Whether people are told of *event*."""
    return bool(lines(event, as_json=False))


def _is_told_otherwise(event: Event) -> bool:
    """Whether something else says the same: the event before a change of state, the error that ends the command where
    an address does not listen, and the connections that fail with a sign-in.
    """
    if event.kind == "failed":
        return event.connection is None
    return event.kind == "state" or (event.kind == "note" and "code" in event.data)

"""What makes tests of the screens quick without changing what they prove: waiting until nothing is left to do, instead
of for a time that is hopefully long enough, and reading each style sheet once in a process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from textual.css.stylesheet import Stylesheet

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from textual.css.model import RuleSet
    from textual.css.types import CSSLocation

__all__ = ["be_quick", "until_quiet"]

_SOON = 0.02
"""Seconds: a timer that is due by then is waited for."""
_PATIENCE = 20.0
_at_work: set[asyncio.Future[Any]] = set()
_begin = asyncio.BaseEventLoop.run_in_executor
_sheets: dict[tuple[object, ...], list[RuleSet]] = {}
_parse = Stylesheet._parse_rules


async def until_quiet(least: float = 0.0, most: float = 1.0) -> None:
    """Wait until every task waits, no thread works for one, and no timer is due soon.

    Takes the place of `textual._wait.wait_for_idle`, which sleeps for 20 ms and longer: this one takes as long as
    there is something to do, on a busy machine as well, and is done then. Threads and timers are waited for *most*
    seconds; while other processes have the machine none of them pass.
    """
    loop: Any = asyncio.get_running_loop()
    begun = loop.time()
    waited = 0.0
    while waited < most and loop.time() - begun < _PATIENCE:
        await asyncio.sleep(0)
        if loop._ready:
            continue
        now = loop.time()
        if _at_work or anyio.to_thread.current_default_thread_limiter().borrowed_tokens:
            pause = 0.001
        else:
            due = min((timer.when() for timer in loop._scheduled if not timer.cancelled()), default=now + most)
            if due - now > _SOON:
                if now - begun >= least:
                    return
                due = begun + least
            pause = max(0.0, due - now)
        waited += max(pause, 0.001)
        await asyncio.sleep(pause)


def be_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Textual's pilot wait by `until_quiet`, and every application of this process have the same style sheets."""
    monkeypatch.setattr("textual.app.wait_for_idle", until_quiet)
    monkeypatch.setattr("textual.pilot.wait_for_idle", until_quiet)
    monkeypatch.setattr(asyncio.BaseEventLoop, "run_in_executor", _begin_counted)
    monkeypatch.setattr(Stylesheet, "_parse_rules", _parse_once)


def _begin_counted(
    self: asyncio.BaseEventLoop, executor: Any, function: Callable[..., Any], *args: Any
) -> asyncio.Future[Any]:
    future = _begin(self, executor, function, *args)
    _at_work.add(future)
    future.add_done_callback(_at_work.discard)
    return future


def _parse_once(
    self: Stylesheet,
    css: str,
    read_from: CSSLocation,
    is_default_rules: bool = False,
    tie_breaker: int = 0,
    scope: str = "",
) -> list[RuleSet]:
    """The same text with the same colours gives the same rules, which nobody changes."""
    key = (css, read_from, is_default_rules, tie_breaker, scope, frozenset(self._variables.items()))
    if key not in _sheets:
        _sheets[key] = _parse(self, css, read_from, is_default_rules, tie_breaker, scope)
    return _sheets[key]

"""One sign-in: the loopback server, the proxy's sign-in address, the browser, and the token that comes back."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio

# The parts of a sign-in are imported when one begins: most runs have a token and need none of them.
from tunnelui.errors import AuthError, SignInFailed, TunnelError
from tunnelui.frozen import frozen

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tunnelui.auth.callback import CallbackServer
    from tunnelui.auth.tokens import Token
    from tunnelui.auth.turn import Turn
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["SignIn", "SignInOptions", "SignInState"]

_LOOK: Final = 2.0
_OTHERS: Final = "another command of tunnelui has a browser open for this sign-in; this one waits for it"
_PAGE_TIME: Final = 2.0  # seconds that the browser has to fetch its last page


def _nowhere() -> None: ...


@frozen
class SignInOptions:
    """How sign-ins are made.

    :param browser_cmd: one program, run as ``PROGRAM URL``; the system's browser by default.
    :param open_browser: whether a browser is started at all.
    :param deadline: seconds until a sign-in gives up.
    :param ssl_context: makes the TLS settings for the proxy; called in a worker thread.
    :param turns: makes the folder where processes agree on which of them opens a browser (`tunnelui.auth.turn`);
        ``None`` where there can be none.
    :param announce: called with the address to open, on the event loop, and whether a browser is started; prints it.
    """

    browser_cmd: str | None = None
    open_browser: bool = True
    deadline: float = 300.0
    ssl_context: Callable[[], ssl.SSLContext] | None = None
    turns: Callable[[], Path | None] = _nowhere
    announce: Callable[[str, bool], None] | None = None


@frozen
class SignInState:
    """What a person sees of it. Times are Unix seconds; *url* is empty until the proxy has given it."""

    started_at: float
    deadline_at: float
    url: str = ""
    note: str = ""


class SignIn:
    """One attempt. `run` does it, `deliver` finishes it from outside.

    :param on_change: called when `state` has changed.
    """

    def __init__(self, proxy: ProxyOrigin, options: SignInOptions, on_change: Callable[[], None]) -> None:
        self._proxy = proxy
        self._options = options
        self._on_change = on_change
        now = time.time()
        self.state = SignInState(started_at=now, deadline_at=now + options.deadline)
        self._ended = anyio.Event()
        self._token: Token | None = None
        self._error: AuthError | None = None

    def turns(self) -> Path | None:
        """See `SignInOptions`."""
        return self._options.turns()

    def deliver(self, token: Token) -> None:
        """Finish with *token*: from the browser's address, or pasted. The first one counts."""
        if not self._ended.is_set():
            self._token = token
            self._ended.set()

    async def run(
        self,
        done: Callable[[Token], None],
        look: Callable[[], Awaitable[Token | None]] | None = None,
        *,
        often: bool = False,
        turn: Turn | None = None,
    ) -> None:
        """Lead the person to a token and call *done* with it at once; return when the browser has its last page.

        :param look: says whether the person has signed in elsewhere; asked again and again with *often*.
        :param turn: no browser is opened while another process has it. The caller releases it.
        :raises SignInFailed: the time is up (code ``timeout``), the proxy gave no sign-in address, or the TLS settings
            can't be used.
        """
        from tunnelui.auth.callback import CallbackServer

        with anyio.move_on_after(self._options.deadline) as scope:
            async with CallbackServer(self.deliver) as callback, anyio.create_task_group() as tasks:
                tasks.start_soon(callback.serve)
                tasks.start_soon(self._lead, callback.url, turn, look)
                if look is not None and often:
                    tasks.start_soon(self._look, look)
                await self._ended.wait()
                scope.deadline = math.inf
                if self._token is not None:
                    done(self._token)
                    await self._wait_for_page(callback)
                tasks.cancel_scope.cancel()
        if self._error is not None:
            raise self._error
        if scope.cancelled_caught:
            raise SignInFailed(
                f"nobody signed in within {_duration(self._options.deadline)}",
                code="timeout",
                hint="Try again, or sign in beforehand: tunnelui login (--device or --paste where no browser opens).",
            )

    async def _wait_for_page(self, callback: CallbackServer) -> None:
        if callback.has_token:  # a pasted token has no browser waiting for a page
            with anyio.move_on_after(_PAGE_TIME):
                await callback.page_shown.wait()

    async def _look(self, look: Callable[[], Awaitable[Token | None]]) -> None:
        while True:
            await anyio.sleep(_LOOK)
            token = await look()
            if token is not None:
                self.deliver(token)

    async def _lead(
        self, redirect_uri: str, turn: Turn | None, look: Callable[[], Awaitable[Token | None]] | None
    ) -> None:
        from tunnelui.auth.browser import open_browser
        from tunnelui.auth.login_url import fetch_login_url

        try:
            url = await fetch_login_url(self._proxy, redirect_uri, ssl_context=self._options.ssl_context)
        except TunnelError as error:
            self._fail(error)
            return
        self._change(url=url)
        opens = self._options.open_browser
        ours = turn is None or not opens or turn.take()
        if self._options.announce is not None:
            self._options.announce(url, opens and ours)
        if not ours:
            self._change(note=_OTHERS)
            if await self._wait_for_others(turn, look):
                return
            self._change(note="")
        if opens:
            note = await open_browser(url, program=self._options.browser_cmd)
            if note:
                self._change(note=note)

    async def _wait_for_others(self, turn: Turn | None, look: Callable[[], Awaitable[Token | None]] | None) -> bool:
        """Wait for the process that opens the browser; return whether it has left a token."""
        while turn is not None:
            if turn.take():
                break
            await anyio.sleep(_LOOK)
        token = await look() if look is not None else None
        if token is not None:
            self.deliver(token)
        return token is not None

    def _fail(self, error: TunnelError) -> None:
        if not self._ended.is_set():
            self._error = error if isinstance(error, AuthError) else _wrap(error)
            self._ended.set()

    def _change(self, *, url: str | None = None, note: str | None = None) -> None:
        self.state = replace(
            self.state, url=self.state.url if url is None else url, note=self.state.note if note is None else note
        )
        self._on_change()


def _wrap(error: TunnelError) -> SignInFailed:
    # The TLS settings name files; a wrong one shows here first when no connection was made before.
    return SignInFailed(str(error), code=error.code, hint=error.hint)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"

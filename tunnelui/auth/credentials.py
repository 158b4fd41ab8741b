"""Who we are at one proxy: the token that counts now, and the one sign-in that everybody shares.

The rules:

* A service account goes before everything and is never stored.
* Only `Credentials.renew` with the token that the proxy refused, and `Credentials.sign_out`, take a token away. An
  expired one is kept and offered: clocks differ, and the proxy decides.
* At any time there is one *flight* (a sign-in under way) or none. All who need a token wait for it and share its end,
  good or bad: a failed flight is not begun again by those who waited for it. The next one to ask may begin another.
* A waiter that is cancelled leaves alone; the flight goes on even without waiters, because a person may be half-way
  through it in the browser. It ends by a token, a failure, its deadline, `Credentials.cancel`, or the end of the task
  group.
* Before a browser opens, the store is read again: another process may have signed in meanwhile. While a sign-in is
  under way, a token that another process saves ends it.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

from tunnelui.auth.credential_status import CredentialStatus
from tunnelui.auth.tokens import Token
from tunnelui.auth.vault import Vault
from tunnelui.errors import AuthError, SignInNeeded, TunnelError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from anyio import Event

    from tunnelui.auth.credential_status import IdentityWord
    from tunnelui.auth.flight import Flight
    from tunnelui.auth.service_account import ServiceAccount
    from tunnelui.auth.sign_in import SignInOptions
    from tunnelui.auth.token_store import TokenKey, TokenStore

__all__ = ["Credentials", "Tasks"]


class Tasks(Protocol):
    """What runs in the background: an `anyio.abc.TaskGroup`, or less."""

    def start_soon(self, function: Callable[..., Coroutine[Any, Any, Any]], /, *arguments: Any) -> object:
        """Run *function*, as long as the tasks are not cancelled."""


class Credentials:
    """One per profile and proxy.

    :param tasks: owns the sign-in and the saving of its token; cancelling it ends them.
    :param options: is asked when a sign-in begins.
    :param interactive: whether `renew` may begin a sign-in; `begin` always may.
    :param on_change: called on the event loop whenever `status` may have changed. It must not raise.
    """

    def __init__(
        self,
        key: TokenKey,
        store: TokenStore,
        *,
        tasks: Tasks,
        options: Callable[[], SignInOptions],
        service_account: ServiceAccount | None = None,
        interactive: bool = True,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.key = key
        self.interactive = interactive
        self._vault = Vault(key, store, on_change)
        self._tasks = tasks
        self._options = options
        self._service_account = service_account
        self._on_change = on_change
        self._token: Token | None = None
        self._loaded = False
        self._loading = asyncio.Lock()
        self._flight: Flight | None = None
        self._landing: Flight | None = None
        self._problem: TunnelError | None = None
        self._problem_at: float | None = None
        self._tokens = 0

    async def current(self) -> Token | None:
        """Return the service account's token, or the cached one; ``None`` when there is none. No network.

        The store is asked once, by the first caller; trouble with it counts as no token and shows in `status`.

        :raises tunnelui.errors.ConfigError: the service account can't be read.
        """
        if self._service_account is not None:
            if self._token is None:
                self._token = await self._service_account.token()
                self._on_change()
            return self._token
        if not self._loaded:
            async with self._loading:
                if not self._loaded:
                    token = await self._vault.load()
                    if not self._loaded:  # a token that was pasted meanwhile is newer
                        self._token = token
                        self._loaded = True
                    self._on_change()
        return self._token

    async def renew(self, rejected: Token | None, *, route: str = "") -> Token:
        """The proxy answered 30x or 401 to *rejected* (``None``: to no token). Return another one.

        A newer token that is already here is returned at once; otherwise the one sign-in is joined or begun.

        :param route: shown as waiting meanwhile.
        :raises AuthError: the service account was refused (code ``service_account``).
        :raises SignInNeeded: nobody may be asked here.
        :raises SignInFailed: cancelled (code ``cancelled``), too late (``timeout``), or the proxy gave no address.
        :raises tunnelui.errors.ConfigError: the service account can't be read.
        """
        if self._service_account is not None:
            return await self._renew_service_account(self._service_account, rejected)
        if self._token is not None:
            if self._token != rejected:
                return self._token
            self._token = None
            if self._flight is not None:
                self._tasks.start_soon(self._vault.replace_refused, rejected)
        self._loaded = True
        flight = self._flight or self._take_off(rejected, sign_in=self.interactive)
        flight.routes.append(route)
        self._on_change()
        try:
            await flight.ended.wait()
        finally:
            flight.routes.remove(route)
            self._on_change()
        return flight.result()

    async def begin(self) -> None:
        """Begin a sign-in because the person asks for it, or do nothing when one is under way.

        The present token stays until the new one is there.

        :raises AuthError: a service account is used here (code ``service_account``).
        """
        self._begin()

    async def sign_in(self) -> Token:
        """`begin`, then wait for the end; with a token also until the browser has its last page and it is saved.

        For a command that ends then.

        :raises AuthError: as `begin` and `renew`.
        """
        flight = self._begin()
        await flight.ended.wait()
        token = flight.result()
        await flight.landed.wait()
        await flight.saved.wait()
        return token

    async def cancel(self) -> None:
        """End the sign-in under way; who waits gets `SignInFailed` with code ``cancelled``. No effect without one."""
        self._cancel()

    async def paste(self, text: str) -> Token:
        """Take a token, or the address that the browser ended on; finish the sign-in under way, if any, and save it.

        Returns when it is saved, or the store has failed.

        :raises SignInFailed: the text holds no token (code ``no_token``).
        :raises AuthError: a service account is used here.
        """
        token = Token.parse(text)
        self._refuse_with_service_account()
        flight = self._flight
        if flight is not None:
            self._land(flight, token)  # who waits goes on at once
            flight.scope.cancel()
            await flight.saved.wait()
            return token
        self._accept(token)
        await self._save(token)
        return token

    async def refresh(self) -> None:
        """Ask the store again: another process has signed in or out. A sign-in under way ends with a token that is new
        there, and those who wait for it go on.
        """
        if self._service_account is not None:
            return
        token = await self._vault.load()
        if (flight := self._flight) is None:
            self._token, self._loaded = token, True
            self._on_change()
        elif flight.sign_in is not None and self._is_newer(token, flight):
            flight.sign_in.deliver(token)

    async def settle(self) -> None:
        """Wait, a moment at most, until the browser of the last sign-in that succeeded has its last page."""
        if self._landing is not None:
            await self._landing.landed.wait()

    async def sign_out(self) -> None:
        """Forget the token, here and in the store, and end a sign-in under way.

        :raises tunnelui.auth.token_store.StoreError: the store still has it.
        """
        self._cancel()
        if self._service_account is not None:
            return
        self._token, self._loaded = None, True
        self._problem = self._problem_at = None
        self._on_change()
        try:
            await self._vault.delete()
        finally:
            self._on_change()

    def status(self) -> CredentialStatus:
        """Return the picture of now; cheap."""
        token, flight = self._token, self._flight
        sign_in = flight.sign_in.state if flight is not None and flight.sign_in is not None else None
        return CredentialStatus(
            status=self._word(),
            name=token.name if token else "",
            expires_at=token.expires_at if token else None,
            store=self._vault.kind if self._service_account is None else "",
            note=self._vault.note,
            signing_in=sign_in is not None,
            started_at=sign_in.started_at if sign_in else None,
            deadline_at=sign_in.deadline_at if sign_in else None,
            url=sign_in.url if sign_in else "",
            sign_in_note=sign_in.note if sign_in else "",
            waiting=tuple(dict.fromkeys(filter(None, flight.routes))) if flight else (),
            problem=self._problem,
            problem_at=self._problem_at,
            tokens=self._tokens,
        )

    def _word(self) -> IdentityWord:
        if self._service_account is not None:
            return "service account"
        if self._token is None:
            return "signed out"
        return "expired" if self._token.is_expired(time.time()) else "signed in"

    def _begin(self) -> Flight:
        self._refuse_with_service_account()
        if self._flight is not None and self._flight.sign_in is None:
            self._cancel()  # it only asks the store; this one does more
        return self._flight or self._take_off(None, sign_in=True, asked=True)

    def _cancel(self) -> None:
        if (flight := self._flight) is not None:
            self._fail(flight, flight.cancellation())
            flight.scope.cancel()

    async def _renew_service_account(self, account: ServiceAccount, rejected: Token | None) -> Token:
        token = await account.token()  # a file may have been replaced
        self._token = token
        if token != rejected:
            self._on_change()
            return token
        expired = " It has expired." if token.is_expired(time.time()) else ""
        error = AuthError(
            f"the proxy {self.key.proxy} refused the service account",
            code="service_account",
            hint=f"Check {account.place}: it may be revoked, or for another proxy.{expired}",
        )
        self._note_problem(error)
        raise error

    def _refuse_with_service_account(self) -> None:
        if self._service_account is not None:
            raise AuthError(
                "a service account is used here, so nobody signs in",
                code="service_account",
                hint=f"Leave {self._service_account.place} out to sign in as a person.",
            )

    def _take_off(self, rejected: Token | None, *, sign_in: bool, asked: bool = False) -> Flight:
        # Here, since most runs have a token.
        from tunnelui.auth.flight import Flight
        from tunnelui.auth.sign_in import SignIn

        attempt = SignIn(self.key.proxy, self._options(), self._on_change) if sign_in else None
        flight = self._flight = Flight(attempt, rejected)
        self._problem = self._problem_at = None
        self._tasks.start_soon(self._fly, flight, asked)
        self._on_change()
        return flight

    async def _fly(self, flight: Flight, asked: bool) -> None:
        try:
            with flight.scope:
                if not asked and await self._found_in_store(flight):
                    return
                if flight.sign_in is None:
                    self._fail(flight, _needed(self.key))
                else:
                    often = self._vault.kind == "file"  # not the keyring: a locked one may ask with each look
                    flight.known = await self._vault.load() if asked and often else None
                    land, look = partial(self._land, flight), partial(self._newer, flight)
                    shared = self._vault.kind != "memory"
                    await flight.lead(self.key if shared else None, land, look, asked=asked, often=often)
        except AuthError as error:
            self._fail(flight, error)
        finally:
            self._fail(flight, flight.cancellation())  # no effect when it has ended
            flight.landed.set()

    async def _found_in_store(self, flight: Flight) -> bool:
        """Take over what another process has saved; forget the token that the proxy refused."""
        token = await self._vault.replace_refused(flight.rejected)
        if token is None or token.is_expired(time.time()) or flight.ended.is_set():
            return False
        self._accept(token)
        self._end(flight, token=token)
        flight.saved.set()
        return True

    async def _newer(self, flight: Flight) -> Token | None:
        """Return a token that another process has saved since *flight* began."""
        token = await self._vault.load()
        return token if self._is_newer(token, flight) else None

    def _is_newer(self, token: Token | None, flight: Flight) -> TypeGuard[Token]:
        old = (flight.rejected, flight.known, self._token)
        return token is not None and token not in old and not token.is_expired(time.time())

    def _land(self, flight: Flight, token: Token) -> None:
        if not flight.ended.is_set():
            self._landing = flight
            self._accept(token)
            self._end(flight, token=token)
            # Those who wait go on at once; a slow keyring delays nobody.
            self._tasks.start_soon(self._save, token, flight.saved)

    def _fail(self, flight: Flight, error: AuthError) -> None:
        if not flight.ended.is_set():
            self._end(flight, error=error)
            if not flight.was_cancelled:
                self._note_problem(error)

    def _end(self, flight: Flight, *, token: Token | None = None, error: AuthError | None = None) -> None:
        flight.token, flight.error = token, error
        flight.ended.set()
        if self._flight is flight:
            self._flight = None
        self._on_change()

    def _accept(self, token: Token) -> None:
        self._token, self._loaded = token, True
        self._tokens += 1
        self._problem = self._problem_at = None
        self._on_change()

    def _note_problem(self, error: TunnelError) -> None:
        self._problem, self._problem_at = error, time.time()
        self._on_change()

    async def _save(self, token: Token, saved: Event | None = None) -> None:
        try:
            await self._vault.save(token, lambda: self._token == token)
        finally:
            if saved is not None:
                saved.set()
            self._on_change()


def _needed(key: TokenKey) -> SignInNeeded:
    return SignInNeeded(
        f"the proxy {key.proxy} wants a sign-in, and this run may not ask for one",
        hint="Run “tunnelui login” first, or give a service account.",
    )

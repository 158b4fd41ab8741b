"""``tunnelui login``: sign in at a proxy before any tunnel needs it."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from tunnelui.auth.stores import open_store
from tunnelui.cli.agent_link import tell_agent
from tunnelui.cli.certificate_prompt import with_passwords
from tunnelui.cli.context import chosen_proxy, profile_from, service_account_from, settings_from
from tunnelui.cli.identity import open_credentials
from tunnelui.cli.options import add_identity_flags, add_json_flag, add_proxy_flags
from tunnelui.cli.output import Exit, error_text, print_json, print_line, print_note
from tunnelui.cli.paste import SecretLines
from tunnelui.cli.stopping import until_signal
from tunnelui.cli.telling import tell_other_ways
from tunnelui.cli.times import until
from tunnelui.engine.identities import Contexts
from tunnelui.engine.model import Event, to_json
from tunnelui.errors import AuthError, ConfigError, LocalError, SignInFailed
from tunnelui.text import without_query

if TYPE_CHECKING:
    import argparse
    import ssl

    from tunnelui.auth.credentials import Credentials
    from tunnelui.auth.token_store import TokenStore
    from tunnelui.auth.tokens import Token
    from tunnelui.cli.options import Parser
    from tunnelui.config.profile import Profile
    from tunnelui.config.settings import Settings
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "where",
        nargs="?",
        metavar="PROXY|ROUTE|DESTINATION",
        help="where to sign in; not needed when only one proxy is known",
    )
    parser.add_switch("--paste", help="open nothing; take the address that a browser elsewhere ended on")
    parser.add_switch("--device", help="print a short code, to be entered in a browser on any machine")
    add_json_flag(parser)
    add_proxy_flags(parser)
    add_identity_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_from(arguments)
    settings = with_passwords(settings, [profile_from(arguments, settings).name])
    if arguments.device and arguments.paste:
        raise ConfigError("--device and --paste are two ways to sign in", place="--device", hint="Choose one of them.")
    return anyio.run(until_signal, partial(_login, arguments, settings))


async def _login(arguments: argparse.Namespace, settings: Settings) -> int:
    profile = profile_from(arguments, settings)
    proxy = chosen_proxy(arguments, profile, settings)
    store = await _lasting_store(settings)
    async with open_credentials(
        store,
        profile,
        proxy,
        service_account=service_account_from(arguments)(profile),
        open_browser=not arguments.paste,
        announce=lambda url, browser: _announce(profile, proxy, url, as_json=arguments.json),
        tell=lambda note: _tell(profile, proxy, note, as_json=arguments.json),
    ) as credentials:
        if arguments.device:
            token = await _by_code(credentials, profile, as_json=arguments.json)
        elif arguments.paste:
            token = await _sign_in_or_paste(credentials)
        else:
            token = await credentials.sign_in()
        # Waits until it is kept, and fails when it can't be: a token that is gone with this command is worth nothing.
        await store.save(credentials.key, token)
    await tell_agent("refresh_identity", profile=profile.name, proxy=str(proxy))
    if arguments.json:
        facts = {"name": token.name, "expires_at": token.expires_at, "store": store.kind}
        _print_event("signed_in", f"signed in at {proxy}", profile, proxy, **facts)
        return Exit.DONE
    name = token.name or "a session without a name"
    print_line(f"Signed in at {proxy} as {name}{until(token.expires_at, time.time())}.")
    if not token.name and token.expires_at is None:
        print_note(
            "The token tells neither who nor until when. Is it the whole one? Only the proxy can say: diagnose asks it."
        )
    return Exit.DONE


async def _lasting_store(settings: Settings) -> TokenStore:
    """Return a store that outlives this command; better to know before somebody signs in than after.

    :raises ConfigError: a store in memory was asked for.
    :raises LocalError: there is no usable keyring.
    """
    store, note = await open_store(configured=settings.token_store, probe=True)
    if note:
        raise LocalError(f"there is no place to keep a token: {note}", code="token_store")
    if store.kind == "memory":
        raise ConfigError(
            "a token in memory is gone when this command ends",
            place="--token-store",
            hint="Sign in where the tunnel runs, or choose keyring or file.",
        )
    return store


def _tell(profile: Profile, proxy: ProxyOrigin, note: str, *, as_json: bool) -> None:
    if as_json:
        _print_event("note", note, profile, proxy)
    else:
        print_note(note)


def _print_event(kind: str, message: str, profile: Profile, proxy: ProxyOrigin, **data: Any) -> None:
    facts = {"profile": profile.name, "proxy": str(proxy), **data}
    level = "warning" if kind == "note" else "info"
    print_json(to_json(Event(kind, time.time(), message, level, data=facts)))


def _announce(profile: Profile, proxy: ProxyOrigin, url: str, *, as_json: bool) -> None:
    if as_json:
        deadline = time.time() + profile.sign_in_timeout
        facts = {"url": url, "waiting": [], "deadline_at": deadline}
        _print_event("sign_in", f"sign in at {without_query(url)}", profile, proxy, **facts)
        return
    print_note(f"Open this address in a browser to sign in:\n\n  {url}\n")
    tell_other_ways()


async def _by_code(credentials: Credentials, profile: Profile, *, as_json: bool) -> Token:
    from tunnelui.auth.device import request_device_code, wait_for_token

    proxy, contexts = credentials.key.proxy, Contexts()

    def make_context() -> ssl.SSLContext:
        return contexts.make(profile)

    code = await request_device_code(proxy, make_context)
    if as_json:
        deadline = time.time() + code.expires_at - time.monotonic()
        facts = {"url": code.url, "user_code": code.user_code, "waiting": [], "deadline_at": deadline}
        _print_event("sign_in", f"enter {code.user_code} at {code.url}", profile, proxy, **facts)
    else:
        words = f"open\n\n  {code.url}\n\nand enter the code\n\n  {code.user_code}\n"
        print_note(f"In a browser on any machine, {words}")
    token = await wait_for_token(proxy, code, make_context)
    return await credentials.paste(token.value)


async def _sign_in_or_paste(credentials: Credentials) -> Token:
    """Whichever comes first: the pasted address, or the browser's own way back to this machine."""
    tokens: list[Token] = []
    failures: list[AuthError] = []
    async with anyio.create_task_group() as tasks:

        async def by_browser() -> None:
            try:
                tokens.append(await credentials.sign_in())
            except AuthError as error:
                if not os.isatty(0):  # what is in the pipe may be a good token all the same
                    print_note(error_text(error))
                    return
                failures.append(error)
            tasks.cancel_scope.cancel()

        tasks.start_soon(by_browser)
        try:
            token = await _pasted(credentials)
            tokens.append(token)
        except AuthError as error:
            failures.append(error)
        tasks.cancel_scope.cancel()
    if tokens:
        return tokens[0]
    raise failures[0]


async def _pasted(credentials: Credentials) -> Token:
    lines = SecretLines()
    if os.isatty(0):
        print_note("When the browser can't show the last page, paste its address here (nothing is shown), then Enter:")
    while True:
        line = await lines.next()
        if not line:
            raise SignInFailed("nothing was pasted", code="no_token", hint="Run it again and paste the address.")
        try:
            return await credentials.paste(line)
        except SignInFailed as error:
            print_note(f"{error}\n  {error.hint}")

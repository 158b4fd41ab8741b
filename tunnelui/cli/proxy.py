"""``tunnelui proxy``: SOCKS5 and HTTP CONNECT on one port, for programs that know a service by its real name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import anyio

from tunnelui.auth.stores import open_store
from tunnelui.cli.certificate_prompt import with_passwords
from tunnelui.cli.context import saved_routes, service_account_from, settings_for_saved
from tunnelui.cli.options import add_identity_flags, add_json_flag, add_proxy_flags, read_listen
from tunnelui.cli.output import Exit, json_line, print_line, print_note
from tunnelui.cli.stopping import Interrupted, until_signal
from tunnelui.cli.telling import announce, tell_all
from tunnelui.engine.following import follow_file
from tunnelui.engine.forward import ForwardProxy
from tunnelui.engine.forwarding import covering, is_loopback
from tunnelui.engine.hub import EventHub
from tunnelui.engine.local import LocalEngine
from tunnelui.engine.model import Event, to_json
from tunnelui.engine.programs import ProgramTunnel, announced
from tunnelui.errors import ConfigError
from tunnelui.transport.listen import accept_loop, close_listeners, local_address, open_listener
from tunnelui.transport.resolver import system_resolver
from tunnelui.wire.address import StdioListen, TCPListen, parse_listen

if TYPE_CHECKING:
    import argparse
    import socket
    from collections.abc import AsyncIterator

    from tunnelui.cli.options import Parser
    from tunnelui.config.settings import Settings
    from tunnelui.wire.address import UnixListen

__all__ = ["add_arguments", "run"]

_LISTEN: Final = "127.0.0.1:1080"


def add_arguments(parser: Parser) -> None:
    parser.add_flag("--listen", metavar="ADDRESS", read=read_listen, help=f"local address, {_LISTEN} by default")
    parser.add_switch("--direct", help="dial from here what no route covers; otherwise it is refused")
    add_json_flag(parser)
    add_proxy_flags(parser)
    add_identity_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_for_saved(arguments)
    address = _address(arguments)
    settings = with_passwords(settings, [route.profile for route in saved_routes().load()])
    try:
        return anyio.run(until_signal, lambda: _serve(arguments, settings, address))
    except Interrupted:
        return Exit.DONE


def _address(arguments: argparse.Namespace) -> TCPListen | UnixListen:
    address = parse_listen(arguments.listen or _LISTEN)
    if isinstance(address, StdioListen):
        raise ConfigError("a proxy needs an address to listen on", place="--listen")
    if arguments.direct and isinstance(address, TCPListen) and not is_loopback(address.host):
        raise ConfigError(
            f"with --direct, {address} would let everybody on the network dial through this machine",
            place="--direct",
            hint="Listen on 127.0.0.1, or leave --direct out.",
        )
    return address


async def _serve(arguments: argparse.Namespace, settings: Settings, address: TCPListen | UnixListen) -> int:
    store, _ = await open_store(configured=settings.token_store)
    hub = EventHub()
    engine = LocalEngine(
        settings=settings,
        store=store,
        routes=saved_routes(),
        announce=None if arguments.json else announce,
        service_account=service_account_from(arguments),
    )
    listeners = open_listener(address)
    try:
        async with engine, anyio.create_task_group() as tasks:
            proxy = ForwardProxy(
                covering(lambda: [one.route for one in engine.snapshot().tunnels], settings.profile, engine.connector),
                publish=hub.publish,
                next_id=engine.next_id,
                vigil=engine.vigil,
                resolve=system_resolver,
                direct=arguments.direct,
            )

            def take(sock: socket.socket, peer: str) -> None:
                tasks.start_soon(proxy.serve, sock, peer)

            tasks.start_soon(follow_file, engine)
            tasks.start_soon(_tell, engine.events(), arguments.json)
            tasks.start_soon(_tell, hub.subscribe(), arguments.json)
            local = local_address(listeners)
            if arguments.json:
                print_line(json_line(to_json(_listening(local))))
            else:
                print_line(local)
                count = len(engine.snapshot().tunnels)
                routes = "1 route" if count == 1 else f"{count} routes"
                print_note(_addresses(local, routes))
                if not count:
                    print_note("  Save one: tunnelui routes add NAME HOST:PORT; it counts from then on.")
            with announced("proxy", [ProgramTunnel("", local, "every route, by its name")]):
                await accept_loop(listeners, take)
    finally:
        close_listeners(listeners)
    return Exit.DONE


def _addresses(local: str, routes: str) -> str:
    """What programs are told, in the spelling that they take."""
    path = local.removeprefix("unix:")
    if path == local:
        return f"socks5h://{local} and http://{local} lead to {routes}."
    path = str(Path(path).absolute())
    return (
        f"SOCKS5 and HTTP CONNECT at {path} lead to {routes}. curl takes it as socks5h://localhost{quote(path)};\n"
        "  few other programs take a Unix socket: for them, listen on a port."
    )


def _listening(local: str) -> Event:
    return Event("listening", time.time(), f"listens on {local}", data={"local": local})


async def _tell(events: AsyncIterator[Event], as_json: bool) -> None:
    await tell_all(events, as_json=as_json)

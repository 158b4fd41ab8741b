"""``tunnelui tcp``: its flags. `tunnelui.cli.tcp_listen` opens tunnels, `tunnelui.cli.tcp_stdio` a single one over
standard input and output; only the one that is wanted is loaded, since ssh waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.cli.certificate_prompt import with_passwords
from tunnelui.cli.context import profile_from, settings_from
from tunnelui.cli.loading import loading
from tunnelui.cli.options import add_identity_flags, add_json_flag, add_proxy_flags, read_listen, read_seconds
from tunnelui.cli.stopping import GRACE
from tunnelui.config.route import Route
from tunnelui.engine.destinations import resolve_destination
from tunnelui.errors import ConfigError
from tunnelui.transport.resolver import AnswerAhead, system_resolver
from tunnelui.transport.way_out import outgoing_proxy

if TYPE_CHECKING:
    import argparse

    from tunnelui.cli.options import Parser
    from tunnelui.config.settings import Settings
    from tunnelui.transport.resolver import Resolver
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "destinations",
        nargs="+",
        metavar="DESTINATION",
        help="HOST:PORT, tcp+https://HOST:PORT or tcp+https://PROXY/HOST:PORT",
    )
    parser.add_flag(
        "--listen",
        metavar="ADDRESS",
        read=read_listen,
        repeatable=True,
        help="local address, one for each destination in their order: HOST:PORT, :PORT, PORT, unix:/path, "
        "or - for standard input and output; by default any free loopback port",
    )
    parser.add_flag(
        "--grace",
        metavar="SECONDS",
        read=read_seconds,
        help=f"how long open connections may go on after a signal, {GRACE:g} by default; a second signal cuts at once",
    )
    add_json_flag(parser)
    add_proxy_flags(parser)
    add_identity_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_from(arguments)
    settings = with_passwords(settings, [profile_from(arguments, settings).name])
    routes = _routes(arguments, settings)
    if "-" in arguments.listen:
        if len(routes) > 1:
            raise ConfigError(
                "standard input and output can serve one destination only",
                place="--listen -",
                hint="Name one destination, or a local address for each.",
            )
        with loading():
            resolve = _ask_ahead(resolve_destination(routes[0], profile_from(arguments, settings)).proxy)
            from tunnelui.cli.tcp_stdio import carry

        return carry(arguments, settings, routes[0], resolve)
    from tunnelui.cli.tcp_listen import listen

    return listen(arguments, settings, routes)


def _routes(arguments: argparse.Namespace, settings: Settings) -> list[Route]:
    """Return a route for each destination.

    :raises ConfigError: a destination is wrong, or there are more addresses than destinations.
    """
    profile = profile_from(arguments, settings)
    missing = len(arguments.destinations) - len(arguments.listen)
    if missing < 0:
        raise ConfigError(
            f"{len(arguments.listen)} addresses for {len(arguments.destinations)} "
            f"destination{'s' if len(arguments.destinations) > 1 else ''}",
            place="--listen" if "listen" in arguments.given else "TUNNELUI_LISTEN",
            hint="Give at most one for each destination, in their order.",
        )
    routes: list[Route] = []
    for destination, listen in zip(arguments.destinations, [*arguments.listen, *[""] * missing], strict=True):
        name, number = destination, 1
        while any(name == route.name for route in routes):
            number += 1
            name = f"{destination} #{number}"
        route = Route(name, destination, listen, profile=profile.name, proxy_url=arguments.proxy_url or "")
        resolve_destination(route, profile)
        routes.append(route)
    return routes


def _ask_ahead(proxy: ProxyOrigin) -> Resolver:
    """Begin to look the proxy's name up, unless another proxy will do that, and return who gives the answer."""
    try:
        if outgoing_proxy(proxy.scheme, proxy.host) is None:
            return AnswerAhead(proxy.host, proxy.port)
    except ConfigError:
        pass  # said when the proxy is dialled
    return system_resolver

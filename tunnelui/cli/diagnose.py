"""``tunnelui diagnose``: where the way to a service ends, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.auth.stores import open_store
from tunnelui.cli.certificate_prompt import with_passwords
from tunnelui.cli.context import profile_from, saved_routes, service_account_from, settings_for_saved
from tunnelui.cli.identity import open_credentials
from tunnelui.cli.options import add_identity_flags, add_json_flag, add_proxy_flags
from tunnelui.cli.output import Exit, print_json, print_line
from tunnelui.cli.selection import find_route
from tunnelui.cli.stopping import until_signal
from tunnelui.config.route import Route
from tunnelui.engine.destinations import resolve_destination
from tunnelui.engine.diagnosis import Finding, Outcome, diagnose_as
from tunnelui.engine.identities import Contexts

if TYPE_CHECKING:
    import argparse

    from tunnelui.cli.options import Parser
    from tunnelui.config.settings import Settings

__all__ = ["add_arguments", "run"]

_SIGNS: Final = {Outcome.OK: "ok  ", Outcome.WARNING: "warn", Outcome.FAIL: "FAIL", Outcome.SKIP: "skip"}


def add_arguments(parser: Parser) -> None:
    parser.add_argument("what", metavar="ROUTE|DESTINATION", help="the way to look at")
    parser.add_flag(
        "--bundle",
        metavar="FILE",
        help="write also an archive (.tar.gz) for whoever helps you: findings, settings, routes and log, without "
        "tokens, cookies, names of hosts and addresses of people",
    )
    add_json_flag(parser)
    add_proxy_flags(parser)
    add_identity_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit code: 0 when a tunnel was opened, else by what failed: 3 sign-in, 4 denied, 5 unavailable."""
    settings = settings_for_saved(arguments)
    settings = with_passwords(settings, [_route(arguments, settings).profile])
    return anyio.run(until_signal, lambda: _diagnose(arguments, settings))


async def _diagnose(arguments: argparse.Namespace, settings: Settings) -> int:
    route = _route(arguments, settings)
    profile = settings.profile(route.profile)
    destination = resolve_destination(route, profile)
    contexts = Contexts()
    if destination.proxy.scheme == "https":
        await contexts.get(profile)  # in a thread, and a wrong file is an error of its own
    store, _ = await open_store(configured=settings.token_store)
    account = service_account_from(arguments)(profile)
    findings: list[Finding] = []

    if not arguments.json:
        name = "" if route.name == route.destination else f"{route.name}: "
        print_line(f"{name}{destination.authority} through {destination.proxy}")
    async with open_credentials(store, profile, destination.proxy, service_account=account) as credentials:
        async for finding in diagnose_as(profile, destination, credentials, contexts):
            findings.append(finding)
            _tell(finding, as_json=arguments.json)
    if arguments.bundle:
        from tunnelui.cli.support_bundle import write_bundle

        write_bundle(arguments.bundle, [asdict(finding) for finding in findings], settings)
        if not arguments.json:
            print_line(f"Wrote {arguments.bundle}. Look into it before you send it.")
    return _exit(findings)


def _route(arguments: argparse.Namespace, settings: Settings) -> Route:
    saved = saved_routes().load()
    if ":" in arguments.what and not any(route.name == arguments.what for route in saved):
        profile = profile_from(arguments, settings)
        return Route(arguments.what, arguments.what, profile=profile.name, proxy_url=arguments.proxy_url or "")
    return find_route(saved, arguments.what)


def _tell(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(finding))
        return
    took = f"{finding.seconds * 1000:7.1f} ms" if finding.seconds is not None else " " * 10
    print_line(f"  {_SIGNS[finding.outcome]}  {finding.stage:10} {took}  {finding.message}")
    if finding.hint:
        print_line(f"{'':31}{finding.hint}")


def _exit(findings: list[Finding]) -> Exit:
    failed = next((finding for finding in findings if finding.outcome is Outcome.FAIL), None)
    if failed is None:
        return Exit.DONE
    needs = failed.facts.get("needs")
    if failed.stage == "token" or needs == "sign-in":
        return Exit.SIGN_IN
    return Exit.DENIED if needs == "permission" else Exit.UNAVAILABLE

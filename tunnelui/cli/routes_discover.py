"""``tunnelui routes discover``: the routes that a proxy offers, as a list of changes to the saved ones."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import anyio

from tunnelui.auth.stores import open_store
from tunnelui.cli.certificate_prompt import with_passwords
from tunnelui.cli.context import chosen_proxy, profile_from, saved_routes, service_account_from, settings_from
from tunnelui.cli.identity import open_credentials
from tunnelui.cli.options import add_identity_flags, add_json_flag, add_proxy_flags
from tunnelui.cli.output import Exit, print_json, print_line, print_note
from tunnelui.cli.routes_undo import save_undoable
from tunnelui.cli.stopping import until_signal
from tunnelui.config.discovery import Discovery, plan_discovery
from tunnelui.engine.identities import Contexts

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tunnelui.cli.options import Parser
    from tunnelui.config.settings import Settings

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    parser.prog = "tunnelui routes discover"
    parser.description = "Show what the proxy offers beyond the saved routes, and take it over."
    parser.add_argument(
        "where", nargs="?", metavar="PROXY|ROUTE|DESTINATION", help="the proxy, where it is not the only one"
    )
    parser.add_switch("--yes", help="take it over without asking")
    parser.add_switch("--keep", help="keep routes that the proxy does not offer any more")
    parser.add_flag("--tag", metavar="TAG", repeatable=True, help="give every new route this tag")
    add_json_flag(parser)
    add_proxy_flags(parser)
    add_identity_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_from(arguments)
    settings = with_passwords(settings, [profile_from(arguments, settings).name])
    return anyio.run(until_signal, lambda: _discover(arguments, settings))


async def _discover(arguments: argparse.Namespace, settings: Settings) -> int:
    """
    :raises tunnelui.errors.SignInNeeded: nobody is signed in at the proxy.
    """
    from tunnelui.engine.offer import fetch_offer

    profile = profile_from(arguments, settings)
    proxy = chosen_proxy(arguments, profile, settings)
    store, _ = await open_store(configured=settings.token_store)
    contexts = Contexts()
    async with open_credentials(
        store, profile, proxy, service_account=service_account_from(arguments)(profile)
    ) as credentials:
        offer = await fetch_offer(profile, proxy, credentials, contexts)
    file = saved_routes()
    saved = file.load()
    plan = plan_discovery(saved, offer.routes, proxy, tags=arguments.tag, profile=profile.name)
    if arguments.keep:
        plan = replace(plan, routes=(*plan.routes, *plan.removed), removed=())
    _show(plan, offer.notes, as_json=arguments.json)
    if plan.is_empty:
        if not arguments.json:
            print_note(f"Nothing to do: {proxy} offers {len(offer.routes)} TCP routes, and all of them are saved.")
        return Exit.DONE
    if not (arguments.yes or _agreed()):
        print_note("Nothing was changed. --yes takes it over.")
        return Exit.DONE
    save_undoable(file, saved, plan.routes)
    print_note("Saved. tunnelui routes undo takes it back.")
    return Exit.DONE


def _agreed() -> bool:
    if not (sys.stdin and sys.stdin.isatty()):
        return False
    print_note("Take this over? [y/N]")
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _show(plan: Discovery, notes: Sequence[str], *, as_json: bool) -> None:
    for route in plan.added:
        _tell("added", f"+ {route.name}: {route.destination}", as_json=as_json, route=asdict(route))
    for old, new in plan.changed:
        words = f"~ {old.name}: {old.destination} becomes {new.destination}"
        _tell("changed", words, as_json=as_json, route=asdict(new), before=asdict(old))
    for route in plan.removed:
        _tell("removed", f"- {route.name}: {route.destination}", as_json=as_json, route=asdict(route))
    for note in notes:
        print_note(note)


def _tell(change: str, words: str, *, as_json: bool, **facts: Any) -> None:
    if as_json:
        print_json({"change": change, **facts})
    else:
        print_line(words)

"""``tunnelui profiles``: the profiles of ``config.toml``, and the passwords of their client certificates."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio

from tunnelui.auth.certificate_passwords import forget_password, keep_password
from tunnelui.cli.certificate_prompt import ask_password, has_terminal, opens, password_source
from tunnelui.cli.options import add_json_flag
from tunnelui.cli.output import Exit, print_json, print_line, print_note, print_table
from tunnelui.config.paths import config_file
from tunnelui.config.settings import load_settings
from tunnelui.errors import ConfigError, LocalError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from tunnelui.cli.options import Parser
    from tunnelui.config.profile import Profile

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        default="list",
        choices=("list", "unlock", "lock"),
        help="list them (the default); unlock gives the agent the password of a profile's client certificate, which "
        "is asked for, or read from a pipe; lock takes it out of the keyring",
    )
    parser.add_argument("name", nargs="?", metavar="PROFILE", help="for unlock and lock; by default “default”")
    parser.add_switch(
        "--keyring", help="with unlock: keep the password in the system's keyring, for every agent and command"
    )
    add_json_flag(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings(config_file())
    if "keyring" in arguments.given and arguments.what != "unlock":
        raise ConfigError(
            "--keyring belongs to unlock", place="--keyring", hint="tunnelui profiles unlock PROFILE --keyring"
        )
    if arguments.what == "list":
        if arguments.name:
            raise ConfigError("list takes no name", place=arguments.name, hint="Run: tunnelui profiles")
        _list(map(settings.profile, settings.profile_names), as_json=arguments.json)
        return Exit.DONE
    profile = settings.profile(arguments.name) if arguments.name else settings.profile()
    if not profile.client_cert:
        raise ConfigError(f"the profile “{profile.name}” has no client certificate", hint="client_cert names one.")
    if arguments.what == "lock":
        words = (
            "The keyring had no password of" if not forget_password(profile.client_cert) else "Forgot the password of"
        )
        print_line(f"{words} {profile.client_cert}. An agent that has used it keeps it until it ends.")
        return Exit.DONE
    return _unlock(profile, keep=arguments.keyring)


def _unlock(profile: Profile, *, keep: bool) -> int:
    """
    :raises LocalError: there is no agent to take the password, and it is not to be kept.
    """
    if opens(profile, ""):
        print_note(f"{profile.client_cert} needs no password.")
        return Exit.DONE
    if has_terminal():
        password = ask_password(profile)
    else:
        password = sys.stdin.readline().rstrip("\r\n") if sys.stdin else ""
        password = password if password and opens(profile, password) else ""
    if not password:
        raise LocalError(
            "the password is wrong, or none was given",
            code="wrong_password",
            hint="Type it, or pass it through a pipe, as one line.",
        )
    if keep:
        keep_password(profile.client_cert, password)
    told = anyio.run(_tell, profile.name, password)
    if not told and not keep:
        raise LocalError(
            "no agent runs that could take the password",
            code="no_agent",
            hint="Start one (tunnelui agent start), or keep the password in the keyring (--keyring).",
        )
    where = [*["the agent has it until it ends"] * told, *["the keyring keeps it"] * keep]
    print_line(f"Unlocked {profile.client_cert}: {', '.join(where)}.")
    return Exit.DONE


async def _tell(name: str, password: str) -> bool:
    """Give the password to the agent; return whether there is one that reads the same ``config.toml``.

    :raises tunnelui.errors.TunnelError: it does not take it.
    """
    from tunnelui.agent.lifecycle import find_agent, find_or_start, request

    if (found := await find_agent()) is None:
        return False
    found[0].close()
    channel, _ = await find_or_start()  # one of before an edit of config.toml knows another profile by that name
    with channel:
        await request(channel, "unlock", profile=name, password=password)
    return True


def _list(profiles: Iterable[Profile], *, as_json: bool) -> None:
    rows = []
    for profile in profiles:
        password = password_source(profile)
        if as_json:
            facts = {"name": profile.name, "proxy": profile.proxy_url, "client_cert": profile.client_cert}
            print_json({**facts, "password": password})
        rows.append([profile.name, profile.proxy_url or "-", profile.client_cert or "-", password])
    if not as_json:
        print_table(["PROFILE", "PROXY", "CERTIFICATE", "PASSWORD"], rows)

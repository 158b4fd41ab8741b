"""The command ``tunnelui-server``. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration."""

from __future__ import annotations

import argparse
import getpass
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from tunnelui.errors import ConfigError, TunnelError
from tunnelui_server.config import ConfigErrors, load_config

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tunnelui_server.sessions import SessionStore

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line *arguments* (``sys.argv`` by default) and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except ConfigErrors as errors:
        for error in errors.errors:
            _tell(error)
        count = len(errors.errors)
        sys.stderr.write(f"{count} error{'s' if count != 1 else ''}\n")
        return 2
    except ConfigError as error:
        _tell(error)
        return 2
    except TunnelError as error:
        _tell(error)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tunnelui-server", description="An identity-aware proxy for TCP services, compatible with pomerium-cli."
    )
    parser.add_argument("--version", action="version", version=f"tunnelui-server {_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the server until SIGTERM or Ctrl-C")
    _add_config(run)
    run.add_argument("--ready-fd", type=int, metavar="N", help="write one line of JSON to this descriptor when ready")
    run.set_defaults(command=_run)

    check = commands.add_parser("check", help="tell everything that is wrong with a configuration; change nothing")
    _add_config(check)
    check.set_defaults(command=_check)

    sessions = commands.add_parser("sessions", help="list or end sessions")
    actions = sessions.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show who is signed in")
    _add_config(listing)
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(command=_sessions_list)
    revoke = actions.add_parser("revoke", help="end sessions; their tunnels are cut within two seconds")
    _add_config(revoke)
    revoke.add_argument(
        "targets", nargs="*", metavar="SESSION|EMAIL", help="session ids (or their beginnings) or people"
    )
    revoke.add_argument("--all", action="store_true", dest="everybody", help="end every session")
    revoke.add_argument("--json", action="store_true", help="one JSON object a line")
    revoke.set_defaults(command=_sessions_revoke)

    hashing = commands.add_parser("hash-password", help="ask for a password and print its hash for local_users")
    hashing.set_defaults(command=_hash_password)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the YAML file")


def _version() -> str:
    try:
        return version("tunnelui")
    except PackageNotFoundError:
        return "unknown"


def _tell(error: TunnelError) -> None:
    sys.stderr.write(f"{error}\n" + (f"  {error.hint}\n" if error.hint else ""))


def _run(options: argparse.Namespace) -> int:
    import logging

    from tunnelui_server.observe import configure_logging
    from tunnelui_server.supervisor import Supervisor

    config = load_config(options.config)
    configure_logging(config.log_level)
    for warning in config.warnings:
        logging.getLogger("tunnelui_server.config").warning("%s", warning)

    async def run() -> int:
        return await Supervisor(config, ready_fd=options.ready_fd).run()

    return anyio.run(run)


def _check(options: argparse.Namespace) -> int:
    config = load_config(options.config, make_secret=False)
    for warning in config.warnings:
        sys.stderr.write(f"{config.path}: warning: {warning}\n")
    count = len(config.routes)
    sys.stdout.write(f"{config.path}: good, {count} route{'s' if count != 1 else ''}\n")
    return 0


def _sessions_list(options: argparse.Namespace) -> int:
    from tunnelui_server.sessions.commands import run_list

    return _with_store(options, lambda store: run_list(store, as_json=options.json, out=sys.stdout))


def _sessions_revoke(options: argparse.Namespace) -> int:
    from tunnelui_server.sessions.commands import run_revoke

    def revoke(store: SessionStore) -> Awaitable[int]:
        return run_revoke(
            store, targets=options.targets, everybody=options.everybody, as_json=options.json, out=sys.stdout
        )

    return _with_store(options, revoke)


def _with_store(options: argparse.Namespace, act: Callable[[SessionStore], Awaitable[int]]) -> int:
    from tunnelui_server.observe import configure_logging
    from tunnelui_server.sessions import open_store

    config = load_config(options.config)
    configure_logging(config.log_level)  # a revocation is a line of the audit log, whoever makes it
    if not config.databroker_storage_connection_string:
        raise ConfigError(
            "with databroker_storage_type: memory, sessions live inside the running server alone",
            place=str(config.path),
            hint="Write databroker_storage_type: sqlite to list and revoke sessions from here.",
        )

    async def run() -> int:
        store = await open_store(
            config.databroker_storage_type,
            config.databroker_storage_connection_string,
            shared_secret=config.shared_secret_bytes,
        )
        try:
            return await act(store)
        finally:
            await store.aclose()

    return anyio.run(run)


def _hash_password(_: argparse.Namespace) -> int:
    from tunnelui_server.identity.passwords import hash_password

    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise ConfigError("the two passwords differ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    sys.stdout.write(hash_password(password) + "\n")
    return 0

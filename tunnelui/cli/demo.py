"""``tunnelui demo``: everything on this machine: the bundled server, throw-away keys, and services that are there."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.auth.stores import MemoryStore
from tunnelui.cli.demo_backend import run_backend
from tunnelui.cli.options import add_json_flag
from tunnelui.cli.output import print_note
from tunnelui.cli.stopping import until_signal
from tunnelui.cli.ui import need_terminal, show
from tunnelui.engine.local import LocalEngine
from tunnelui.errors import ConfigError, LocalError

if TYPE_CHECKING:
    import argparse

    from tunnelui.cli.options import Parser

__all__ = ["add_arguments", "run"]

_SERVER_PARTS: Final = ("argon2", "cryptography", "jinja2", "joserfc", "pydantic", "starlette", "uvicorn", "yaml")


def add_arguments(parser: Parser) -> None:
    parser.add_switch(
        "--check", help="no screen: sign in, move bytes through every tunnel, compare them, and say how it went"
    )
    add_json_flag(parser)


def run(arguments: argparse.Namespace) -> int:
    if any(importlib.util.find_spec(name) is None for name in _SERVER_PARTS):
        raise LocalError(
            "the demo needs the bundled server, which is not installed",
            code="no_server",
            hint="Install it: pip install 'tunnelui[server]'",
        )
    if arguments.check:
        from tunnelui.cli.demo_check import check

        return anyio.run(until_signal, partial(check, arguments.json))
    if "json" in arguments.given and arguments.json:
        raise ConfigError("is for --check; the screen has no JSON form", place="--json", hint="Add --check.")
    need_terminal("Without one, use: tunnelui demo --check")
    return anyio.run(until_signal, _show)


async def _show() -> int:
    print_note("Starting the demo…")
    async with run_backend() as demo:
        engine = LocalEngine(
            settings=demo.settings,
            store=MemoryStore(),
            routes=demo.routes,
            service_account=lambda profile: None,
            notes=[f"The demo's sign-in: {demo.user} with the password {demo.password}"],
        )
        async with engine:
            return await show(engine, settings=replace(demo.settings, token_store=MemoryStore.kind))

"""``tunnelui demo --check``: the whole way, without a screen and without a person."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio

from tunnelui.auth.blocking import BlockingCalls
from tunnelui.auth.stores import MemoryStore
from tunnelui.cli.demo_backend import Demo, run_backend
from tunnelui.cli.demo_programs import use_service
from tunnelui.cli.output import Exit, print_json, print_line, print_note, print_table
from tunnelui.engine.local import LocalEngine
from tunnelui.engine.model import ConnectionState, State, TunnelSnapshot
from tunnelui.errors import SignInFailed

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream

__all__ = ["check"]

_WAIT: Final = 30.0
_EXPECTED: Final = {
    "echo": State.READY,
    "web": State.READY,
    "slow": State.READY,
    "down": State.RETRY,
    "billing": State.DENIED,
}


async def check(as_json: bool) -> int:
    """Sign in, open every tunnel, move bytes and compare them; exit code 0 when all of it went as it should."""
    if not as_json:
        print_note("Starting the demo's server…")
    async with run_backend() as demo:
        rows = await check_routes(demo)
    ok = all(row["ok"] for row in rows)
    if as_json:
        print_json({"ok": ok, "routes": rows})
    else:
        _print(rows, ok)
    return Exit.DONE if ok else Exit.FAILED


async def check_routes(demo: Demo, *, timeout: float = _WAIT) -> list[dict[str, Any]]:
    """Use every route of *demo* as a local program would; returns a row for each, within *timeout* seconds."""
    profiles = {name: replace(profile, open_browser=False) for name, profile in demo.settings.profiles.items()}
    addresses, opened = anyio.create_memory_object_stream[str](8)
    results: dict[str, str] = {}
    with addresses, opened:
        engine = LocalEngine(
            settings=replace(demo.settings, profiles=profiles),
            store=MemoryStore(),
            routes=demo.routes,
            announce=lambda url, browser: addresses.send_nowait(url),
            service_account=lambda profile: None,
        )
        async with engine, anyio.create_task_group() as browsers:
            browsers.start_soon(_sign_in, engine, opened, demo)
            for route in demo.routes:
                await engine.start(route.name)

            async def try_one(name: str) -> None:
                with anyio.move_on_after(timeout):
                    tunnel = engine.snapshot().tunnel(name)
                    results[name] = await use_service(name, tunnel.local if tunnel else "")
                    # The last byte is here; the end of the connection follows.
                    await _settled(engine, name)

            async with anyio.create_task_group() as tries:
                for route in demo.routes:
                    tries.start_soon(try_one, route.name)
            tunnels = engine.snapshot().tunnels
            browsers.cancel_scope.cancel()
    return [_row(tunnel, results.get(tunnel.route.name, "took too long")) for tunnel in tunnels]


async def _sign_in(engine: LocalEngine, opened: MemoryObjectReceiveStream[str], demo: Demo) -> None:
    """Do what the person and the browser do with each address to open."""
    from tunnelui.cli.demo_browser import browse

    answers = dict.fromkeys(("email", "username", "user"), demo.user) | {"password": demo.password}
    calls = BlockingCalls("demo browser")
    async for url in opened:
        try:
            await calls.run(partial(browse, url, answers, timeout=_WAIT / 2), timeout=_WAIT)
        except (SignInFailed, TimeoutError) as error:
            print_note(f"tunnelui: {error}" if str(error) else "tunnelui: the browser took too long")
            for identity in engine.snapshot().identities:
                await engine.cancel_sign_in(identity.profile, identity.proxy)


async def _settled(engine: LocalEngine, name: str) -> None:
    while True:
        tunnel = engine.snapshot().tunnel(name)
        if tunnel and all(connection.state is ConnectionState.CLOSED for connection in tunnel.connections):
            return
        await anyio.sleep(0.02)


def _row(tunnel: TunnelSnapshot, problem: str) -> dict[str, Any]:
    name = tunnel.route.name
    expected = _EXPECTED.get(name, State.READY)
    if not problem and tunnel.state is not expected:
        problem = f"the state should be “{expected}”"
    moved = tunnel.bytes_in > 0 if expected is State.READY else tunnel.bytes_in == 0
    if not problem and not moved:
        problem = f"{tunnel.bytes_in} bytes came in"
    return {
        "name": name,
        "state": str(tunnel.state),
        "local": tunnel.local,
        "bytes_in": tunnel.bytes_in,
        "bytes_out": tunnel.bytes_out,
        "ok": not problem,
        "problem": problem or None,
        "message": tunnel.problem.message if tunnel.problem else None,
    }


def _print(rows: list[dict[str, Any]], ok: bool) -> None:
    print_table(
        ["", "NAME", "STATE", "LOCAL", "IN", "OUT", ""],
        [
            [
                "ok" if row["ok"] else "FAILED",
                row["name"],
                row["state"],
                row["local"],
                str(row["bytes_in"]),
                str(row["bytes_out"]),
                "; ".join(filter(None, (row["problem"], row["message"]))),
            ]
            for row in rows
        ],
    )
    print_line()
    print_line("Everything works." if ok else "Something does not work as it should.")

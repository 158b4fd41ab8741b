"""Routes, snapshots, and the life of the engine itself."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.support.connect_proxy import say_nothing
from tests.support.engine_bench import Local, running
from tests.support.sockets import open_descriptors
from tunnelui.auth.stores import MemoryStore
from tunnelui.auth.token_store import StoreError, TokenKey
from tunnelui.config.route import Route
from tunnelui.config.routes import RouteFile
from tunnelui.config.settings import Settings
from tunnelui.engine.connection import Connection
from tunnelui.engine.local import LocalEngine
from tunnelui.engine.model import State, to_json
from tunnelui.engine.succession import renamed
from tunnelui.errors import ConfigError, LocalError
from tunnelui.transport.relay import Relay

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.connect_proxy import ConnectProxy
    from tests.support.engine_bench import Bench
    from tests.support.pki import Pki
    from tunnelui.engine.interface import Engine


def names(bench: Bench) -> list[str]:
    return [tunnel.route.name for tunnel in bench.engine.snapshot().tunnels]


async def test_local_engine_is_an_engine(bench: Bench) -> None:
    engine: Engine = bench.engine
    assert engine.snapshot().tunnel("db") is not None
    assert engine.snapshot().tunnel("nothing") is None


async def test_snapshot_has_a_json_form(bench: Bench) -> None:
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
        text = json.dumps(to_json(bench.engine.snapshot()))
    tunnel = json.loads(text)["tunnels"][0]
    assert (tunnel["state"], tunnel["live"], tunnel["bytes_in"]) == ("live", 1, 1)
    assert tunnel["connections"][0]["timings"]["tls"] > 0


async def test_every_event_has_a_json_form(bench: Bench) -> None:
    bench.proxy.tokens = set()
    with Local(await bench.start()) as program:
        await bench.until(lambda: bench.of("sign_in"))
        await bench.engine.cancel_sign_in("default", bench.proxy.origin)
        assert await program.is_reset()
    await bench.until(lambda: bench.of("failed"))
    for event in bench.events:
        assert json.loads(json.dumps(to_json(event)))["kind"] == event.kind


async def test_new_destination_leaves_a_stopped_tunnel_stopped(bench: Bench) -> None:
    await bench.engine.update_route("db", replace(bench.tunnel.route, destination="new.example.com:1"))
    assert (bench.tunnel.state, bench.tunnel.target) == (State.OFF, "new.example.com:1")


async def test_update_to_a_taken_name_is_refused(bench: Bench) -> None:
    await bench.engine.add_route(Route("web", "a.example.com:1"))
    with pytest.raises(ConfigError):
        await bench.engine.update_route("web", Route("db", "a.example.com:1"))
    with pytest.raises(ConfigError):
        await bench.engine.update_route("none", Route("none", "a.example.com:1"))
    assert names(bench) == ["db", "web"]


async def test_removed_route_stops_and_can_be_added_again(bench: Bench) -> None:
    route = bench.tunnel.route
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
        await bench.engine.remove_route("db")
        assert names(bench) == []
        assert await program.is_reset()
    await bench.engine.add_route(route)
    await bench.start()


async def test_routes_are_read_from_the_file_and_saved_there(proxy: ConnectProxy, pki: Pki, tmp_path: Path) -> None:
    path = tmp_path / "routes.toml"
    RouteFile(path).save([Route("db", proxy.destination())])
    async with running(proxy, pki, routes=RouteFile(path)) as bench:
        assert names(bench) == ["db"]
        await bench.engine.add_route(Route("web", "web.example.com:80", tags=("x",)))
        await bench.engine.update_route("db", Route("base", "db.example.com:1"))
        assert RouteFile(path).load() == (
            Route("base", "db.example.com:1"),
            Route("web", "web.example.com:80", tags=("x",)),
        )
        await bench.engine.remove_route("base")
        assert [route.name for route in RouteFile(path).load()] == ["web"]
        await bench.engine.add_route(Route("db", proxy.destination()))


async def test_a_route_that_was_only_renamed_in_the_file_goes_on(proxy: ConnectProxy, pki: Pki, tmp_path: Path) -> None:
    """As `tunnelui routes edit db --name base` does it, or an editor."""
    path = tmp_path / "routes.toml"
    route, other = Route("db", proxy.destination()), Route("web", "web.example.com:80")
    RouteFile(path).save([route, other])
    async with running(proxy, pki, routes=RouteFile(path)) as bench:
        with Local(await bench.start()) as program:
            await program.send(b"x")
            assert await program.read() == b"x"
            RouteFile(path).save([replace(route, name="base"), replace(other, name="site", note="other as well")])
            await bench.engine.add_route(Route("last", "last.example.com:80"))
            assert names(bench) == ["base", "site", "last"]
            await program.send(b"y")
            assert await program.read() == b"y"
            base = bench.engine.snapshot().tunnel("base")
            assert base is not None and base.state is State.LIVE


def test_only_a_name_that_is_surely_another_one_counts_as_new() -> None:
    one, same, other = Route("a", "x:1"), Route("b", "x:1"), Route("c", "y:1")
    assert renamed([one, other], [replace(one, name="z"), other]) == {"a": "z"}
    assert renamed([one, same, other], [replace(one, name="z"), other]) == {}
    assert renamed([one], [replace(one, name="z"), replace(one, name="y")]) == {}
    assert renamed([one], [replace(one, name="z", note="n")]) == {}
    assert renamed([one, other], [other]) == {}


async def test_route_that_can_not_be_saved_is_not_taken(proxy: ConnectProxy, pki: Pki, tmp_path: Path) -> None:
    path = tmp_path / "routes.toml"
    RouteFile(path).save([Route("db", proxy.destination())])
    async with running(proxy, pki, routes=RouteFile(path)) as bench:
        path.write_text("this is = no [toml")
        with pytest.raises((ConfigError, LocalError)):
            await bench.engine.add_route(Route("web", "web.example.com:80"))
        assert names(bench) == ["db"]
        assert path.read_text() == "this is = no [toml"


async def test_broken_file_of_routes_is_an_error_on_entry(tmp_path: Path) -> None:
    path = tmp_path / "routes.toml"
    path.write_text("[[routes]]\nname = 1\n")
    with pytest.raises(ConfigError):
        async with LocalEngine(settings=Settings(), store=MemoryStore(), routes=RouteFile(path)):
            pass


async def test_autostart(proxy: ConnectProxy, pki: Pki) -> None:
    routes = [Route("db", proxy.destination(), autostart=True), Route("web", proxy.destination())]
    async with running(proxy, pki, routes=routes, autostart=True) as bench:
        await bench.until_state(State.READY)
        web = bench.engine.snapshot().tunnel("web")
        assert web is not None
        assert web.state is State.OFF


async def test_notes_are_handed_on(proxy: ConnectProxy, pki: Pki) -> None:
    async with running(proxy, pki, notes=["the keyring is locked"]) as bench:
        assert bench.engine.snapshot().notes == ("the keyring is locked",)


async def test_trouble_with_the_store_is_a_note_and_a_reason(proxy: ConnectProxy, pki: Pki) -> None:
    class Broken(MemoryStore):
        async def load(self, key: TokenKey) -> None:
            raise StoreError("the keyring is locked")

        async def delete(self, key: TokenKey) -> None:
            raise StoreError("the keyring is locked")

    async with running(proxy, pki, store=Broken()) as bench:
        with Local(await bench.start()) as program:
            await program.send(b"x")
            assert await program.read() == b"x"
        assert "the keyring is locked" in bench.engine.snapshot().notes[0]
        await bench.until(lambda: bench.of("note"))
        with pytest.raises(LocalError):
            await bench.engine.sign_out("default", proxy.origin)


async def test_unreadable_service_account_is_told_when_identities_are_looked_up(proxy: ConnectProxy, pki: Pki) -> None:
    from pathlib import Path

    from tunnelui.auth.service_account import ServiceAccount

    account = ServiceAccount(file=Path("/nonexistent/token"))
    async with running(proxy, pki, service_account=lambda profile: account, look_up_identities=True) as bench:
        await bench.until(lambda: bench.of("note"))
        assert "/nonexistent/token" in bench.of("note")[0].message
        with Local(await bench.start()) as program:
            assert await program.is_reset()
        await bench.until_state(State.ERROR)


async def test_profile_gives_the_proxy_unless_the_destination_names_one(proxy: ConnectProxy, pki: Pki) -> None:
    from tunnelui.config.profile import Profile

    settings = Settings(profiles={"default": Profile(proxy_url=proxy.origin, ca_file=pki.ca_file)})
    routes = [Route("db", "db.example.com:1"), Route("own", "tcp+https://other.example.com/db.example.com:1")]
    async with running(proxy, pki, routes=routes, settings=settings) as bench:
        assert bench.tunnel.proxy == proxy.origin
        own = bench.engine.snapshot().tunnel("own")
        assert own is not None
        assert own.proxy == "https://other.example.com:443"


async def test_leaving_cuts_everything_and_ends_the_events(proxy: ConnectProxy, pki: Pki) -> None:
    async with running(proxy, pki) as bench:
        program = Local(await bench.start())
        await program.send(b"x")
        await program.read()
        reader = bench.engine.events()
    assert await program.is_reset()
    program.close()
    kinds = [event.kind async for event in reader]
    assert "stopped" in kinds
    assert bench.engine.snapshot().tunnels[0].state is State.OFF


async def test_cancelling_the_engine_from_outside_leaves_nothing(proxy: ConnectProxy, pki: Pki) -> None:
    program: Local | None = None
    with anyio.CancelScope() as scope:
        async with running(proxy, pki) as bench:
            program = Local(await bench.start())
            await program.send(b"x")
            await program.read()
            scope.cancel()
            await anyio.sleep(10)
    assert scope.cancelled_caught
    assert program is not None
    assert await program.is_reset()
    program.close()


async def test_error_in_the_body_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with LocalEngine(settings=Settings(), store=MemoryStore()):
            raise ZeroDivisionError


@pytest.mark.parametrize(("owner", "method"), [(Connection, "_carry"), (Relay, "spoke")], ids=["opening", "relaying"])
async def test_fault_in_one_connection_ends_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, owner: type, method: str
) -> None:
    real = getattr(owner, method)
    broken: list[int] = []

    def fail_once(self: object, *args: Any) -> None:
        if broken:
            broken.pop()
            raise RuntimeError("a fault of ours")
        real(self, *args)

    monkeypatch.setattr(owner, method, fail_once)
    local = await bench.start()
    with Local(local) as good:
        await good.send(b"x")
        await good.read()
        broken.append(1)
        with Local(local) as bad, caplog.at_level(logging.CRITICAL):
            await bad.send(b"z")
            assert await bad.is_reset()
        await good.send(b"y")
        assert await good.read() == b"y"
        assert bench.tunnel.live == 1
    await bench.until(lambda: bench.of("failed"))
    assert "RuntimeError" in bench.of("failed")[0].message


async def use_once(local: str) -> None:
    with Local(local) as program:
        await program.send(b"x")
        assert await program.read() == b"x"


async def settle(bench: Bench) -> None:
    await bench.until(lambda: bench.tunnel.live == 0 and bench.tunnel.state is State.READY)
    await bench.until(lambda: len(bench.of("accepted")) == len(bench.of("closed")) + len(bench.of("failed")))
    gc.collect()


@pytest.mark.timeout(400)
async def test_1000_connections_one_after_another_leave_nothing_behind(bench: Bench) -> None:
    local = await bench.start()
    for _ in range(20):
        await use_once(local)
    await settle(bench)
    tasks, descriptors = len(asyncio.all_tasks()), open_descriptors()
    for _ in range(980):
        await use_once(local)
    await settle(bench)
    await bench.until(lambda: open_descriptors() <= descriptors, "descriptors are closed")
    assert len(asyncio.all_tasks()) <= tasks
    assert len(bench.tunnel.connections) == 20
    assert bench.tunnel.bytes_in == 1000
    assert bench.proxy.accepted == 1000


async def test_failures_of_every_kind_leave_no_descriptor(proxy: ConnectProxy, pki: Pki) -> None:
    from tests.support.connect_proxy import answer, reset_at_once, send_raw

    async with running(proxy, pki) as bench:
        local = await bench.start()
        await use_once(local)
        await settle(bench)
        before = open_descriptors()
        for behaviour in (answer(403), answer(404), answer(502), reset_at_once, send_raw(b"junk\r\n\r\n"), say_nothing):
            proxy.script.append(behaviour)
            with Local(local) as program:
                if behaviour is not say_nothing:
                    if behaviour is reset_at_once:
                        await program.send(b"x")
                        await program.read()
                    else:
                        assert await program.is_reset()
                else:
                    await bench.until(lambda: proxy.connects)
                    await bench.engine.restart("db")
                    assert await program.is_reset()
        await settle(bench)
        await bench.until(lambda: open_descriptors() <= before, "descriptors are closed")


async def test_trouble_at_the_end_leaves_no_connection_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = LocalEngine(settings=Settings(), store=MemoryStore())

    async def fail() -> None:
        raise OSError("no space is left")

    monkeypatch.setattr(engine, "_save_ports", fail)
    with pytest.raises(OSError, match="no space"):
        async with engine:
            engine.jobs.start(asyncio.sleep(60))
    assert len(engine.jobs) == 0

"""What every `Engine` does, in this process or behind a socket."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.agent.conftest import find, serving
from tests.support.connect_proxy import answer
from tests.support.engine_bench import Local, running
from tunnelui.agent.client import AgentClient
from tunnelui.config.route import Route
from tunnelui.config.route_changes import RouteChange, taken_back
from tunnelui.config.routes import RouteFile
from tunnelui.engine.findings import STAGES, Outcome
from tunnelui.engine.model import ConnectionState, Event, IdentityStatus, ProxyModeSnapshot, State, to_json
from tunnelui.errors import AccessDenied, ConfigError, SignInFailed, SignInNeeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.support.connect_proxy import ConnectProxy
    from tests.support.pki import Pki
    from tunnelui.engine.interface import Engine
    from tunnelui.engine.model import TunnelSnapshot


@dataclass
class Contract:
    engine: Engine
    proxy: ConnectProxy
    events: list[Event] = field(default_factory=list)

    def tunnel(self, name: str = "db") -> TunnelSnapshot:
        tunnel = self.engine.snapshot().tunnel(name)
        assert tunnel is not None
        return tunnel

    @property
    def names(self) -> list[str]:
        return [tunnel.route.name for tunnel in self.engine.snapshot().tunnels]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.kind == kind]

    async def until(self, condition: Callable[[], Any]) -> None:
        with anyio.fail_after(60):
            while not condition():
                await anyio.sleep(0.01)

    async def open(self, name: str = "db") -> Local:
        await self.engine.start(name)
        program = Local(self.tunnel(name).local)
        await program.send(b"x")
        assert await program.read() == b"x"
        return program


@pytest.fixture(params=["local", "agent", "agent over tcp"])
async def contract(
    request: pytest.FixtureRequest, proxy: ConnectProxy, pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Contract]:
    """An engine with one route ``db``, saved in a file."""
    if request.param == "agent over tcp":
        monkeypatch.setenv("TUNNELUI_AGENT_TRANSPORT", "tcp")
    file = RouteFile(tmp_path / "routes.toml")
    file.save([Route("db", proxy.destination())])
    async with running(proxy, pki, routes=RouteFile(file.path)) as bench:
        if request.param == "local":
            contract = Contract(bench.engine, proxy, bench.events)
            yield contract
            return
        async with serving(bench), AgentClient(find) as client, anyio.create_task_group() as tasks:
            contract = Contract(client, proxy)
            reader = client.events()

            async def collect() -> None:
                async for event in reader:
                    contract.events.append(event)

            tasks.start_soon(collect)
            yield contract
            tasks.cancel_scope.cancel()


async def test_a_started_route_listens_when_the_call_returns(contract: Contract) -> None:
    assert contract.tunnel().state is State.OFF
    await contract.engine.start("db")
    assert contract.tunnel().state is State.READY
    assert contract.tunnel().local.startswith("127.0.0.1:")
    await contract.engine.start("db")
    await contract.engine.stop("db")
    assert contract.tunnel().state is State.OFF
    await contract.engine.stop("db")
    await contract.until(lambda: contract.of("stopped"))


async def test_a_busy_address_can_be_left_for_a_free_port(contract: Contract) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        await contract.engine.update_route("db", replace(contract.tunnel().route, listen=listen))
        await contract.engine.start("db")
        assert contract.tunnel().state is State.PORT_BUSY
        await contract.engine.start("db", any_port=True)
        assert contract.tunnel().state is State.READY
        assert contract.tunnel().local not in (listen, "")
        await contract.engine.stop("db")
        assert contract.tunnel().local == listen
    await contract.engine.start("db")
    assert (contract.tunnel().state, contract.tunnel().local) == (State.READY, listen)


async def test_connections_bytes_and_stages_are_in_the_snapshot(contract: Contract) -> None:
    with await contract.open():
        await contract.until(lambda: contract.tunnel().bytes_in == 1 == contract.tunnel().bytes_out)
        (connection,) = contract.tunnel().connections
        assert (contract.tunnel().state, contract.tunnel().live) == (State.LIVE, 1)
        assert connection.state is ConnectionState.OPEN
        assert connection.timings.tls is not None
        assert connection.timings.tls > 0
    await contract.until(lambda: contract.tunnel().live == 0)
    await contract.until(lambda: contract.of("closed"))
    assert [event.kind for event in contract.events if event.connection] == ["accepted", "open", "closed"]


async def test_snapshot_and_events_have_a_json_form(contract: Contract) -> None:
    with await contract.open():
        text = json.dumps(to_json(contract.engine.snapshot()))
    assert json.loads(text)["tunnels"][0]["route"]["name"] == "db"
    await contract.until(lambda: contract.of("closed"))
    for event in contract.events:
        assert json.loads(json.dumps(to_json(event)))["kind"] == event.kind


async def test_a_restart_cuts_and_keeps_the_port(contract: Contract) -> None:
    program = await contract.open()
    local = contract.tunnel().local
    await contract.engine.restart("db")
    assert await program.is_reset()
    program.close()
    assert (contract.tunnel().state, contract.tunnel().local) == (State.READY, local)


@pytest.mark.parametrize("call", ["start", "stop", "restart", "remove_route", "probe"])
async def test_unknown_route_is_the_callers_mistake(contract: Contract, call: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await getattr(contract.engine, call)("no\x1bsuch")
    assert caught.value.code == "no_such_route"
    assert "\x1b" not in str(caught.value)
    assert caught.value.place == "name"


async def test_unknown_profile_or_proxy_is_the_callers_mistake(contract: Contract) -> None:
    for call in ("sign_in", "sign_out", "cancel_sign_in"):
        with pytest.raises(ConfigError):
            await getattr(contract.engine, call)("nobody", contract.proxy.origin)
        with pytest.raises(ConfigError):
            await getattr(contract.engine, call)("default", "no url")


async def test_a_password_is_taken_for_a_certificate_alone(contract: Contract) -> None:
    for profile, code in (("default", "no_certificate"), ("nobody", "config")):
        with pytest.raises(ConfigError) as caught:
            await contract.engine.unlock(profile, "secret")
        assert caught.value.code == code and "secret" not in str(caught.value)


async def test_added_route_can_be_started(contract: Contract) -> None:
    before = contract.engine.snapshot().version
    await contract.engine.add_route(Route("web", contract.proxy.destination("web.example.com:80"), tags=("x",)))
    assert contract.engine.snapshot().version > before
    assert contract.names == ["db", "web"]
    await contract.engine.start("web")
    assert (contract.tunnel("web").state, contract.tunnel("web").target) == (State.READY, "web.example.com:80")
    assert contract.tunnel("web").route.tags == ("x",)


@pytest.mark.parametrize(
    "route",
    [
        Route("db", "a.example.com:1"),
        Route("", "a.example.com:1"),
        Route("x", "no destination"),
        Route("x", "a.example.com:1", "-"),
        Route("x", "a.example.com:1", profile="nobody"),
        Route("x", "a.example.com:1", proxy_url="nothing"),
    ],
    ids=["taken", "empty", "destination", "listen", "profile", "proxy"],
)
async def test_wrong_route_is_refused_and_nothing_changes(contract: Contract, route: Route) -> None:
    with pytest.raises(ConfigError) as caught:
        await contract.engine.add_route(route)
    assert caught.value.place
    assert contract.names == ["db"]


async def test_renamed_route_keeps_its_place_and_its_connections(contract: Contract) -> None:
    await contract.engine.add_route(Route("last", "z.example.com:1"))
    with await contract.open() as program:
        await contract.engine.update_route("db", replace(contract.tunnel().route, name="base", autostart=True))
        assert contract.names == ["base", "last"]
        await program.send(b"y")
        assert await program.read() == b"y"
        assert contract.tunnel("base").state is State.LIVE


async def test_new_destination_restarts_a_running_tunnel_on_its_port(contract: Contract) -> None:
    program = await contract.open()
    local = contract.tunnel().local
    new = replace(contract.tunnel().route, destination=contract.proxy.destination("new.example.com:1"))
    await contract.engine.update_route("db", new)
    assert await program.is_reset()
    program.close()
    assert (contract.tunnel().local, contract.tunnel().target) == (local, "new.example.com:1")


async def test_removed_route_is_cut_and_gone(contract: Contract) -> None:
    program = await contract.open()
    await contract.engine.remove_route("db")
    assert contract.names == []
    assert await program.is_reset()
    program.close()


async def test_probe_says_how_long_a_tunnel_took(contract: Contract) -> None:
    timings = await contract.engine.probe("db")
    assert timings.connect is not None
    assert contract.tunnel().state is State.OFF
    contract.proxy.script.append(answer(403))
    with pytest.raises(AccessDenied) as caught:
        await contract.engine.probe("db")
    assert caught.value.code == "denied"
    assert caught.value.hint


async def test_one_connection_is_closed_and_the_others_go_on(contract: Contract) -> None:
    first = await contract.open()
    (one,) = contract.tunnel().connections
    second = await contract.open()
    await contract.engine.close_connection("db", one.id)
    assert await first.is_reset()
    first.close()
    await second.send(b"y")
    assert await second.read() == b"y"
    await contract.until(lambda: contract.tunnel().live == 1)
    (closed,) = (each for each in contract.tunnel().connections if each.id == one.id)
    assert closed.cause == "closed on request"
    await contract.engine.close_connection("db", one.id)
    await contract.engine.close_connection("db", 987_654)
    await second.send(b"z")
    assert await second.read() == b"z"
    second.close()
    with pytest.raises(ConfigError) as caught:
        await contract.engine.close_connection("no", one.id)
    assert caught.value.code == "no_such_route"


async def test_what_happened_before_is_remembered(contract: Contract) -> None:
    await contract.engine.add_route(Route("web", contract.proxy.destination("web.example.com:80")))
    await contract.engine.start("web")
    with await contract.open():
        pass
    await contract.until(lambda: contract.of("closed"))
    told = await contract.engine.history()
    assert [event.at for event in told] == sorted(event.at for event in told)
    assert {"listening", "accepted", "open", "closed"} <= {event.kind for event in told}
    assert {event.route for event in await contract.engine.history("web")} == {"web"}
    assert await contract.engine.history("no such") == ()


async def test_a_diagnosis_tells_each_stage_as_it_passes(contract: Contract) -> None:
    contract.proxy.tokens = {"good.token.here"}
    findings = [finding async for finding in contract.engine.diagnose("db")]
    assert [finding.stage for finding in findings] == list(STAGES)
    outcomes = {finding.stage: finding.outcome for finding in findings}
    assert (outcomes["tls"], outcomes["token"], outcomes["connect"]) == (Outcome.OK, Outcome.WARNING, Outcome.FAIL)
    assert outcomes["first_byte"] is Outcome.SKIP
    assert next(one for one in findings if one.stage == "tls").seconds
    assert next(one for one in findings if one.stage == "connect").facts["needs"] == "sign-in"
    assert contract.tunnel().state is State.OFF
    assert not contract.of("sign_in")


async def test_a_diagnosis_can_be_left_in_the_middle(contract: Contract) -> None:
    async with contextlib.aclosing(contract.engine.diagnose("db")) as findings:
        with anyio.fail_after(60):
            assert [(await anext(findings)).stage for _ in range(3)] == ["dns", "tcp", "tls"]
    await anyio.sleep(0.3)
    assert not contract.proxy.connects
    with pytest.raises(ConfigError) as caught:
        async for _ in contract.engine.diagnose("nobody"):
            pass
    assert caught.value.code == "no_such_route"


async def test_many_changes_are_made_at_once_or_not_at_all(contract: Contract) -> None:
    route, web = contract.tunnel().route, Route("web", contract.proxy.destination("web.example.com:80"))
    program = await contract.open()
    noted = replace(route, name="base", note="mine")
    await contract.engine.change_routes([RouteChange(None, web), RouteChange(route, noted)])
    assert contract.names == ["base", "web"]
    await program.send(b"z")
    assert await program.read() == b"z"
    stale, taken = RouteChange(route, None), RouteChange(None, replace(web, name="base"))
    for wrong in (stale, RouteChange(replace(noted, note="theirs"), None), taken):
        with pytest.raises(ConfigError):
            await contract.engine.change_routes([RouteChange(web, None), wrong])
    assert contract.names == ["base", "web"]
    await contract.engine.change_routes(taken_back([RouteChange(None, web), RouteChange(route, noted)]))
    assert (contract.names, contract.tunnel().route) == (["db"], route)
    await program.send(b"y")
    assert await program.read() == b"y"
    await contract.engine.change_routes([RouteChange(route, None)])
    assert contract.names == []
    assert await program.is_reset()
    program.close()


async def test_five_thousand_routes_are_taken_over(contract: Contract) -> None:
    many = [
        RouteChange(None, Route(f"r{number}", f"h{number}.example.com:1", note="x" * 200)) for number in range(5000)
    ]
    await contract.engine.change_routes(many)
    assert len(contract.names) == 5001


async def test_what_a_proxy_offers_needs_a_sign_in(contract: Contract) -> None:
    with pytest.raises(SignInNeeded):
        await contract.engine.offer("default", contract.proxy.origin)
    with pytest.raises(ConfigError):
        await contract.engine.offer("nobody", contract.proxy.origin)


async def test_a_sign_in_shows_and_serves_who_waits(contract: Contract) -> None:
    contract.proxy.tokens = {"good.token.here"}
    await contract.engine.start("db")
    with Local(contract.tunnel().local) as program:
        await program.send(b"x")
        await contract.until(
            lambda: any(one.sign_in and one.sign_in.url for one in contract.engine.snapshot().identities)
        )
        assert contract.tunnel().state is State.AUTH
        (identity,) = contract.engine.snapshot().identities
        assert identity.sign_in is not None
        assert identity.sign_in.waiting == ("db",)
        with pytest.raises(SignInFailed):
            await contract.engine.paste("default", contract.proxy.origin, "this is no token")
        await contract.engine.paste("default", contract.proxy.origin, "good.token.here")
        assert await program.read() == b"x"
    (identity,) = contract.engine.snapshot().identities
    assert identity.status is IdentityStatus.SIGNED_IN
    assert identity.signed_in_by == "paste"
    assert identity.signed_in_at is not None
    await contract.engine.sign_out("default", contract.proxy.origin)
    (identity,) = contract.engine.snapshot().identities
    assert identity.status is IdentityStatus.SIGNED_OUT
    assert identity.signed_in_at is None
    await contract.until(lambda: contract.of("signed_in"))


async def test_a_cancelled_sign_in_ends_who_waits(contract: Contract) -> None:
    contract.proxy.tokens = set()
    await contract.engine.start("db")
    with Local(contract.tunnel().local) as program:
        await contract.until(lambda: contract.of("sign_in"))
        await contract.engine.cancel_sign_in("default", contract.proxy.origin)
        assert await program.is_reset()
    await contract.until(lambda: contract.of("failed"))
    assert contract.tunnel().problem is not None


def _ask_for(target: str, local: str) -> Local:
    program = Local(local)
    program.sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    return program


async def test_proxy_mode_leads_to_every_route_by_its_real_name(contract: Contract) -> None:
    assert contract.engine.snapshot().proxy_mode == ProxyModeSnapshot()
    await contract.engine.start_proxy("127.0.0.1:0")
    mode = contract.engine.snapshot().proxy_mode
    assert (mode.on, mode.live, mode.problem) == (True, 0, None)
    assert mode.since is not None
    assert contract.tunnel().state is State.OFF
    with _ask_for(contract.tunnel().target, mode.local) as program:
        assert await program.read_exactly(19) == b"HTTP/1.1 200 OK\r\n\r\n"
        await program.send(b"x")
        assert await program.read() == b"x"
        await contract.until(lambda: contract.engine.snapshot().proxy_mode.live == 1)
        await contract.engine.start_proxy(mode.local)  # it is there already: nothing is cut
        await program.send(b"y")
        assert await program.read() == b"y"
    await contract.until(lambda: contract.engine.snapshot().proxy_mode.live == 0)
    with _ask_for("other.example.com:80", mode.local) as program:
        assert (await program.read_all()).startswith(b"HTTP/1.1 403 ")
    assert [one.target for one in contract.proxy.connects] == [contract.tunnel().target]
    await contract.until(lambda: [event.route for event in contract.of("open")] == ["db"])
    assert json.loads(json.dumps(to_json(contract.engine.snapshot())))["proxy_mode"]["local"] == mode.local


async def test_proxy_mode_off_frees_the_port_and_cuts(contract: Contract) -> None:
    await contract.engine.start_proxy("127.0.0.1:0")
    local = contract.engine.snapshot().proxy_mode.local
    with _ask_for(contract.tunnel().target, local) as program:
        assert await program.read_exactly(19) == b"HTTP/1.1 200 OK\r\n\r\n"
        await contract.engine.stop_proxy()
        assert await program.is_reset()
    mode = contract.engine.snapshot().proxy_mode
    assert (mode.on, mode.local, mode.since, mode.live) == (False, local, None, 0)
    with pytest.raises(ConnectionRefusedError):
        Local(local)
    await contract.engine.stop_proxy()
    await contract.engine.start_proxy(local)
    assert contract.engine.snapshot().proxy_mode.on


async def test_proxy_mode_moves(contract: Contract) -> None:
    await contract.engine.start_proxy("127.0.0.1:0")
    first = contract.engine.snapshot().proxy_mode.local
    await contract.engine.start_proxy("[::1]:0")
    second = contract.engine.snapshot().proxy_mode.local
    assert second.startswith("[::1]:")
    with pytest.raises(ConnectionRefusedError):
        Local(first)


async def test_proxy_mode_names_who_holds_its_port(contract: Contract) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        await contract.engine.start_proxy(listen)
        mode = contract.engine.snapshot().proxy_mode
        assert (mode.on, mode.local, mode.since) == (False, listen, None)
        assert mode.problem is not None
        assert mode.problem.code == "port_busy"
        assert f"(pid {os.getpid()})" in mode.problem.message
        await contract.engine.stop_proxy()
        assert contract.engine.snapshot().proxy_mode.problem is None
        await contract.engine.start_proxy(listen)
    await contract.engine.start_proxy(listen)
    mode = contract.engine.snapshot().proxy_mode
    assert (mode.on, mode.problem) == (True, None)


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:1080", ":1080", "[::]:1080", "example.com:1080", "unix:/tmp/x", "-", "nine"]
)
async def test_proxy_mode_is_for_this_machine_alone(contract: Contract, listen: str) -> None:
    with pytest.raises(ConfigError):
        await contract.engine.start_proxy(listen)
    assert not contract.engine.snapshot().proxy_mode.on


async def test_proxy_mode_waits_for_the_same_sign_in_as_the_tunnels(contract: Contract) -> None:
    contract.proxy.tokens = {"good.token.here"}
    await contract.engine.start_proxy("127.0.0.1:0")
    with _ask_for(contract.tunnel().target, contract.engine.snapshot().proxy_mode.local) as program:
        await contract.until(
            lambda: any(one.sign_in and one.sign_in.url for one in contract.engine.snapshot().identities)
        )
        await contract.engine.paste("default", contract.proxy.origin, "good.token.here")
        assert await program.read_exactly(19) == b"HTTP/1.1 200 OK\r\n\r\n"


async def test_a_reader_gets_what_happens_from_then_on(contract: Contract) -> None:
    await contract.engine.start("db")
    await contract.until(lambda: contract.of("listening"))
    reader = contract.engine.events()
    await contract.engine.stop("db")
    with anyio.fail_after(60):
        kinds = {(await anext(reader)).kind for _ in range(2)}
    assert kinds == {"state", "stopped"}


async def test_commands_with_tunnels_of_their_own_are_listed_and_asked_to_end(contract: Contract) -> None:
    assert await contract.engine.programs() == ()
    script = (
        "import sys, time; from tunnelui.engine.programs import ProgramTunnel, announced\n"
        "with announced('exec', [ProgramTunnel('db', '127.0.0.1:1', 'db.example.com:5432')], runs='/usr/bin/psql'):\n"
        "    print('ready', flush=True); time.sleep(60)"
    )
    async with await anyio.open_process([sys.executable, "-c", script]) as process:
        assert process.stdout is not None
        assert (await process.stdout.receive()).strip() == b"ready"
        (one,) = await contract.engine.programs()
        assert (one.program, one.pid, one.runs) == ("exec", process.pid, "psql")
        assert [(tunnel.name, tunnel.local, tunnel.target) for tunnel in one.tunnels] == [
            ("db", "127.0.0.1:1", "db.example.com:5432")
        ]
        with pytest.raises(ConfigError) as caught:
            await contract.engine.stop_program(os.getpid())
        assert caught.value.code == "no_such_program"
        await contract.engine.stop_program(one.pid)
        assert await process.wait() == -signal.SIGTERM
    assert await contract.engine.programs() == ()

"""Connections that wait for a sign-in."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from tests.support.engine_bench import Local, give_token, running
from tunnelui.auth.service_account import ServiceAccount
from tunnelui.auth.stores import MemoryStore
from tunnelui.auth.token_store import StoreError, TokenKey
from tunnelui.auth.tokens import Token
from tunnelui.config.profile import Profile
from tunnelui.config.route import Route
from tunnelui.engine.identities import service_account_of
from tunnelui.engine.model import ConnectionState, IdentityStatus, State
from tunnelui.errors import AuthError, SignInFailed

if TYPE_CHECKING:
    from tests.support.connect_proxy import ConnectProxy
    from tests.support.engine_bench import Bench
    from tests.support.pki import Pki


def jwt(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{payload}.c2ln"


async def browser(bench: Bench, token: str, *, accept: bool = True) -> None:
    """Follow the latest sign-in to its end."""
    status = await anyio.to_thread.run_sync(lambda: bench.proxy.sign_in(token, accept=accept))
    assert status == 200


async def login_asked(bench: Bench, times: int = 1) -> None:
    await bench.until(lambda: len(bench.proxy.logins) == times and bench.of("sign_in")[times - 1 :], "a login request")


@pytest.fixture(params=[301, 302, 307, 308, 401])
def status(request: pytest.FixtureRequest) -> int:
    return int(request.param)


async def test_connection_that_causes_the_sign_in_is_served_by_it(bench: Bench, status: int) -> None:
    bench.proxy.tokens, bench.proxy.unauthenticated = set(), status
    with Local(await bench.start()) as program:
        await program.send(b"early bytes")
        await login_asked(bench)
        tunnel = bench.tunnel
        assert (tunnel.state, tunnel.live) == (State.AUTH, 0)
        assert tunnel.connections[0].state is ConnectionState.SIGN_IN
        (identity,) = bench.engine.snapshot().identities
        assert identity.sign_in is not None
        assert identity.sign_in.waiting == ("db",)
        assert identity.sign_in.url.startswith(bench.proxy.origin)
        assert identity.sign_in.deadline_at > identity.sign_in.started_at
        await browser(bench, jwt(email="alice@example.com"))
        assert await program.read_exactly(11) == b"early bytes"
        assert bench.tunnel.state is State.LIVE
    assert [seen.token for seen in bench.proxy.connects] == [None, jwt(email="alice@example.com")]
    (identity,) = bench.engine.snapshot().identities
    assert (identity.status, identity.name, identity.sign_in) == (IdentityStatus.SIGNED_IN, "alice@example.com", None)
    assert await bench.store.load(bench.key) == Token(jwt(email="alice@example.com"))
    (told,) = bench.of("sign_in")
    assert told.data["url"].startswith(bench.proxy.origin) and "?" in told.data["url"]
    assert told.message == f"sign in at {told.data['url'].partition('?')[0]}?…"
    (kept,) = [event for event in await bench.engine.history() if event.kind == "sign_in"]
    assert kept.data["url"] == f"{told.data['url'].partition('?')[0]}?…"
    assert bench.of("signed_in")[0].data["name"] == "alice@example.com"
    assert bench.kinds("sign_in", "signed_in", "open") == ["sign_in", "signed_in", "open"]


async def test_time_in_the_sign_in_counts_as_queue(bench: Bench) -> None:
    bench.proxy.tokens = set()
    with Local(await bench.start()) as program:
        await login_asked(bench)
        await anyio.sleep(0.3)
        await browser(bench, "t1")
        await program.send(b"x")
        await program.read()
        timings = bench.tunnel.connections[0].timings
    assert timings.queue is not None
    assert timings.queue >= 0.3
    assert timings.handshake is not None
    assert timings.handshake < timings.queue


@pytest.mark.timeout(400)
async def test_50_connections_at_once_share_one_login_and_are_all_served(bench: Bench) -> None:
    bench.proxy.tokens = set()
    local = await bench.start()
    programs = [Local(local) for _ in range(50)]
    for n, program in enumerate(programs):
        await program.send(b"%03d" % n)
    await bench.until(
        lambda: (
            all(c.state is ConnectionState.SIGN_IN for c in bench.tunnel.connections)
            and len(bench.tunnel.connections) == 50
        ),
        "50 waiting connections",
    )
    assert bench.tunnel.state is State.AUTH
    await login_asked(bench)
    await browser(bench, "the-token")
    for n, program in enumerate(programs):
        assert await program.read_exactly(3) == b"%03d" % n
        program.close()
    assert len(bench.proxy.logins) == 1
    assert len(bench.of("sign_in")) == 1
    await bench.until_state(State.READY)
    assert bench.of("failed") == []


async def test_two_routes_wait_for_the_same_sign_in(proxy: ConnectProxy, pki: Pki) -> None:
    proxy.tokens = set()
    routes = [Route("db", proxy.destination()), Route("web", proxy.destination("web.example.com:80"))]
    async with running(proxy, pki, routes=routes) as bench:
        await bench.engine.start("web")
        web = bench.engine.snapshot().tunnel("web")
        assert web is not None
        with Local(await bench.start()) as one, Local(web.local) as two:
            await login_asked(bench)
            await bench.until(
                lambda: (
                    [i.sign_in and set(i.sign_in.waiting) for i in bench.engine.snapshot().identities]
                    == [{"db", "web"}]
                )
            )
            await browser(bench, "t")
            for program in (one, two):
                await program.send(b"x")
                assert await program.read() == b"x"
        assert len(proxy.logins) == 1


async def test_stale_token_is_replaced(bench: Bench) -> None:
    await bench.store.save(bench.key, Token("stale"))
    bench.proxy.tokens = set()
    with Local(await bench.start()) as program:
        await login_asked(bench)
        await browser(bench, "fresh")
        await program.send(b"x")
        assert await program.read() == b"x"
    assert [seen.token for seen in bench.proxy.connects] == ["stale", "fresh"]
    assert await bench.store.load(bench.key) == Token("fresh")


async def test_cached_token_is_used_without_asking(bench: Bench) -> None:
    await give_token(bench)
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
    assert [seen.token for seen in bench.proxy.connects] == ["good-token"]
    assert bench.proxy.logins == []


async def test_second_rejection_is_an_error_and_opens_no_further_tab(bench: Bench) -> None:
    bench.proxy.tokens = set()
    local = await bench.start()
    with Local(local) as program:
        await login_asked(bench)
        await browser(bench, "never-good", accept=False)
        assert await program.is_reset()
    await bench.until(lambda: bench.of("failed"))
    assert bench.of("failed")[0].data["code"] == "rejected"
    assert bench.tunnel.state is State.AUTH
    assert bench.tunnel.problem is not None
    with Local(local) as program:
        assert await program.is_reset()
    await bench.until(lambda: len(bench.of("failed")) == 2)
    assert len(bench.proxy.logins) == 1
    bench.proxy.tokens = {"never-good"}
    with Local(local) as program:
        await program.send(b"x")
        assert await program.read() == b"x"
        await bench.until_state(State.LIVE)


async def test_cancelled_sign_in_closes_those_who_wait(bench: Bench) -> None:
    bench.proxy.tokens = set()
    local = await bench.start()
    programs = [Local(local) for _ in range(3)]
    await login_asked(bench)
    await bench.until(lambda: bench.tunnel.connections[2:])
    await bench.engine.cancel_sign_in("default", bench.proxy.origin)
    for program in programs:
        assert await program.is_reset()
        program.close()
    await bench.until(lambda: len(bench.of("failed")) == 3)
    assert {e.data["code"] for e in bench.of("failed")} == {"cancelled"}
    assert bench.tunnel.state is State.AUTH
    assert bench.tunnel.problem is not None
    # The next one begins a new sign-in, and that heals the tunnel.
    with Local(local) as program:
        await login_asked(bench, 2)
        await browser(bench, "t2")
        await program.send(b"x")
        assert await program.read() == b"x"
    await bench.until_state(State.READY)


async def test_a_renewal_that_is_cancelled_signs_nobody_in(bench: Bench) -> None:
    await bench.engine.paste("default", bench.proxy.origin, "first")
    (before,) = bench.engine.snapshot().identities
    await bench.engine.sign_in("default", bench.proxy.origin)
    await login_asked(bench)
    await bench.engine.cancel_sign_in("default", bench.proxy.origin)
    await bench.until(lambda: bench.engine.snapshot().identities[0].sign_in is None)
    assert len(bench.of("signed_in")) == 1
    assert bench.engine.snapshot().identities[0] == before
    await bench.engine.sign_in("default", bench.proxy.origin)
    await login_asked(bench, 2)
    await browser(bench, "t2")
    await bench.until(lambda: len(bench.of("signed_in")) == 2)
    assert bench.engine.snapshot().identities[0].signed_in_by == "browser"


async def test_sign_in_that_nobody_finishes_ends_at_its_deadline(proxy: ConnectProxy, pki: Pki) -> None:
    proxy.tokens = set()
    async with running(proxy, pki, sign_in_timeout=0.4) as bench:
        with Local(await bench.start()) as program:
            assert await program.is_reset()
        await bench.until(lambda: bench.of("failed"))
        assert bench.of("failed")[0].data["code"] == "timeout"
        assert bench.tunnel.state is State.AUTH


async def test_person_who_signs_in_heals_a_tunnel_that_wanted_it(bench: Bench) -> None:
    bench.proxy.tokens = set()
    with Local(await bench.start()) as program:
        await login_asked(bench)
        await bench.engine.cancel_sign_in("default", bench.proxy.origin)
        assert await program.is_reset()
    await bench.until_state(State.AUTH)
    await bench.engine.sign_in("default", bench.proxy.origin)
    await login_asked(bench, 2)
    await browser(bench, "t")
    await bench.until_state(State.READY)
    assert bench.tunnel.problem is None


async def test_pasted_token_serves_those_who_wait(bench: Bench) -> None:
    bench.proxy.tokens = {"pasted"}
    with Local(await bench.start()) as program:
        await login_asked(bench)
        with pytest.raises(SignInFailed):
            await bench.engine.paste("default", bench.proxy.origin, "http://127.0.0.1:1/?nothing=here")
        await bench.engine.paste("default", bench.proxy.origin, "http://127.0.0.1:1/nonce?pomerium_jwt=pasted")
        await program.send(b"x")
        assert await program.read() == b"x"


async def test_pasting_without_a_sign_in_under_way_works_too(bench: Bench) -> None:
    bench.proxy.tokens = {jwt(email="carol@example.com")}
    await bench.engine.paste("default", bench.proxy.origin, jwt(email="carol@example.com"))
    await bench.until(lambda: bench.of("signed_in"))
    assert bench.of("signed_in")[0].data["name"] == "carol@example.com"
    with Local(await bench.start()) as program:
        await program.send(b"x")
        assert await program.read() == b"x"
    assert bench.proxy.logins == []


async def test_sign_out_forgets_the_token_and_keeps_live_connections(bench: Bench) -> None:
    await give_token(bench)
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
        await bench.engine.sign_out("default", bench.proxy.origin)
        assert await bench.store.load(bench.key) is None
        assert bench.engine.snapshot().identities[0].status is IdentityStatus.SIGNED_OUT
        await program.send(b"y")
        assert await program.read() == b"y"


async def test_program_that_hangs_up_while_waiting_leaves_alone(bench: Bench) -> None:
    bench.proxy.tokens = set()
    local = await bench.start()
    stays, leaves, resets = Local(local), Local(local), Local(local)
    await stays.send(b"hi")
    await resets.send(b"bytes that nobody reads")
    await login_asked(bench)
    await bench.until(lambda: bench.tunnel.connections[2:])
    leaves.close()
    resets.reset()
    await bench.until(lambda: len(bench.of("failed")) == 2, "two that left")
    assert {e.data["code"] for e in bench.of("failed")} == {"left"}
    assert {e.level for e in bench.of("failed")} == {"info"}
    assert bench.tunnel.state is State.AUTH
    assert bench.tunnel.problem is None
    await browser(bench, "t")
    assert await stays.read_exactly(2) == b"hi"
    stays.close()
    assert len(bench.proxy.logins) == 1


async def test_program_that_sent_its_request_and_half_closed_is_no_hang_up(bench: Bench) -> None:
    bench.proxy.tokens = set()
    with Local(await bench.start()) as program:
        await program.send(b"request")
        await program.end()
        await login_asked(bench)
        await anyio.sleep(0.6)
        await browser(bench, "t")
        assert await program.read_all() == b"request"


async def test_stop_while_waiting_leaves_the_sign_in_to_others(bench: Bench) -> None:
    bench.proxy.tokens = set()
    with Local(await bench.start()) as program:
        await login_asked(bench)
        await bench.engine.stop("db")
        assert await program.is_reset()
    assert bench.tunnel.state is State.OFF
    assert bench.engine.snapshot().identities[0].sign_in is not None
    await browser(bench, "t")
    await bench.until(lambda: bench.engine.snapshot().identities[0].status is IdentityStatus.SIGNED_IN)


async def test_service_account_of_the_environment_goes_to_no_other_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNNELUI_SERVICE_ACCOUNT", "robot")
    assert service_account_of(Profile("other")) is None
    assert service_account_of(Profile("own", service_account="mine")) == ServiceAccount(
        value="mine", place="service_account"
    )


async def test_service_account_goes_before_everything(proxy: ConnectProxy, pki: Pki) -> None:
    proxy.tokens = {"robot"}
    account = ServiceAccount(value="robot")
    async with running(proxy, pki, service_account=lambda profile: account) as bench:
        with Local(await bench.start()) as program:
            await program.send(b"x")
            assert await program.read() == b"x"
        proxy.tokens = set()
        with Local(bench.tunnel.local) as program:
            assert await program.is_reset()
        await bench.until(lambda: bench.of("failed"))
        assert bench.of("failed")[0].data["code"] == "service_account"
        assert proxy.logins == []
        assert await bench.store.load(bench.key) is None
        with pytest.raises(AuthError):
            await bench.engine.sign_in("default", proxy.origin)


async def test_without_a_person_the_connection_fails_with_what_is_needed(proxy: ConnectProxy, pki: Pki) -> None:
    proxy.tokens = set()
    async with running(proxy, pki, interactive=False) as bench:
        with Local(await bench.start()) as program:
            assert await program.is_reset()
        await bench.until(lambda: bench.of("failed"))
        assert bench.of("failed")[0].data["code"] == "sign_in_needed"
        assert bench.tunnel.state is State.AUTH
        assert proxy.logins == []


async def test_identity_is_looked_up_for_a_screen(proxy: ConnectProxy, pki: Pki) -> None:
    from tunnelui.wire.destination import parse_proxy_url

    store = MemoryStore()
    await store.save(TokenKey("default", parse_proxy_url(proxy.origin)), Token(jwt(email="bob@example.com")))
    async with running(proxy, pki, store=store, look_up_identities=True) as bench:
        await bench.until(lambda: [i.name for i in bench.engine.snapshot().identities] == ["bob@example.com"])
    async with running(proxy, pki, store=store) as bench:
        assert bench.engine.snapshot().identities == ()


async def test_trouble_with_the_store_is_told_once_however_many_proxies_there_are(
    proxy: ConnectProxy, pki: Pki
) -> None:
    class Broken(MemoryStore):
        async def load(self, key: TokenKey) -> Token | None:
            raise StoreError("this machine has no usable keyring; the token stays in memory.")

    routes = [Route(f"r{number}", f"tcp+https://p{number}.example.com/db.internal:5432") for number in range(4)]
    async with running(proxy, pki, store=Broken(), routes=routes, look_up_identities=True) as bench:
        await bench.until(lambda: len(bench.engine.snapshot().identities) == 4)
        await bench.until(lambda: bench.of("note"))
        await anyio.sleep(0.2)
        assert [event.message.partition(";")[0] for event in bench.of("note")] == ["this machine has no usable keyring"]
        assert len(bench.engine.snapshot().notes) == 1


async def test_trouble_at_the_login_endpoint_is_told(bench: Bench) -> None:
    """The proxy dies between the answer and the login request."""
    bench.proxy.tokens = set()
    local = await bench.start()
    bench.proxy.stop()
    await bench.engine.sign_in("default", bench.proxy.origin)
    await bench.until(lambda: bench.of("note"), "a note about the sign-in")
    assert bench.of("note")[0].level == "warning"
    (identity,) = bench.engine.snapshot().identities
    assert identity.problem is not None
    assert identity.problem.at > 0
    assert local == bench.tunnel.local

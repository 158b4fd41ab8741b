from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from tests.auth.jwt import jwt
from tests.auth.login_server import Answer, LoginServer
from tests.auth.person import opened, person
from tunnelui.auth import sign_in as sign_in_module
from tunnelui.auth.sign_in import SignIn, SignInOptions
from tunnelui.auth.tokens import Token
from tunnelui.errors import ConfigError, SignInFailed
from tunnelui.wire.destination import ProxyOrigin

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = jwt(email="alice@example.com")


@pytest.fixture
def server() -> Iterator[LoginServer]:
    with LoginServer(token=TOKEN) as server:
        yield server


async def test_the_person_signs_in_and_the_page_is_seen(server: LoginServer, tmp_path: Path) -> None:
    tokens: list[Token] = []
    shown: list[str] = []
    options = SignInOptions(browser_cmd=person(tmp_path), announce=lambda url, browser: shown.append(url))
    changes: list[str] = []
    sign_in = SignIn(server.origin, options, lambda: changes.append(sign_in.state.url))
    with anyio.fail_after(60):
        await sign_in.run(tokens.append)
    assert tokens == [Token(TOKEN)]
    assert opened(tmp_path) == shown == changes == [sign_in.state.url]
    with anyio.fail_after(60):
        while not (tmp_path / "page").exists() or "signed in" not in (tmp_path / "page").read_text():
            await anyio.sleep(0.02)
    assert sign_in.state.note == ""


async def test_without_a_browser_the_address_is_shown_and_the_wait_goes_on(
    server: LoginServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_module, "_PAGE_TIME", 1000.0)  # no page is waited for where no browser came back
    tokens: list[Token] = []
    sign_in = SignIn(server.origin, SignInOptions(browser_cmd=str(tmp_path / "none")), lambda: None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sign_in.run, tokens.append)
        with anyio.fail_after(60):
            while not sign_in.state.note:
                await anyio.sleep(0.01)
        assert "did not start" in sign_in.state.note
        assert sign_in.state.url
        assert tokens == []
        sign_in.deliver(Token("pasted"))
        sign_in.deliver(Token("second"))
    assert tokens == [Token("pasted")]


async def test_no_browser_is_started_where_none_is_wanted(server: LoginServer, tmp_path: Path) -> None:
    sign_in = SignIn(server.origin, SignInOptions(browser_cmd=person(tmp_path), open_browser=False), lambda: None)
    with anyio.move_on_after(0.6):
        await sign_in.run(lambda _: None)
    assert sign_in.state.url
    assert opened(tmp_path) == []


async def test_the_deadline_ends_it_with_words(server: LoginServer) -> None:
    options = SignInOptions(open_browser=False, deadline=0.3)
    sign_in = SignIn(server.origin, options, lambda: None)
    assert sign_in.state.deadline_at - sign_in.state.started_at == pytest.approx(0.3)
    with pytest.raises(SignInFailed, match=r"within 0\.3 seconds") as caught:
        await sign_in.run(lambda _: None)
    assert caught.value.code == "timeout"


async def test_the_deadline_covers_the_proxy_as_well(server: LoginServer) -> None:
    server.answer = Answer(delay=1.0)
    with pytest.raises(SignInFailed) as caught:
        await SignIn(server.origin, SignInOptions(deadline=0.2), lambda: None).run(lambda _: None)
    assert caught.value.code == "timeout"


async def test_minutes_are_said_as_minutes() -> None:
    from tunnelui.auth.sign_in import _duration

    assert (_duration(300.0), _duration(60.0)) == ("5 minutes", "60 seconds")


async def test_a_proxy_that_gives_no_address_ends_it_at_once(server: LoginServer) -> None:
    server.answer = Answer(status=404, body=b"nope")
    with anyio.fail_after(60), pytest.raises(SignInFailed, match="404"):
        await SignIn(server.origin, SignInOptions(), lambda: None).run(lambda _: None)


async def test_tls_settings_that_can_not_be_used_end_it_with_their_place() -> None:
    def broken() -> ssl.SSLContext:
        raise ConfigError("no such file", place="ca_file", hint="Name the right file.")

    options = SignInOptions(ssl_context=broken)
    with pytest.raises(SignInFailed, match="ca_file: no such file") as caught:
        await SignIn(ProxyOrigin("https", "127.0.0.1", 1), options, lambda: None).run(lambda _: None)
    assert caught.value.hint == "Name the right file."


async def test_a_failure_after_the_token_does_not_count(server: LoginServer) -> None:
    server.answer = Answer(status=500, delay=0.4, body=b"")
    tokens: list[Token] = []
    sign_in = SignIn(server.origin, SignInOptions(), lambda: None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sign_in.run, tokens.append)
        await anyio.sleep(0.1)
        sign_in.deliver(Token("pasted"))
    assert tokens == [Token("pasted")]

"""TLS settings of several profiles, one of which waits for a keyring."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.backend import KeyringBackend

from tests.support.engine_bench import Local, running
from tunnelui.config.profile import Profile
from tunnelui.config.route import Route
from tunnelui.config.settings import Settings
from tunnelui.engine.identities import Contexts
from tunnelui.engine.model import State
from tunnelui.errors import ConfigError
from tunnelui.transport.pkcs12 import WRONG_PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.connect_proxy import ConnectProxy
    from tests.support.pki import Pki


class Waiting(KeyringBackend):
    """A keyring that waits for a dialog which nobody answers before `answered` is set."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's own
        self.asked, self.answered = threading.Event(), threading.Event()
        self.password: str | None = None

    def get_password(self, service: str, username: str) -> str | None:
        self.asked.set()
        self.answered.wait(10)
        return self.password

    def set_password(self, service: str, username: str, password: str) -> None:
        self.password = password


def test_a_profile_that_waits_for_the_keyring_holds_up_no_other(pki: Pki) -> None:
    before, waiting = keyring.get_keyring(), Waiting()
    keyring.set_keyring(waiting)
    try:
        contexts = Contexts()
        locked = Profile(name="locked", client_cert=pki.issue_pkcs12("me.example.com", "secret"))
        failures: list[ConfigError] = []

        def make() -> None:
            with pytest.raises(ConfigError) as caught:
                contexts.make(locked)
            failures.append(caught.value)

        thread = threading.Thread(target=make)
        thread.start()
        assert waiting.asked.wait(10)
        assert contexts.make(Profile(name="open", ca_file=pki.ca_file)) is not None
        assert not failures
        waiting.answered.set()
        thread.join(10)
        assert "tunnelui profiles unlock locked" in failures[0].hint
        waiting.password = "secret"
        assert contexts.make(locked) is contexts.make(locked)
    finally:
        keyring.set_keyring(before)


async def test_an_engine_takes_the_password_and_starts_what_waited_for_it(proxy: ConnectProxy, pki: Pki) -> None:
    locked = Profile(name="corp", ca_file=pki.ca_file, client_cert=pki.issue_pkcs12("me.example.com", "secret"))
    route = Route("db", proxy.destination(), profile="corp")
    async with running(proxy, pki, route, settings=Settings(profiles={"corp": locked}, warm=0)) as bench:
        local = Local(await bench.start())
        assert await local.is_reset() or not await local.read()
        local.close()
        assert (bench.tunnel.state, bench.tunnel.problem and bench.tunnel.problem.code) == (State.ERROR, WRONG_PASSWORD)
        with pytest.raises(ConfigError) as caught:
            await bench.engine.unlock("corp", "wrong")
        assert caught.value.code == WRONG_PASSWORD
        assert bench.tunnel.state is State.ERROR
        await bench.engine.unlock("corp", "secret")
        assert (bench.tunnel.state, bench.tunnel.problem) == (State.READY, None)


def test_a_password_that_config_toml_names_goes_before_one_that_is_typed(pki: Pki, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("wrong")
    file.chmod(0o600)
    certificate = pki.issue_pkcs12("me.example.com", "secret")
    with pytest.raises(ConfigError) as caught:
        Contexts().unlock(Profile(client_cert=certificate, client_cert_password_file=str(file)), "secret")
    assert (caught.value.code, caught.value.place) == ("password_file", str(file))

"""TLS settings of several profiles, one of which waits for a keyring."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.backend import KeyringBackend

from tunnelui.config.profile import Profile
from tunnelui.engine.identities import Contexts
from tunnelui.errors import ConfigError

if TYPE_CHECKING:
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

"""What commands say while they run."""

from __future__ import annotations

import pytest

from tunnelui.cli.telling import announce, lines
from tunnelui.engine.model import Event

URL = "https://proxy.example.com/.pomerium/sign_in?x=1"


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSH_CONNECTION", "SSH_TTY", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BROWSER", "firefox")


@pytest.mark.parametrize(
    ("browser", "start"), [(True, "Your browser should open. "), (False, "Open this address in a ")]
)
def test_a_sign_in_is_announced_as_it_goes_on(browser: bool, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    announce(URL, browser)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(start)
    assert f"\n  {URL}\n" in said.err
    assert "--device" not in said.err


def test_other_ways_are_told_where_no_browser_can_open(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Somebody at another machine: the address would lead their browser to their own loopback.
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    announce(URL, True)
    assert "--device" not in capsys.readouterr().err, "they have chosen one"
    monkeypatch.delenv("BROWSER")
    monkeypatch.setenv("DISPLAY", ":0")
    announce(URL, True)
    assert "tunnelui login --device" in capsys.readouterr().err
    # A machine without any, as a container is.
    monkeypatch.delenv("SSH_CONNECTION")
    monkeypatch.delenv("DISPLAY")
    monkeypatch.setattr("sys.platform", "linux")
    announce(URL, True)
    assert "tunnelui login --device" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "told"), [("retry", False), ("failed", True)])
def test_the_next_step_is_told_once_with_the_last_try(kind: str, told: bool) -> None:
    data = {"hint": "Check the service.", "request_id": "r1"}
    event = Event(kind, 0.0, "the service is down", "warning", route="db", connection=1, data=data)
    ((text, is_result),) = lines(event, as_json=False)
    assert not is_result
    assert text.startswith("db: the service is down (request r1)")
    assert ("Check the service." in text) is told

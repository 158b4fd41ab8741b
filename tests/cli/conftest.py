"""A program with folders of its own, and a scripted proxy for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.cli.program import Program
from tests.support.connect_proxy import ConnectProxy
from tests.support.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_variables(own_folders: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have set variables for their own tunnels."""
    for name in list(os.environ):
        if name.startswith("TUNNELUI_") and not name.endswith("_DIR"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    """A proxy without TLS."""
    with ConnectProxy() as plain:
        yield plain


@pytest.fixture
def tls_proxy(pki: Pki) -> Iterator[ConnectProxy]:
    with ConnectProxy(pki.server_context()) as secure:
        yield secure


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """Whatever agent the test has started ends with it."""
    program = Program(tmp_path / "home")
    yield program
    if any((program.runtime / name).exists() for name in ("agent.sock", "agent.json")):
        program.run("agent", "stop")

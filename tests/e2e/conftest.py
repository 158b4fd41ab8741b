"""Peers, servers and people for the end-to-end tests. What is cheap to share lives as long as the test run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.harness import ALICE, BOB, DOMAIN, Client, Server, route_to, run_server, sign_in
from tests.e2e.network import Running, run_scenes
from tests.e2e.upstreams import answer_at_end, echo, upstream
from tests.peers.databases import run_mariadb, run_postgres, run_redis
from tests.peers.openid import OpenIDProvider, run_openid_provider
from tests.peers.process import free_port
from tests.peers.shell import SSHServer, run_sshd
from tests.support.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lives here, and give it a minute: real programs need a while to come up.

    The scenes of the network come last: they have been under way meanwhile.
    """
    items.sort(key=lambda item: item.path.name == "test_network.py")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(400))


@pytest.fixture(scope="session")
def network_scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with run_scenes(tmp_path_factory.mktemp("network")) as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def begin_early(request: pytest.FixtureRequest) -> None:
    """Begin the scenes with the first test here. Where several workers run tests, the others go on meanwhile anyway."""
    is_worker = hasattr(request.config, "workerinput")
    if not is_worker and any(item.path.name == "test_network.py" for item in request.session.items):
        request.getfixturevalue("network_scenes")


@pytest.fixture(scope="session")
def peers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def redis(peers_folder: Path) -> Iterator[int]:
    with run_redis(peers_folder) as port:
        yield port


@pytest.fixture(scope="session")
def postgres(peers_folder: Path, pki: Pki) -> Iterator[int]:
    with run_postgres(peers_folder, pki.issue(f"*.{DOMAIN}")) as port:
        yield port


@pytest.fixture(scope="session")
def mariadb(peers_folder: Path) -> Iterator[int]:
    with run_mariadb(peers_folder) as port:
        yield port


@pytest.fixture(scope="session")
def sshd(peers_folder: Path) -> Iterator[SSHServer]:
    with run_sshd(peers_folder / "sshd") as server:
        yield server


@pytest.fixture(scope="session")
def openid(peers_folder: Path) -> Iterator[OpenIDProvider]:
    accounts = {
        "alice": {"email": ALICE, "email_verified": True, "name": "Alice", "groups": ["staff"]},
        "bob": {"email": BOB, "email_verified": True, "name": "Bob", "groups": ["finance"]},
    }
    with run_openid_provider(peers_folder / "openid", accounts, "/oauth2/callback") as provider:
        yield provider


@pytest.fixture(scope="session")
def services() -> Iterator[dict[str, int]]:
    """Ports of the services that every machine can run: ``echo``, ``sink`` and ``down``."""
    with upstream(echo) as echo_port, upstream(answer_at_end) as sink_port:
        yield {"echo": echo_port, "sink": sink_port, "down": free_port()}


@pytest.fixture(scope="session")
def routes(services: dict[str, int]) -> list[dict[str, Any]]:
    return [
        route_to("echo", 7, services["echo"]),
        route_to("sink", 9, services["sink"]),
        route_to("down", 5432, services["down"]),
        route_to("billing", 5432, services["echo"], allowed_groups=["finance"]),
        route_to("open", 7, services["echo"], allow_public_unauthenticated_access=True),
    ]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, pki: Pki, routes: list[dict[str, Any]]) -> Iterator[Server]:
    """A server with local people, for tests that leave it as it is."""
    with run_server(tmp_path_factory.mktemp("server"), pki, routes) as running:
        yield running


@pytest.fixture(scope="session")
def token(server: Server) -> str:
    """A token of alice, who is in the group ``staff``, at `server`."""
    return sign_in(server)


@pytest.fixture
def client(server: Server, tmp_path: Path) -> Client:
    """`tunnelui`, set up for `server`, nobody signed in."""
    return Client(tmp_path / "client", server)


@pytest.fixture
def alice(client: Client, token: str) -> Client:
    """`client` with alice signed in."""
    client.paste(token)
    return client

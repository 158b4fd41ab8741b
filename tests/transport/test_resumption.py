"""Sessions are taken up again where that is safe, and nowhere else."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from tests.support.sockets import Background, read_exactly, tcp_pair
from tests.support.stream_peers import TLSPeer
from tests.transport.conftest import in_thread
from tunnelui.errors import PeerError
from tunnelui.transport.contexts import client_context
from tunnelui.transport.tls import start_tls

if TYPE_CHECKING:
    from tests.support.pki import Pki
    from tunnelui.transport.resumption import ResumingContext

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
versions = pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)


def trusting(pki: Pki) -> ResumingContext:
    return client_context(ca_files=[pki.ca_file])


async def resumed(
    client: ssl.SSLContext, server: ssl.SSLContext, *, name: str = "localhost", address: str = "proxy:443"
) -> bool:
    """Connect once, exchange a byte, and tell whether the handshake was a resumed one."""
    ours, theirs = tcp_pair()
    shaking = Background(lambda: TLSPeer(theirs, server, server_side=True))
    endpoint = await start_tls(ours, client, server_hostname=name, address=address)
    peer = await in_thread(shaking.result)
    await in_thread(peer.sendall, b"x")
    assert await endpoint.receive() == b"x"
    await endpoint.send_all(b"y")
    assert await in_thread(read_exactly, peer, 1) == b"y"
    endpoint.close()
    peer.close()
    return endpoint.resumed


@versions
async def test_the_second_connection_resumes_and_carries_bytes(pki: Pki, version: ssl.TLSVersion) -> None:
    client, server = trusting(pki), pki.server_context(version=version)
    assert [await resumed(client, server) for _ in range(4)] == [False, True, True, True]


@versions
async def test_a_session_stays_with_its_profile_its_name_and_its_address(pki: Pki, version: ssl.TLSVersion) -> None:
    client, server = trusting(pki), pki.server_context("localhost", "other.example.com", version=version)
    await resumed(client, server)
    assert not await resumed(trusting(pki), server), "another profile"
    assert not await resumed(client, server, name="other.example.com"), "another name"
    assert not await resumed(client, server, address="proxy:8443"), "another address"
    assert await resumed(client, server)


@versions
async def test_a_name_that_the_certificate_lacks_is_refused_after_a_session_with_another(
    pki: Pki, version: ssl.TLSVersion
) -> None:
    client, server = trusting(pki), pki.server_context(version=version)
    await resumed(client, server)
    ours, theirs = tcp_pair()
    shaking = Background(lambda: TLSPeer(theirs, server, server_side=True))
    with pytest.raises(PeerError, match="certificate"):
        await start_tls(ours, client, server_hostname="evil.example.com", address="proxy:443")
    with pytest.raises(OSError):
        await in_thread(shaking.result)
    theirs.close()


@versions
async def test_a_server_that_lost_its_keys_gets_a_full_handshake(pki: Pki, version: ssl.TLSVersion) -> None:
    client = trusting(pki)
    assert not await resumed(client, pki.server_context(version=version))
    restarted = pki.server_context(version=version)
    assert not await resumed(client, restarted)
    assert await resumed(client, restarted), "the session of the full handshake is the one that counts now"


async def test_no_session_is_offered_beyond_its_time(pki: Pki) -> None:
    client, server = trusting(pki), pki.server_context()
    now = 1_000_000.0
    client.clock = lambda: now
    await resumed(client, server)
    now += 3599
    assert await resumed(client, server), "the server allows two hours"
    now += 2
    assert not await resumed(client, server), "resuming does not make it younger"
    now -= 1_000
    assert not await resumed(client, server), "the clock was set back"


async def test_a_failed_handshake_forgets_the_session(pki: Pki) -> None:
    client, server = trusting(pki), pki.server_context()
    await resumed(client, server)
    ours, theirs = tcp_pair()
    theirs.sendall(b"this is no TLS at all\r\n")
    with pytest.raises(PeerError):
        await start_tls(ours, client, server_hostname="localhost", address="proxy:443")
    theirs.close()
    assert not await resumed(client, server)


async def test_the_number_of_sessions_is_bounded(pki: Pki) -> None:
    client, server = trusting(pki), pki.server_context()
    for number in range(65):
        await resumed(client, server, address=f"proxy:{number}")
    assert not await resumed(client, server, address="proxy:0"), "the oldest one had to go"
    assert await resumed(client, server, address="proxy:64")

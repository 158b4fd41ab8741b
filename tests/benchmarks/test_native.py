"""The C programs: built, and held against each other and against a relay that spoils the content."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

import benchmarks.native
from benchmarks.native import Programs, build
from benchmarks.processes import Child, CommandFailed, cpu_seconds, listens, run

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None or not hasattr(os, "sched_setaffinity"), reason="needs Linux and cc"
)


@dataclass(frozen=True)
class Site:
    """The programs, a running endpoint and its ports, and how to load it."""

    programs: Programs
    folder: Path
    cores: frozenset[int]
    endpoint: Child
    ports: dict[str, int]

    def child(self, *argv: str | Path) -> Child:
        return Child("child", argv, self.folder, cores=self.cores, talk=True)

    def load(self, mode: str, port: int, *arguments: str) -> Any:
        return run([self.programs.load, mode, f"port={port}", *arguments], cores=self.cores, timeout=10)

    def bulk(self, port: int, *arguments: str) -> Any:
        with self.child(self.programs.load, "bulk", f"port={port}", *arguments) as child:
            assert child.hear()["ready"] >= 1
            child.tell("go")
            return child.hear()


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return build(tmp_path_factory.mktemp("native"))


@pytest.fixture(scope="module")
def site(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, cores = tmp_path_factory.mktemp("site"), frozenset(os.sched_getaffinity(0))
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
    argv = [programs.endpoint, *([folder / "both.pem"] * 2 if programs.tls else [])]
    with Child("endpoint", argv, folder, cores=cores, talk=True) as endpoint:
        yield Site(programs, folder, cores, endpoint, endpoint.hear())


@pytest.mark.parametrize(("op", "up", "down"), [("u", 3_000_001, 0), ("d", 0, 3_000_001), ("b", 3_000_001, 3_000_001)])
def test_all_bytes_of_all_streams_arrive_and_fit(site: Site, op: str, up: int, down: int) -> None:
    said = site.bulk(site.ports["plain"], f"op={op}", "size=3000001", "streams=3")
    assert (said["up"], said["down"], said["complete"]) == (3 * up, 3 * down, True)
    assert said["seconds"] > 0


def test_all_bytes_arrive_through_tls_after_connect(site: Site) -> None:
    if not site.programs.tls:
        pytest.skip("needs OpenSSL's headers")
    proxy = f"tls={site.folder / 'ca.pem'}", "connect=bench.example.com:7"
    said = site.bulk(site.ports["connect"], *proxy, "op=b", "size=1000001", "streams=2")
    assert (said["up"], said["down"], said["complete"]) == (2_000_002, 2_000_002, True)
    with pytest.raises(CommandFailed, match="no TLS"):
        site.load("ping", site.ports["connect"], *proxy, "host=elsewhere.example.com", "seconds=0.01")


def test_the_programs_need_nothing_but_libc(tmp_path: Path) -> None:
    sources = sorted(Path(benchmarks.native.__file__).parent.glob("*.c"))
    command = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_streams_with_a_time_end_at_that_time(site: Site) -> None:
    said = site.bulk(site.ports["plain"], "op=b", "seconds=0.1", "streams=2")
    assert 0.1 <= said["seconds"] < 2
    assert said["up"] > 0
    assert said["down"] > 0
    assert said["complete"] is False


@pytest.mark.parametrize("op", ["u", "d"])
def test_one_wrong_bit_is_found(site: Site, op: str) -> None:
    with spoiling_relay(site.ports["plain"], up=op == "u") as port, pytest.raises(CommandFailed, match="stream 0"):
        site.bulk(port, f"op={op}", "size=1000000")
    if op == "u":
        assert "content differs" in site.endpoint.last_words


def test_ping_rate_hold_and_first_speak_to_the_endpoint(site: Site) -> None:
    plain = site.ports["plain"]
    ping = site.load("ping", plain, "seconds=0.05")
    assert ping["count"] > 1
    assert 0 < ping["p50"] <= ping["p99"] <= ping["max"]
    rate = site.load("rate", plain, "seconds=0.05", "workers=2")
    assert rate["count"] > 1
    assert rate["failed"] == 0
    paced = site.load("rate", plain, "seconds=0.5", "workers=4", "pace=40")
    assert 5 <= paced["count"] <= 21
    assert paced["failed"] == 0
    assert len(site.load("first", site.ports["banner"], "count=3")["ms"]) == 3
    with site.child(site.programs.load, "hold", f"port={plain}", "count=50") as child:
        assert child.hear()["held"] == 50
        child.tell("alive?")
        assert child.hear() == {"alive": 50}


def test_a_connection_over_the_link_takes_one_round_trip(site: Site) -> None:
    with site.child(site.programs.delay, str(site.ports["banner"]), "40000") as link:
        said = site.load("first", link.hear()["port"], "count=2")
    # The SYN, and the first byte of a service that speaks first: half each way. Never less; more on a busy machine.
    assert all(40 <= ms < 400 for ms in said["ms"])


def test_the_first_request_over_the_link_waits_for_the_handshake(site: Site) -> None:
    with site.child(site.programs.delay, str(site.ports["plain"]), "20000") as link:
        port = link.hear()["port"]
        began = time.monotonic()
        said = site.load("ping", port, "seconds=0.01")
        elapsed = time.monotonic() - began
    assert 20_000 <= said["p50"] < 400_000
    # Connect, order, five warm pings and one that counts: eight round trips.
    assert elapsed >= 8 * 0.020 - 0.001


def test_a_program_that_takes_too_long_is_ended(site: Site) -> None:
    with pytest.raises(CommandFailed, match=r"not done within 0\.1 s"):
        run(["sleep", "30"], cores=site.cores, timeout=0.1)


def test_listening_ports_are_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert listens(port)
    assert not listens(port)


def test_the_time_of_children_that_have_ended_counts(site: Site) -> None:
    work = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"
    with site.child("sh", "-c", f"sh -c '{work}; true'; echo 1; read x") as child:
        assert child.hear() == 1
        assert cpu_seconds([child.pid]) > 0


@contextmanager
def spoiling_relay(to: int, *, up: bool) -> Iterator[int]:
    """Relay one connection and turn over one bit far into one direction."""

    def serve() -> None:
        near, _ = listener.accept()
        with near, socket.create_connection(("127.0.0.1", to)) as far:
            back = threading.Thread(target=copy, args=(far, near, not up))
            back.start()
            copy(near, far, up)
            back.join()

    def copy(source: socket.socket, target: socket.socket, spoil: bool) -> None:
        seen = 0
        try:
            while data := bytearray(source.recv(65536)):
                if spoil and seen <= 500_000 < seen + len(data):
                    data[500_000 - seen] ^= 1
                seen += len(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:  # one of both has given up, as it should: the other is to know
            for sock in (source, target):
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(10)

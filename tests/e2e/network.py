"""A network of two machines, made of namespaces by whoever runs this: ``python -m tests.e2e.network SCENE FOLDER``.

It is started by ``unshare --user --map-root-user --net --mount``, so it is root of a network of its own, where the
client and the local programs are. A second namespace, joined by a cable, has the proxy and the service. Nothing outside
notices.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.e2e.harness import Client
from tests.peers.parts import REPOSITORY
from tests.peers.process import Process, eventually
from tests.support.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_APART = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--"]
NAME = "proxy.corp.example.com"
PROXY, OTHER_PROXY = "10.99.0.1", "10.99.0.9"
OURS, OTHER_OURS = "10.99.0.2", "10.99.0.3"
SERVICE = "10.99.0.4"
PORT = 8443
ECHO = """
import socket, sys, threading
listener = socket.create_server((sys.argv[1], 7000), backlog=64)
print("ready", flush=True)
def serve(sock):
    with sock:
        while data := sock.recv(65536):
            sock.sendall(data)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


def run(*words: str) -> None:
    subprocess.run(words, check=True, timeout=60)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


class Network:
    """Both machines, the proxy with one public route, and a client whose agent has it up at `local`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pki = Pki(folder / "pki")
        self.stack = contextlib.ExitStack()
        holder = Process("far", ["unshare", "--net", "sleep", "300"], folder)
        self.stack.enter_context(holder)
        eventually(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
        self.there = ["nsenter", "--net", "--target", str(holder.pid), "--"]
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "near0", "type", "veth", "peer", "name", "far0", "netns", str(holder.pid))
        run(*self.there, "ip", "link", "set", "lo", "up")
        run("ip", "addr", "add", f"{OURS}/24", "dev", "near0")
        run(*self.there, "ip", "addr", "add", f"{PROXY}/24", "dev", "far0")
        run("ip", "link", "set", "near0", "up")
        run(*self.there, "ip", "link", "set", "far0", "up")
        self.resolve_to(PROXY)
        echo = Process("echo", [*self.there, sys.executable, "-c", ECHO, "127.0.0.1"], folder)
        self.stack.enter_context(echo)
        echo.wait_for("ready")
        self.server = self.start_server()
        self.client = Client(folder / "client")
        self.client.env |= {"TUNNELUI_ALTERNATE_CA_PATH": self.pki.ca_file}
        self.ask("routes", "add", "echo", f"tcp+https://{NAME}:{PORT}/echo.corp.example.com:7")
        self.stack.callback(self.client.run, "agent", "stop")
        self.ask("wait", "echo", "--timeout", "30")
        self.local = int(json.loads(self.ask("up", "echo", "--json"))["local"].rpartition(":")[2])

    def ask(self, *words: str) -> str:
        done = self.client.run(*words)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def resolve_to(self, address: str) -> None:
        """Let the proxy's name mean *address* on this machine."""
        hosts = self.folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n{address} {NAME}\n")
        if not Path("/etc/hosts").samefile(hosts):
            run("mount", "--bind", str(hosts), "/etc/hosts")

    def start_server(self) -> Process:
        files = self.pki.issue(NAME)
        Path(files.key_file).chmod(0o600)
        places = {"echo": "127.0.0.1", "away": SERVICE}
        config = {
            "address": f":{PORT}",
            "certificate_file": files.cert_file,
            "certificate_key_file": files.key_file,
            "state_dir": str(self.folder / "state"),
            "idp_provider": "local",
            "local_users": [],
            "routes": [
                {
                    "name": name,
                    "from": f"tcp+https://{name}.corp.example.com:7",
                    "to": f"tcp://{place}:7000",
                    "allow_public_unauthenticated_access": True,
                }
                for name, place in places.items()
            ],
        }
        file = self.folder / "server.yaml"
        file.write_text(yaml.safe_dump(config))
        file.chmod(0o600)
        command = [*self.there, sys.executable, "-m", "tunnelui_server", "run", "--config", str(file)]
        process = Process("server", command, self.folder)
        self.stack.callback(process.stop)

        def listens() -> bool:
            with socket.socket() as probe:
                probe.settimeout(1)
                return probe.connect_ex((PROXY, PORT)) == 0

        eventually(listens, 30, "the proxy")
        return process

    def open(self, port: int = 0) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", port or self.local), timeout=30)
        sock.sendall(b"hello")
        assert sock.recv(5) == b"hello"
        return sock

    def is_reset_within(self, sock: socket.socket, seconds: float) -> float:
        """Return after how many seconds the local program sees its connection end."""
        began = time.monotonic()
        sock.settimeout(seconds)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b""
        return time.monotonic() - began

    def works_again(self, within: float) -> None:
        """The port was open all the time, and a new connection reaches the service."""

        def try_it() -> bool:
            with contextlib.suppress(ConnectionError, TimeoutError):
                self.open().close()
                return True
            return False

        eventually(try_it, within, "a connection that works")

    def stop_everything(self, seconds: float) -> None:
        """Close the lid: no process of this machine and the next runs, but the clock does."""
        pids = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid()]
        ours = [pid for pid in pids if self._is_ours(pid)]
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in ours:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            if number is signal.SIGSTOP:
                time.sleep(seconds)

    def _is_ours(self, pid: int) -> bool:
        """Whether a process was started here: by what it was started with, which names our folder or our namespace."""
        with contextlib.suppress(OSError):
            environment = Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
            return str(self.folder).encode() in environment
        return False


def address_removed(network: Network) -> None:
    with network.open() as live:
        run("ip", "addr", "del", f"{OURS}/24", "dev", "near0")
        took = network.is_reset_within(live, 10)
        socket.create_connection(("127.0.0.1", network.local), timeout=30).close()
    run("ip", "addr", "add", f"{OTHER_OURS}/24", "dev", "near0")
    network.works_again(10)
    say(f"noticed after {took:.1f} s")
    assert "has lost its address" in network.ask("logs")


def packets_dropped(network: Network) -> None:
    with network.open() as live, network.open() as idle:
        run(*network.there, "ip", "route", "add", "blackhole", f"{OURS}/32")
        live.sendall(b"is anybody there")
        took = network.is_reset_within(live, 45)
        say(f"with data under way, noticed after {took:.1f} s")
        say(f"without, {took + network.is_reset_within(idle, 45):.1f} s")
        socket.create_connection(("127.0.0.1", network.local), timeout=30).close()
    run(*network.there, "ip", "route", "del", "blackhole", f"{OURS}/32")
    network.works_again(15)
    assert "answered nothing" in network.ask("logs")


def dropped_for_ssh(network: Network) -> None:
    """ssh's standard input and output, alone and by the agent, and a program behind `tunnelui proxy`."""
    destination = f"tcp+https://{NAME}:{PORT}/echo.corp.example.com:7"
    alone = Client(network.folder / "alone")
    alone.env |= {"TUNNELUI_ALTERNATE_CA_PATH": network.pki.ca_file}
    with contextlib.ExitStack() as stack:
        streams = [
            stack.enter_context(
                subprocess.Popen(
                    client.argv("tcp", destination, "--listen", "-"),
                    env=client.env,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            )
            for client in (alone, network.client)
        ]
        proxy = stack.enter_context(network.client.spawn("proxy", "--listen", "127.0.0.1:0", name="proxy"))
        port = int(proxy.wait_for(r"127\.0\.0\.1:(\d+)")[1])
        behind = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        behind.sendall(b"CONNECT echo.corp.example.com:7 HTTP/1.1\r\nHost: echo.corp.example.com:7\r\n\r\n")
        assert behind.recv(1000).startswith(b"HTTP/1.1 200")
        for stream in streams:
            assert stream.stdin is not None
            assert stream.stdout is not None
            stream.stdin.write(b"hello")
            stream.stdin.flush()
            assert stream.stdout.read(5) == b"hello"
        behind.sendall(b"hello")
        assert behind.recv(5) == b"hello"
        run(*network.there, "ip", "route", "add", "blackhole", f"{OURS}/32")
        began = time.monotonic()
        for stream in streams:
            assert stream.stdin is not None
            stream.stdin.write(b"is anybody there")
            stream.stdin.flush()
        behind.sendall(b"is anybody there")
        say(f"behind the proxy, noticed after {network.is_reset_within(behind, 45):.1f} s")
        for who, stream in zip(("alone", "by the agent"), streams, strict=True):
            assert stream.wait(max(1.0, 45 - (time.monotonic() - began))) != 0
            assert stream.stderr is not None
            said = stream.stderr.read().decode()
            say(f"{who}, ended after {time.monotonic() - began:.1f} s: {said.strip()}")
            assert "answered nothing" in said, who


def upstream_vanished(network: Network) -> None:
    """The service's machine is gone for the server, and neither the server nor the local programs wait for it."""
    run("ip", "addr", "add", f"{SERVICE}/24", "dev", "near0")
    echo = Process("away", [sys.executable, "-c", ECHO, SERVICE], network.folder)
    network.stack.enter_context(echo)
    echo.wait_for("ready")
    network.ask("routes", "add", "away", f"tcp+https://{NAME}:{PORT}/away.corp.example.com:7")
    port = int(json.loads(network.ask("up", "away", "--json"))["local"].rpartition(":")[2])
    with network.open(port) as live, network.open(port) as idle, network.open() as other:
        # What the service's machine says is lost from now on, and nothing else.
        run("ip", "rule", "add", "from", SERVICE, "lookup", "100")
        run("ip", "route", "add", "blackhole", "default", "table", "100")
        live.sendall(b"is anybody there")
        took = network.is_reset_within(live, 50)
        say(f"with data under way, noticed after {took:.1f} s")
        say(f"without, {took + network.is_reset_within(idle, 45):.1f} s")
        other.sendall(b"still here")
        assert other.recv(100) == b"still here"
    causes = [json.loads(line).get("cause") for line in network.server.output.splitlines() if line.startswith("{")]
    assert "upstream_lost" in causes, causes
    assert "upstream_failed" in causes, causes


def short_hole(network: Network) -> None:
    """A few seconds without packets cost no connection."""
    with network.open() as live:
        run(*network.there, "ip", "route", "add", "blackhole", f"{OURS}/32")
        live.sendall(b"in the tunnel")
        time.sleep(8)
        run(*network.there, "ip", "route", "del", "blackhole", f"{OURS}/32")
        live.settimeout(30)
        assert live.recv(100) == b"in the tunnel"


def proxy_restarted_elsewhere(network: Network) -> None:
    """Another address behind the same name, and the old one gone."""
    with network.open() as live:
        network.server.kill()
        say(f"noticed after {network.is_reset_within(live, 10):.1f} s")
    run(*network.there, "ip", "addr", "add", f"{OTHER_PROXY}/24", "dev", "far0")
    network.start_server()
    run(*network.there, "ip", "addr", "del", f"{PROXY}/24", "dev", "far0")
    run(*network.there, "ip", "addr", "add", f"{OTHER_PROXY}/24", "dev", "far0")
    network.resolve_to(OTHER_PROXY)
    network.works_again(20)


def lid_closed(network: Network) -> None:
    with network.open() as live:
        network.stop_everything(60)
        live.sendall(b"good morning")
        live.settimeout(30)
        assert live.recv(100) == b"good morning"
        network.works_again(5)
        eventually(lambda: "everything stood still for" in network.ask("logs"))


@dataclass
class Running:
    """The scenes that are under way, or why this machine has no namespaces for them."""

    processes: dict[str, Process] = field(default_factory=dict)
    reason: str = ""


@contextlib.contextmanager
def run_scenes(folder: Path) -> Iterator[Running]:
    """Run all of them at once: they wait for time-outs and need little of the machine."""
    running = Running()
    try:
        # A first look, so that a machine without namespaces is told from a scene that fails.
        look = [*_APART, "sh", "-c", "ip link add a0 type veth peer name b0 && mount --bind /etc/hosts /etc/hosts"]
        done = subprocess.run(look, capture_output=True, text=True, timeout=60, check=False)
        running.reason = done.stderr.strip() or f"exit code {done.returncode}" if done.returncode else ""
    except OSError as error:
        running.reason = str(error)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "server")])}
    try:
        for name in () if running.reason else SCENES:
            command = [*_APART, sys.executable, "-m", "tests.e2e.network", name, str(folder / name)]
            running.processes[name] = Process(name, command, folder / name, env=environment, cwd=REPOSITORY)
        yield running
    finally:
        for process in running.processes.values():
            process.stop()


SCENES: dict[str, Callable[[Network], None]] = {
    scene.__name__: scene
    for scene in (
        address_removed,
        packets_dropped,
        dropped_for_ssh,
        upstream_vanished,
        short_hole,
        proxy_restarted_elsewhere,
        lid_closed,
    )
}


def main(scene: str, folder: str) -> None:
    network = Network(Path(folder))
    with network.stack:
        try:
            SCENES[scene](network)
        except BaseException:
            sys.stderr.write(network.client.run("logs").stdout.decode())
            raise


if __name__ == "__main__":
    main(*sys.argv[1:])

"""How long ``tunnelui tcp --listen -`` takes from process start to the first byte of its CONNECT at the proxy."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from typing import TYPE_CHECKING, Final

from benchmarks.halves.half import Onward
from benchmarks.halves.ours import agent, agent_command, client_command, environment
from benchmarks.halves.registry import label_of
from benchmarks.lab import ECHO
from benchmarks.processes import CommandFailed, on_cores

if TYPE_CHECKING:
    from benchmarks.cases.run import Run

__all__ = ["CASE", "IMPORTS", "WITH_AGENT", "measure_start"]

CASE: Final = "start of tcp --listen -"
IMPORTS: Final = 'python -c "import asyncio, ssl"'
WITH_AGENT: Final = "ours, handed to a running agent"
_NOTHING: Final = 'python -c ""'
_PATIENCE: Final = 20.0


def measure_start(run: Run) -> None:
    """Alternate between our command, the imports that it can't do without, and nothing at all, each on all cores."""
    first = run.plan.pythons[0]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(run.lab.cert_file, run.lab.key_file)
    with socket.create_server(("127.0.0.1", 0)) as listener, agent(run.lab, first) as beside_agent:
        listener.settimeout(_PATIENCE)
        for number in range(-1, run.plan.starts):  # the first one writes byte code
            for python in run.plan.pythons:
                suffix = "" if python == first else f" ({label_of(python, first)})"
                alone = client_command(run.lab, python, Onward(listener.getsockname()[1], ECHO), "-")
                values = {
                    label_of(python, first): _first_byte(run, alone, environment(run.lab.folder), listener, context),
                    IMPORTS + suffix: _script(run, python, "import asyncio, ssl"),
                    _NOTHING + suffix: _script(run, python, ""),
                }
                if python == first:
                    handed_over = agent_command(python, Onward(listener.getsockname()[1], ECHO))
                    values[WITH_AGENT] = _first_byte(run, handed_over, beside_agent, listener, context)
                for name, seconds in values.items():
                    if number >= 0:
                        run.add(CASE, "time", "ms", "lower", name, number, seconds * 1000)


def _first_byte(
    run: Run, command: list[str], env: dict[str, str], listener: socket.socket, context: ssl.SSLContext
) -> float:
    with on_cores(run.lab.cores.relay | run.lab.cores.load):
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=run.lab.folder,
        )
    with process:
        try:
            return _wait_for_connect(listener, context, began)
        except OSError as error:
            process.terminate()
            _, words = process.communicate(timeout=_PATIENCE)
            raise CommandFailed(f"no CONNECT came: {error}\n{words.decode('utf-8', 'replace')[-1000:]}") from None
        finally:
            if process.poll() is None:
                process.kill()  # it has done its part; how it ends is no matter here


def _wait_for_connect(listener: socket.socket, context: ssl.SSLContext, began: float) -> float:
    accepted, _ = listener.accept()
    with accepted:
        accepted.settimeout(_PATIENCE)
        with context.wrap_socket(accepted, server_side=True) as tls:
            head = tls.recv(1)
            elapsed = time.monotonic() - began
            while not head.endswith(b"\r\n\r\n") and (more := tls.recv(4096)):
                head += more
    if not head.startswith(b"CONNECT "):
        raise CommandFailed(f"this is no CONNECT: {head[:80]!r}")
    return elapsed


def _script(run: Run, python: str, script: str) -> float:
    with on_cores(run.lab.cores.relay | run.lab.cores.load):
        began = time.monotonic()
        # With a pipe, which ends when the process does: waiting for an exit with a time-out polls, up to 50 ms apart.
        subprocess.run(
            [python, "-c", script],
            check=True,
            timeout=_PATIENCE,
            env=environment(run.lab.folder),
            stdout=subprocess.PIPE,
        )
        return time.monotonic() - began

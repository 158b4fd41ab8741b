"""``python -m tunnelui_server.child gateway|control …``: one of the two planes as a process of the supervisor."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from tunnelui.errors import ConfigError, TunnelError
from tunnelui_server.config import RUNTIME_VARIABLE, load_config
from tunnelui_server.lifeline import follow_parent
from tunnelui_server.observe import configure_logging

if TYPE_CHECKING:
    from tunnelui_server.config import ServerConfig
    from tunnelui_server.gateway import Gateway

__all__ = ["main"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tunnelui-server child")
    parser.add_argument("plane", choices=("gateway", "control"))
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--source", type=Path, help="a copy of the file's text, read in its place")
    parser.add_argument("--socket", type=Path, required=True, help="the control plane's Unix socket")
    parser.add_argument("--ready-fd", type=int, default=-1, help="gets one line of JSON when the gateway listens")
    parser.add_argument("--port", type=int, help="the port that was chosen for all workers")
    parser.add_argument("--tallies", type=Path, help="the file in which the workers count; without it there is one")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--worker", type=int, default=0, help="the number of this one, from 0")
    options = parser.parse_args()
    os.umask(0o077)
    # Only a folder that the supervisor made for us: a child that was started by hand has its socket anywhere.
    runtime = os.environ.get(RUNTIME_VARIABLE)
    follow_parent(Path(runtime) if runtime else None)
    try:
        config = load_config(options.config, source=options.source.read_bytes() if options.source else None)
        configure_logging(config.log_level, worker=options.worker + 1 if options.tallies else None)
        if options.plane == "gateway":
            anyio.run(_gateway, config, options)
        else:
            # Only this process pays for the web framework.
            from tunnelui_server.control.serve import run

            anyio.run(run, config, options.socket)
    except TunnelError as error:
        return _fail(error)
    except BaseExceptionGroup as group:
        mine, others = group.split(TunnelError)
        if mine is None or others is not None:
            raise
        return _fail(_first(mine))
    return 0


async def _gateway(config: ServerConfig, options: argparse.Namespace) -> None:
    from tunnelui_server.gateway import Gateway
    from tunnelui_server.gateway.quota import fit_to_descriptors
    from tunnelui_server.gateway.tally import SharedTally
    from tunnelui_server.sessions import open_store

    config = replace(config, limits=fit_to_descriptors(config.limits))
    tally = None
    if options.tallies is not None:
        config = replace(config, address=replace(config.address, port=options.port))
        tally = SharedTally(options.tallies, options.worker, options.workers)
    store = await open_store(
        config.databroker_storage_type,
        config.databroker_storage_connection_string,
        shared_secret=config.shared_secret_bytes,
    )
    try:
        gateway = Gateway(config, store=store, control_socket=str(options.socket), tally=tally)
        addresses = gateway.open()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_at_signals, gateway)
            if options.ready_fd >= 0:
                os.write(options.ready_fd, json.dumps(asdict(addresses)).encode() + b"\n")
                os.close(options.ready_fd)
            await gateway.run()
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await store.aclose()


async def _stop_at_signals(gateway: Gateway) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            gateway.stop()


def _fail(error: TunnelError) -> int:
    sys.stderr.write(f"tunnelui-server: {error}\n" + (f"  {error.hint}\n" if error.hint else ""))
    return 2 if isinstance(error, ConfigError) else 1


def _first(group: BaseExceptionGroup[TunnelError]) -> TunnelError:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


if __name__ == "__main__":
    sys.exit(main())

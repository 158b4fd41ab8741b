"""``tunnelui agent``: the process that keeps tunnels up without a window."""

from __future__ import annotations

import os
import shlex
import sys
import time
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from tunnelui.cli.agent_link import tell_other_variables
from tunnelui.cli.certificate_prompt import password_source
from tunnelui.cli.context import settings_for_saved
from tunnelui.cli.options import add_identity_flags, add_json_flag, add_proxy_flags
from tunnelui.cli.output import Exit, print_json, print_line, print_note
from tunnelui.cli.ssh_config import program_path
from tunnelui.cli.stopping import received_signals
from tunnelui.cli.times import remaining
from tunnelui.config.paths import state_dir
from tunnelui.errors import LocalError
from tunnelui.text import clean

if TYPE_CHECKING:
    import argparse

    from tunnelui.agent.runtime import AgentLock
    from tunnelui.cli.options import Parser
    from tunnelui.config.settings import Settings

__all__ = ["add_arguments", "run"]

_LAST_LINES = 200


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        default="status",
        choices=("start", "stop", "restart", "status", "logs", "unit", "run"),
        help="start or stop it; restart makes a new one with the present variables, while open connections go on; "
        "status (the default) shows whether it runs; logs shows its troubles; "
        "unit prints a service for systemd or launchd; run is the agent itself, in the foreground",
    )
    parser.add_switch("--detached", help="with run: say “ready” and go on without a terminal")
    add_json_flag(parser)
    add_proxy_flags(parser)
    add_identity_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.what == "unit":
        return _print_unit()
    if arguments.what == "logs":
        return _print_log()
    if arguments.what == "run":
        return anyio.run(_serve, arguments)
    return anyio.run({"start": _start, "stop": _stop, "restart": _start, "status": _status}[arguments.what], arguments)


async def _serve(arguments: argparse.Namespace) -> int:
    from tunnelui.agent.service import take_lock

    lock = take_lock()
    if lock is None:
        if arguments.detached:
            _say_ready(detached=True)  # another one was quicker, and answers
            return Exit.DONE
        raise LocalError("an agent runs already", code="agent_runs", hint="tunnelui agent status shows it.")
    try:
        return await _serve_with(lock, arguments)
    finally:
        lock.release()


async def _serve_with(lock: AgentLock, arguments: argparse.Namespace) -> int:
    from tunnelui.agent.runtime import config_digest
    from tunnelui.agent.service import serve
    from tunnelui.cli.saved_engine import saved_engine
    from tunnelui.config.state_file import StateFile

    config = config_digest()
    settings = settings_for_saved(arguments)
    engine = await saved_engine(arguments, settings)
    with received_signals() as signals:
        await serve(
            engine,
            lock,
            config=config,
            up=StateFile(state_dir() / "up.json"),
            on_ready=lambda: _say_ready(detached=arguments.detached),
            signals=signals,
            notify=settings.notifications,
        )
    return Exit.DONE


def _say_ready(*, detached: bool) -> None:
    if not detached:
        print_note(f"The agent (pid {os.getpid()}) is ready. Ctrl-C ends it and cuts its tunnels.")
        return
    from tunnelui.agent.lifecycle import READY

    print_line(READY)
    # Whoever started us reads no further, and may end.
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)


async def _start(arguments: argparse.Namespace) -> int:
    from tunnelui.agent.lifecycle import find_or_start

    channel, hello = await find_or_start(anew=arguments.what == "restart")
    channel.close()
    tell_other_variables(hello)
    if arguments.json:
        print_json({"running": True, "pid": hello.pid})
    else:
        print_line(f"The agent runs (pid {hello.pid}).")
    if arguments.what == "restart":
        await anyio.to_thread.run_sync(_tell_locked, settings_for_saved(arguments))
    return Exit.DONE


def _tell_locked(settings: Settings) -> None:
    """Say whose password the old agent may have had and the new one has not: such a secret is never handed on."""
    for profile in map(settings.profile, settings.profile_names):
        if profile.client_cert and password_source(profile) == "needed":
            print_note(
                f"The new agent needs the password of the client certificate of the profile “{profile.name}”:\n"
                f"  tunnelui profiles unlock {shlex.quote(profile.name)}"
            )


async def _stop(arguments: argparse.Namespace) -> int:
    from tunnelui.agent.lifecycle import find_agent, request

    found = await find_agent()
    if found is None:
        if arguments.json:
            print_json({"running": False, "pid": None})
        else:
            print_note("No agent runs.")
        return Exit.DONE
    channel, hello = found
    with channel:
        await request(channel, "end")
        while await channel.receive() is not None:
            pass
    if arguments.json:
        print_json({"running": False, "pid": hello.pid})
    else:
        print_line(f"The agent (pid {hello.pid}) has ended, and its tunnels with it.")
    return Exit.DONE


async def _status(arguments: argparse.Namespace) -> int:
    """Exit code 1 says that no agent runs."""
    from tunnelui.agent.lifecycle import find_agent, request

    found = await find_agent()
    if found is None:
        if arguments.json:
            print_json({"running": False})
        else:
            print_note("No agent runs. It starts with tunnelui, tunnelui up, or tunnelui agent start.")
        return Exit.FAILED
    channel, hello = found
    with channel:
        status = await request(channel, "status")
    if arguments.json:
        print_json({"running": True, **status, "other_variables": list(hello.other_variables())})
    else:
        age = remaining(max(0.0, time.time() - status["started_at"]))
        print_line(
            f"The agent runs: pid {status['pid']}, version {status['version']}, for {age}; "
            f"{_count(status['up'], 'tunnel')} up, {_count(status['live'], 'connection')} open."
        )
        _tell_way(status)
        tell_other_variables(hello)
    return Exit.DONE


def _tell_way(status: dict[str, Any]) -> None:
    """Say how it is reached; an agent of an older version does not tell."""
    address, why = (clean(str(status.get(key, "")), 400) for key in ("address", "why"))
    if status.get("transport") == "tcp":
        print_line(f"It is reached by {address} with the secret of this user, not by a Unix socket: {why}.")
    elif address:
        print_line(f"It is reached by {address}.")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _print_log() -> int:
    path = state_dir() / "tunnelui.log"
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        print_note(f"Nothing went wrong so far: {path} does not exist.")
        return Exit.DONE
    except OSError as error:
        raise LocalError(f"{path}: {error.strerror}") from None
    for line in lines[-_LAST_LINES:]:
        print_line(line)
    print_note(f"These are the last lines of {path}. tunnelui logs ROUTE shows what a tunnel did.")
    return Exit.DONE


def _print_unit() -> int:
    from tunnelui.agent.units import launchd_plist, systemd_unit

    command = program_path()
    unit = launchd_plist if sys.platform == "darwin" else systemd_unit
    print_line(unit([*command, "agent", "run"]).rstrip("\n"))
    return Exit.DONE

"""``tunnelui``: finds the subcommand, and turns what goes wrong into words and an exit code.

Little is imported here before `main` runs: Ctrl-C in that moment would end in a traceback.
"""

from __future__ import annotations

import importlib
import select
import signal
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tunnelui.errors import TunnelError

__all__ = ["ACTIONS", "COMMANDS", "main"]

COMMANDS: Final = {
    "tcp": "open tunnels and stay in the foreground; with --listen -, one tunnel over standard input and output",
    "up": "start tunnels that stay up: routes, #tags, or --all",
    "down": "stop tunnels: routes, #tags, or --all",
    "status": "show what is up and where it listens; --watch, --json",
    "logs": "show what happened to a route; -f goes on",
    "wait": "return once a route really takes connections",
    "exec": "run a program with tunnels that live as long as it does",
    "proxy": "SOCKS5 and HTTP CONNECT on one port: reach every route by its real name",
    "login": "sign in at a proxy",
    "logout": "forget the token of a proxy",
    "whoami": "show who is signed in where, and until when",
    "profiles": "profiles of config.toml: list them, unlock a client certificate that has a password",
    "routes": "saved routes: list, add, edit, remove, import, export, discover",
    "diagnose": "where the way to a service ends, and what to do; --bundle for whoever helps",
    "ssh-config": "print or write the lines that send ssh through tunnels",
    "completion": "completion for bash, zsh and fish",
    "man": "the manual page of tunnelui, or of one command",
    "agent": "the process that keeps tunnels up: start, stop, status, logs, unit",
    "demo": "try everything on this machine, with a bundled server and throw-away keys",
}

ACTIONS: Final = {("routes", "discover"): "routes_discover"}
"""Actions with flags of their own kind, and their module: elsewhere in “routes”, --proxy-url is a field of a route."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line *arguments* and return the exit code.

    Without them, this is the program: ``sys.argv`` is read, log records go to a file, and Ctrl-C ends the process
    silently while modules are loaded and while the interpreter shuts down.
    """
    if arguments is not None:
        return _guarded(arguments)
    # Ignored, where a shell says so; and already without Python's handler, after `tunnelui.cli.entry`.
    own = signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_DFL)
    if own:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from tunnelui.cli.log_file import log_to_file

        log_to_file()
        return _guarded(sys.argv[1:], takes_interrupt=own)
    finally:
        if own:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _guarded(arguments: Sequence[str], *, takes_interrupt: bool = False) -> int:
    from tunnelui.cli.loading import loading
    from tunnelui.cli.output import Exit, fail, is_output_lost
    from tunnelui.errors import TunnelError

    try:
        with loading():
            if not hasattr(select, "poll"):
                from tunnelui.system import choose_event_loop

                choose_event_loop()
            run = _command(arguments)
        if takes_interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = run()
        return Exit.FAILED if code == Exit.DONE and is_output_lost() else code
    except TunnelError as error:
        return fail(error)
    except BaseExceptionGroup as group:
        # Task groups wrap what ends them; several at once are rare, and the first says enough.
        if group.subgroup(KeyboardInterrupt) is not None:
            return Exit.FAILED
        mine, others = group.split(TunnelError)
        if mine is None or others is not None:
            raise
        return fail(_first(mine))
    except KeyboardInterrupt:
        return Exit.FAILED


def _first(group: BaseExceptionGroup[TunnelError]) -> TunnelError:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _command(arguments: Sequence[str]) -> Callable[[], int]:
    """Return what the command line asks for, ready to run."""
    name = arguments[0] if arguments and arguments[0] in COMMANDS else ""
    if name == "tcp":
        # Before anything else is loaded: with an agent, nothing else is needed.
        from tunnelui.cli.handoff import agent_for

        handed_over = agent_for(arguments[1:])
        if handed_over is not None:
            return handed_over
        # ssh waits for this process, and the rest of the program loads meanwhile.
        from tunnelui.transport.authorities import load_ahead

        load_ahead()
    from tunnelui.cli.options import Parser, nearest
    from tunnelui.text import clean

    if name:
        words = COMMANDS[name]
        rest = arguments[2:] if tuple(arguments[:2]) in ACTIONS else arguments[1:]
        parser = Parser(f"tunnelui {name}", words[0].upper() + words[1:] + ".")
    else:
        rest = arguments
        parser = Parser(
            "tunnelui",
            "Private TCP services behind an identity-aware proxy. Without a command, the terminal screen opens.",
            "\n".join(["commands:", *(f"  {command:10} {text}" for command, text in COMMANDS.items())]),
        )
        parser.add_version()
        parser.commands = COMMANDS
        if rest == ["--version"]:
            parser.read(rest)  # prints and ends: nothing else is loaded for it
        if arguments and not arguments[0].startswith("-"):
            parser.error(f"there is no command “{clean(arguments[0], 60)}”{nearest(arguments[0], COMMANDS)}")
    module = importlib.import_module(_module(name, arguments))
    module.add_arguments(parser)
    options = parser.read(rest)
    return lambda: int(module.run(options))


def _module(name: str, arguments: Sequence[str]) -> str:
    own = ACTIONS.get((name, arguments[1])) if len(arguments) > 1 else None
    return f"tunnelui.cli.{own or name.replace('-', '_') or 'ui'}"

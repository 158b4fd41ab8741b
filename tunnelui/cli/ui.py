"""``tunnelui`` alone: the screen.

What only one of the two ways needs is imported on that way: with an agent, no engine is loaded here.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import select
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from tunnelui.cli.agent_link import agent
from tunnelui.cli.colours import colour_system, has_few_colours
from tunnelui.cli.context import check_tls_files, profile_from, settings_for_saved
from tunnelui.cli.options import add_identity_flags, add_proxy_flags
from tunnelui.cli.output import Exit, print_note
from tunnelui.cli.stopping import until_first_signal
from tunnelui.config.paths import config_dir, log_file, routes_file, state_dir
from tunnelui.config.settings import Settings
from tunnelui.config.state_file import StateFile
from tunnelui.engine.model import State
from tunnelui.errors import ConfigError, LocalError

if TYPE_CHECKING:
    import argparse

    from tunnelui.cli.options import Parser
    from tunnelui.engine.interface import Engine
    from tunnelui.tui.app import TunnelApp
    from tunnelui.tui.surroundings import Surroundings

__all__ = ["add_arguments", "need_terminal", "run", "show"]

_LAST_MOMENTS: Final = 3.0
_FIRST_MOMENTS: Final = 1.0
"""Seconds until garbage is looked for: what the start makes stays, and looking at it would delay the first picture."""


def add_arguments(parser: Parser) -> None:
    parser.add_switch("--in-process", help="run the tunnels in this process: they end with the screen")
    add_proxy_flags(parser)
    add_identity_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    need_terminal("Without one, use: tunnelui tcp DESTINATION")
    settings = settings_for_saved(arguments)
    # Flags are for this run alone, and the agent's tunnels are everybody's.
    if not arguments.in_process and not arguments.given:
        return _leave_words(asyncio.run(until_first_signal(partial(_show_agent, settings))))
    return asyncio.run(until_first_signal(partial(_show_routes, arguments, settings)))


def need_terminal(hint: str) -> None:
    """Refuse to draw where nobody sees it.

    :raises ConfigError: standard input or standard error, where the screen is drawn, is no terminal.
    """
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()):
        raise ConfigError("the screen needs a terminal", code="no_terminal", hint=hint)


async def _show_routes(arguments: argparse.Namespace, settings: Settings) -> int:
    from tunnelui.cli.saved_engine import saved_engine
    from tunnelui.engine.identities import Contexts

    await check_tls_files(Contexts(), profile_from(arguments, settings))
    async with await saved_engine(arguments, settings) as engine:
        return await show(engine, settings=settings, remembers=True)


async def _show_agent(settings: Settings) -> int:
    """Draw the agent's tunnels; return how many stay up."""
    async with agent() as engine:
        await show(engine, settings=settings, outlives=True, remembers=True)
        try:
            return sum(tunnel.state is not State.OFF for tunnel in engine.snapshot().tunnels)
        except LocalError:
            return 0


def _leave_words(up: int) -> int:
    if up:
        tunnels = "1 tunnel stays" if up == 1 else f"{up} tunnels stay"
        print_note(f"{tunnels} up.\n  tunnelui status shows what is up; tunnelui down --all stops it.")
    return Exit.DONE


async def show(
    engine: Engine, *, settings: Settings | None = None, outlives: bool = False, remembers: bool = False
) -> int:
    """Draw *engine* until the person leaves. Cancelled by a signal, it gives the terminal back as it was.

    :param settings: whose keys are used.
    :param outlives: the tunnels stay up when the screen ends.
    :param remembers: favourites and the like are kept in the state folder.
    :raises ConfigError: a key of the settings can't be used, or ``TUNNELUI_THEME`` names no theme.
    """
    gc.disable()
    try:
        return await _show(engine, settings, outlives=outlives, remembers=remembers)
    finally:
        gc.enable()


async def _show(engine: Engine, settings: Settings | None, *, outlives: bool, remembers: bool) -> int:
    if os.environ.get("TERM", "").endswith(("-mono", "-m")):
        os.environ.setdefault("NO_COLOR", "1")
    if system := colour_system(os.environ):
        os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", system)  # Textual reads it while it is imported
    from tunnelui.tui.app import TunnelApp
    from tunnelui.tui.memory import Memory
    from tunnelui.tui.style.theme import choose_theme

    keymap: dict[str, str] = {}
    if settings and settings.keys:
        from tunnelui.tui.keys.keymap import read_keymap

        keymap = read_keymap(settings.keys, f"{settings.path}: [keys]")
    memory = Memory(StateFile(state_dir() / "screen.json") if remembers else None)
    configured = settings.theme if settings else ""
    theme = choose_theme(os.environ, configured, memory.now.theme, few_colours=has_few_colours(os.environ))

    _give_size()
    threading.Thread(target=_end_with_terminal, name="terminal", daemon=True).start()
    app = TunnelApp(
        engine,
        config_path=str(config_dir()),
        log_path=str(log_file()),
        keymap=keymap,
        outlives=outlives,
        memory=memory,
        theme_name=theme,
        surroundings=partial(_surroundings, settings, outlives=outlives),
    )
    collecting = asyncio.get_running_loop().call_later(_FIRST_MOMENTS, _collect_again)
    try:
        await _until_left(app)
    finally:
        collecting.cancel()
    return Exit.DONE


async def _until_left(app: TunnelApp) -> None:
    """Run *app* to its end. A cancellation makes it leave in order, as if the person had."""
    running = asyncio.create_task(app.run_async())
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        import anyio  # here: the first picture does without

        app.exit()
        # Not cancelled itself: the way out of the screen awaits, and would be cut half-way.
        with anyio.CancelScope(shield=True):
            await running


def _surroundings(settings: Settings | None, *, outlives: bool) -> Surroundings:
    from tunnelui.tui.surroundings import Surroundings

    return Surroundings(
        settings or Settings(),
        settings.path if settings else None,
        str(routes_file()) if settings and settings.path else "",
        str(state_dir()),
        str(log_file()),
        "the agent, which goes on when the screen ends" if outlives else "this process: they end with it",
        is_written=bool(settings and settings.path and settings.path.exists()),
    )


def _collect_again() -> None:
    """Look for garbage again, but not among what the start has made."""
    gc.freeze()
    gc.enable()


def _give_size() -> None:
    """Agree on a size where the terminal has none (a serial line, some containers).

    Textual would guess two different ones and change between them without end.
    """
    with contextlib.suppress(OSError):
        size = os.get_terminal_size(sys.stderr.fileno())
        if not (size.columns and size.lines):
            os.environ.setdefault("COLUMNS", "80")
            os.environ.setdefault("LINES", "24")


def _end_with_terminal() -> None:
    """End the process soon after its terminal has gone. Blocks as long as it is there.

    SIGHUP asks for an end in order. But Textual's thread that draws dies with the terminal, and what is drawn after
    that waits for it without end, the event loop with it (Textual 8.2, `WriterThread`).
    """
    if not hasattr(select, "poll"):  # Windows: closing the window is a signal there
        return
    poll = select.poll()
    poll.register(0, 0)  # a hang-up is told without being asked for
    while True:
        for _, events in poll.poll():
            if events & select.POLLNVAL:  # not a system where terminals can be watched
                return
            if events & (select.POLLHUP | select.POLLERR):
                time.sleep(_LAST_MOMENTS)
                os._exit(Exit.FAILED)

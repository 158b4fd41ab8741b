"""How commands reach the agent."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from tunnelui.cli.context import saved_routes
from tunnelui.cli.output import print_note
from tunnelui.config.paths import config_file
from tunnelui.config.settings import load_settings
from tunnelui.errors import LocalError, TunnelError

if TYPE_CHECKING:
    from tunnelui.agent.channel import Channel
    from tunnelui.agent.client import AgentClient, Hello

__all__ = ["agent", "running_agent", "tell_agent", "tell_other_variables"]


def agent() -> AgentClient:
    """Return the way to the agent; entering it starts one if none runs."""
    from tunnelui.agent.client import AgentClient
    from tunnelui.agent.lifecycle import find_or_start

    may_ask = True

    async def find() -> tuple[Channel, Hello]:
        nonlocal may_ask
        # Only on entry: when the agent is looked for again, a screen may be drawn.
        ask, may_ask = _ask if may_ask else None, False
        try:
            found = await find_or_start(ask)
            if ask is not None:
                tell_other_variables(found[1])
            return found
        except LocalError as error:
            if error.code == "agent_start":
                # What stopped the agent is told better by who asked for it: as its own error, with its own exit code.
                load_settings(config_file())
                saved_routes().load()
            raise

    return AgentClient(find)


def running_agent(*, tell: bool = False) -> AgentClient:
    """Return the way to the agent that runs; entering it raises `LocalError` (code ``no_agent``) if there is none.

    :param tell: say on entry whether it has other environment variables.
    """
    from tunnelui.agent.client import AgentClient
    from tunnelui.agent.lifecycle import find_agent

    async def find() -> tuple[Channel, Hello]:
        found = await find_agent()
        if found is None:
            raise LocalError("no agent runs, so no tunnel is up", code="no_agent", hint="tunnelui up starts both.")
        nonlocal tell
        if tell:
            tell_other_variables(found[1])
            tell = False
        return found

    return AgentClient(find)


def tell_other_variables(hello: Hello) -> None:
    """Say which variables the agent does not share with us: its own ones count, and that is easily overlooked."""
    names = hello.other_variables()
    if names:
        print_note(
            f"The agent was started with another {' and '.join(names)} than is set here; its own counts.\n"
            "  tunnelui agent restart takes over what is set here; open connections go on."
        )


async def tell_agent(call: str, **given: Any) -> None:
    """Ask the agent that runs, if one does; what goes wrong is no concern of the command that was given."""
    from tunnelui.agent.lifecycle import find_agent, request

    with contextlib.suppress(TunnelError, OSError):
        found = await find_agent()
        if found is not None:
            with found[0] as channel:
                await request(channel, call, **given)


async def _ask(question: str) -> bool:
    if not (sys.stdin and sys.stdin.isatty()):
        return False
    import anyio.to_thread  # here: hardly ever

    print_note(f"{question} [y/N]")
    with contextlib.suppress(EOFError):
        return (await anyio.to_thread.run_sync(input, abandon_on_cancel=True)).strip().lower() in ("y", "yes")
    return False

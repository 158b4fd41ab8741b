"""The engine of the saved routes, as the screen and the agent run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.auth.stores import open_store
from tunnelui.cli.context import saved_routes, service_account_from
from tunnelui.config.paths import state_dir
from tunnelui.config.state_file import PortMemory
from tunnelui.engine.local import LocalEngine

if TYPE_CHECKING:
    import argparse

    from tunnelui.config.settings import Settings

__all__ = ["saved_engine"]


async def saved_engine(arguments: argparse.Namespace, settings: Settings) -> LocalEngine:
    """Return an engine that is not entered yet. It remembers the ports that its routes get."""
    store, note = await open_store(configured=settings.token_store)
    return LocalEngine(
        settings=settings,
        store=store,
        routes=saved_routes(),
        service_account=service_account_from(arguments),
        notes=[note] if note else [],
        look_up_identities=True,
        autostart=True,
        ports=PortMemory(state_dir() / "ports.json"),
    )

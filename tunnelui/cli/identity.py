"""What ``login``, ``logout`` and ``whoami`` share: credentials of one proxy, without tunnels."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from tunnelui.auth.credentials import Credentials
from tunnelui.auth.token_store import TokenKey
from tunnelui.engine.identities import Contexts, sign_in_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tunnelui.auth.service_account import ServiceAccount
    from tunnelui.auth.token_store import TokenStore
    from tunnelui.config.profile import Profile
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["open_credentials"]


@asynccontextmanager
async def open_credentials(
    store: TokenStore,
    profile: Profile,
    proxy: ProxyOrigin,
    *,
    service_account: ServiceAccount | None = None,
    open_browser: bool = True,
    announce: Callable[[str, bool], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> AsyncIterator[Credentials]:
    """Give the credentials of *profile* at *proxy*; a sign-in under way ends with the block.

    :param announce: called with the address to open, and whether a browser is started.
    :param tell: called with what else there is to know: that the browser did not start.
    """
    told = ""

    def changed() -> None:
        nonlocal told
        note = credentials.status().sign_in_note
        if tell is not None and note and note != told:
            told = note
            tell(note)

    options = sign_in_options(profile, Contexts(), announce)
    if not open_browser:
        options = replace(options, open_browser=False)
    async with anyio.create_task_group() as tasks:
        credentials = Credentials(
            TokenKey(profile.name, proxy),
            store,
            tasks=tasks,
            options=lambda: options,
            service_account=service_account,
            on_change=changed,
        )
        yield credentials
        tasks.cancel_scope.cancel()

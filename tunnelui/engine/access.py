"""What an engine does about who we are: sign-ins, and the passwords of client certificates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import anyio.to_thread

from tunnelui.errors import ConfigError
from tunnelui.text import clean

if TYPE_CHECKING:
    from tunnelui.auth.credentials import Credentials
    from tunnelui.config.discovery import Offer
    from tunnelui.config.settings import Settings
    from tunnelui.engine.identities import Contexts, Identities
    from tunnelui.engine.tunnels import Tunnels

__all__ = ["Access"]


class Access(ABC):
    """These requests of an engine (`tunnelui.engine.interface.Engine`)."""

    contexts: Contexts
    _settings: Settings
    _identities: Identities
    _tunnels: Tunnels

    async def offer(self, profile: str, proxy: str) -> Offer:
        from tunnelui.engine.offer import fetch_offer

        credentials = self._credentials(profile, proxy)
        return await fetch_offer(self._settings.profile(profile), credentials.key.proxy, credentials, self.contexts)

    async def sign_in(self, profile: str, proxy: str) -> None:
        await self._credentials(profile, proxy).begin()

    async def cancel_sign_in(self, profile: str, proxy: str) -> None:
        await self._credentials(profile, proxy).cancel()

    async def paste(self, profile: str, proxy: str, text: str) -> None:
        await self._identities.paste(self._credentials(profile, proxy), text)

    async def sign_out(self, profile: str, proxy: str) -> None:
        await self._credentials(profile, proxy).sign_out()

    async def refresh_identity(self, profile: str, proxy: str) -> None:
        """See `tunnelui.auth.credentials.Credentials.refresh`."""
        await self._credentials(profile, proxy).refresh()

    async def unlock(self, profile: str, password: str) -> None:
        from tunnelui.transport.pkcs12 import WRONG_PASSWORD

        chosen = self._settings.profile(profile)
        if not chosen.client_cert:
            raise ConfigError(f"the profile “{clean(profile, 64)}” has no client certificate", code="no_certificate")
        await anyio.to_thread.run_sync(self.contexts.unlock, chosen, password)
        for tunnel in tuple(self._tunnels):
            problem = tunnel.snapshot().problem
            if tunnel.route.profile == profile and problem is not None and problem.code == WRONG_PASSWORD:
                await tunnel.restart()

    @abstractmethod
    def _credentials(self, profile: str, proxy: str) -> Credentials:
        """
        :raises ConfigError: there is no such profile, or *proxy* is no origin.
        """

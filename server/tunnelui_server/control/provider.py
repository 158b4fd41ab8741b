"""The provider that a configuration asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui_server.identity.local import LocalProvider
from tunnelui_server.identity.oidc import OIDCProvider

if TYPE_CHECKING:
    from tunnelui_server.config.model import ServerConfig
    from tunnelui_server.identity.provider import Provider

__all__ = ["make_provider"]


def make_provider(config: ServerConfig) -> Provider | None:
    """Make the provider of *config*, None where it has none: with public routes alone nobody signs in.

    Nothing is fetched yet, so a provider that is down stops no start.

    :raises ConfigError: a key that the provider needs is missing.
    """
    if config.idp_provider == "local":
        return LocalProvider(config.local_users)
    if config.idp_provider == "oidc":
        return OIDCProvider(
            issuer=config.idp_provider_url,
            client_id=config.idp_client_id,
            client_secret=config.idp_client_secret,
            scopes=config.idp_scopes,
            groups_claim=config.groups_claim,
        )
    return None

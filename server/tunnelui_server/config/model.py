"""The configuration as values: everything is checked, every path absolute, every duration in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tunnelui.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tunnelui.wire.address import TCPListen
    from tunnelui_server.policy.route import Route

__all__ = ["Certificate", "ConfigErrors", "Limits", "LocalUser", "ServerConfig"]


class ConfigErrors(ConfigError):
    """All that is wrong with a configuration. ``errors`` holds one `ConfigError` each, in the order of the file."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate chain and its private key, PEM files."""

    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class LocalUser:
    """A person of ``local_users``. ``name`` is what they type to sign in; the user id is the same."""

    name: str
    password_hash: str = field(repr=False)
    email: str = ""
    display_name: str = ""
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps and deadlines of the gateway; seconds, and numbers of connections."""

    max_connections: int = 4096
    max_pending_per_address: int = 512
    max_tunnels_per_user: int = 1024
    max_tunnels_per_route: int = 4096
    handshake_timeout: float = 10.0
    head_timeout: float = 10.0
    upstream_connect_timeout: float = 10.0
    shutdown_grace: float = 10.0


@dataclass(frozen=True)
class ServerConfig:
    """Everything that the two planes need. Attributes carry the names of the keys (Pomerium's where it has one).

    ``source`` is the text of the file as it was read: whoever starts later must see what the others saw.
    """

    path: Path
    source: bytes = field(repr=False)
    state_dir: Path
    address: TCPListen
    shared_secret_bytes: bytes = field(repr=False)
    routes: tuple[Route, ...] = ()
    insecure_server: bool = False
    certificates: tuple[Certificate, ...] = ()
    authenticate_url: str | None = None
    idp_provider: Literal["oidc", "local"] | None = None
    idp_provider_url: str = ""
    idp_client_id: str = ""
    idp_client_secret: str = field(default="", repr=False)
    idp_scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = "groups"
    device_login: bool = True
    local_users: tuple[LocalUser, ...] = ()
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    cookie_expire: float = 14 * 3600.0
    databroker_storage_type: Literal["sqlite", "memory"] = "sqlite"
    databroker_storage_connection_string: str = ""
    log_level: str = "info"
    limits: Limits = field(default_factory=Limits)
    workers: int = 1
    warnings: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """How this server names itself when it starts: the scheme and the address it listens on."""
        scheme = "http" if self.insecure_server else "https"
        host = self.address.host or "0.0.0.0"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.address.port}"

"""``config.toml``: belongs to the user, read and never written.

::

    token_store = "keyring"            # or "file", "memory"
    notifications = false              # tell on the desktop what needs a person
    theme = "dark"                     # of the screen: light, dusk, sand, contrast, ansi
    warm = 1                           # connections kept ready for each proxy in use; 0: none

    [profiles.corp]
    proxy_url = "https://pomerium.corp.example.com"
    ca_file = "corp-ca.pem"            # relative to this file; ~ is the home folder
    sign_in_timeout = 300

    [keys]                             # of the screen: an action's id, and its key
    "copy.as" = "ctrl+o"
"""

from __future__ import annotations

import base64
import binascii
import math
import stat
from dataclasses import field, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tunnelui.config.profile import Profile
from tunnelui.config.route import DEFAULT_PROFILE
from tunnelui.config.route_rules import check_name
from tunnelui.config.toml_text import KeyPath, Problems, TomlFile, nearest, read_toml
from tunnelui.errors import ConfigError
from tunnelui.frozen import frozen
from tunnelui.text import clean
from tunnelui.wire.address import AddressError, parse_host
from tunnelui.wire.destination import DestinationError, parse_proxy_url

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["THEME_NAMES", "TOKEN_STORES", "Settings", "load_settings"]

TOKEN_STORES: Final = ("keyring", "file", "memory")
THEME_NAMES: Final = ("dark", "light", "dusk", "sand", "contrast", "ansi")
_TOP_LEVEL: Final = ("token_store", "notifications", "warm", "theme", "profiles", "keys")
_MOST_WARM: Final = 4  # a proxy counts connections that ask for nothing against their address
_KINDS: Final[Mapping[str, type]] = {
    entry.name: {"str": str, "bool": bool, "float": float}[str(entry.type)]
    for entry in fields(Profile)
    if entry.name not in ("name", "client_cert_password")
}
_PATHS: Final = frozenset({"ca_file", "client_cert", "client_key", "client_cert_password_file", "service_account_file"})
_PKCS12: Final = (".p12", ".pfx")
_LONGEST_SIGN_IN: Final = 3600.0


@frozen
class Settings:
    """What ``config.toml`` says; without a file, the defaults.

    :param token_store: ``keyring``, ``file``, ``memory``, or ``None`` where nothing was said.
    :param keys: ids of the screen's bindings, and other keys for them, as written.
    :param theme: of the screen, one of `THEME_NAMES`; empty where nothing was said.
    :param notifications: whether the agent tells on the desktop what needs a person.
    :param warm: connections that are kept ready for each proxy in use: 0 to 4.
    """

    profiles: Mapping[str, Profile] = field(default_factory=lambda: MappingProxyType({}))
    token_store: str | None = None
    path: Path | None = None
    warm: int = 1
    notifications: bool = False
    theme: str = ""
    keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def profile(self, name: str = DEFAULT_PROFILE) -> Profile:
        """Return the profile *name*; the default one exists even where no file speaks of it.

        :raises ConfigError: there is no such profile.
        """
        found = self.profiles.get(name)
        if found is not None:
            return found
        if name == DEFAULT_PROFILE:
            return Profile()
        where = f" in {self.path}" if self.path else ""
        raise ConfigError(
            f"there is no profile “{clean(name, 64)}”{where}{nearest(name, self.profile_names)}",
            place="profile",
        )

    @property
    def profile_names(self) -> tuple[str, ...]:
        """Every name that `profile` knows, the default one first."""
        return (DEFAULT_PROFILE, *(name for name in self.profiles if name != DEFAULT_PROFILE))


def load_settings(path: Path) -> Settings:
    """Read *path*; a missing file gives the defaults.

    :raises ConfigError: everything that is wrong, at once; ``place`` is ``FILE:LINE``, or the file when there are
        several problems (then each line of the message has its own).
    """
    file = read_toml(path)
    if file is None:
        return Settings(path=path)
    problems = Problems(file)
    for key in file.values:
        if key not in _TOP_LEVEL:
            problems.unknown((key,), _TOP_LEVEL)
    store = file.values.get("token_store")
    if store is not None and problems.value(("token_store",), store, str) and store not in TOKEN_STORES:
        problems.add(
            ("token_store",), f"“token_store” must be one of {', '.join(TOKEN_STORES)}{nearest(store, TOKEN_STORES)}"
        )
    warm = file.values.get("warm", 1)
    if problems.value(("warm",), warm, int) and not 0 <= warm <= _MOST_WARM:
        problems.add(("warm",), f"“warm” must be 0 (off) to {_MOST_WARM}")
    notifications = file.values.get("notifications", False)
    problems.value(("notifications",), notifications, bool)
    theme = file.values.get("theme", "")
    if "theme" in file.values and problems.value(("theme",), theme, str) and theme not in THEME_NAMES:
        problems.add(("theme",), f"“theme” must be one of {', '.join(THEME_NAMES)}{nearest(theme, THEME_NAMES)}")
    tables = file.values.get("profiles", {})
    profiles: dict[str, Profile] = {}
    if problems.value(("profiles",), tables, dict):
        for name, table in tables.items():
            place: KeyPath = ("profiles", name)
            if problems.value(place, table, dict):
                profiles[name] = _read_profile(name, table, place, problems)
    keys = file.values.get("keys", {})
    if problems.value(("keys",), keys, dict):
        for id, key in keys.items():
            problems.value(("keys", id), key, str)
    problems.raise_if_any()
    _refuse_open_secrets(file, profiles)
    return Settings(MappingProxyType(profiles), store, path, warm, notifications, theme, MappingProxyType(keys))


def _read_profile(name: str, table: dict[str, Any], key: KeyPath, problems: Problems) -> Profile:
    try:
        check_name(name, what="profile")
    except ConfigError as error:
        problems.add(key, error.message)
    values: dict[str, Any] = {}
    for option, value in table.items():
        kind = _KINDS.get(option)
        if kind is None:
            problems.unknown((*key, option), _KINDS)
        elif problems.value((*key, option), value, kind):
            values[option] = _absolute(value, problems.file.path) if option in _PATHS else value
    profile = Profile(name=name, **values)
    for option, message in _wrong_values(profile):
        problems.add((*key, option), message)
    return profile


def _wrong_values(profile: Profile) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if profile.proxy_url:
        try:
            parse_proxy_url(profile.proxy_url)
        except DestinationError as error:
            found.append(("proxy_url", f"{error.message}. {error.hint}".rstrip()))
    has_both = profile.client_cert.lower().endswith(_PKCS12)
    if has_both and profile.client_key:
        found.append(("client_key", "“client_key” is in the PKCS#12 file already"))
    elif profile.client_key and not profile.client_cert:  # the other way round, one file may hold both
        found.append(("client_key", "“client_key” needs “client_cert” beside it"))
    if profile.client_cert_password_file and not profile.client_cert:
        found.append(("client_cert_password_file", "“client_cert_password_file” needs “client_cert” beside it"))
    if profile.ca_data and not _is_base64_pem(profile.ca_data):
        found.append(("ca_data", "“ca_data” must be the base64 of a PEM certificate; “ca_file” takes a file"))
    if profile.service_account and profile.service_account_file:
        found.append(("service_account", "give “service_account” or “service_account_file”, not both"))
    if profile.server_name:
        try:
            parse_host(profile.server_name)
        except AddressError as error:
            found.append(("server_name", f"“server_name” is no host name: {error.message}"))
    timeout = profile.sign_in_timeout
    if not (math.isfinite(timeout) and 0 < timeout <= _LONGEST_SIGN_IN):
        found.append(
            ("sign_in_timeout", f"“sign_in_timeout” must be above 0 and at most {_LONGEST_SIGN_IN:.0f} seconds")
        )
    return found


def _is_base64_pem(text: str) -> bool:
    try:
        return b"-----BEGIN CERTIFICATE-----" in base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error):
        return False


def _absolute(value: str, file: Path) -> str:
    if not value:
        return value
    try:
        path = Path(value).expanduser()
    except RuntimeError:  # ~name of somebody who is not there
        path = Path(value)
    return str(file.absolute().parent / path)


def _refuse_open_secrets(file: TomlFile, profiles: Mapping[str, Profile]) -> None:
    for name, profile in profiles.items():
        if profile.service_account and _others_can_read(file.path):
            raise ConfigError(
                "holds a service account and can be read by everybody on this machine",
                place=file.place(("profiles", name, "service_account")),
                hint=f"Run: chmod 600 {file.path}",
            )


def _others_can_read(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))
    except OSError:
        return False

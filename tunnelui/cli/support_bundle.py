"""An archive for whoever helps: what is needed to understand trouble, and nothing that names a person, host or token.

Names are replaced, each by the same stand-in everywhere, so that the help can still see what belongs together.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import sys
import tarfile
import time
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tunnelui.cli.context import saved_routes
from tunnelui.config.paths import config_file, state_dir
from tunnelui.errors import ConfigError, LocalError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tunnelui.config.settings import Settings

__all__ = ["Redactor", "write_bundle"]

_LOG_SIZE: Final = 512 * 1024
_PACKAGES: Final = ("tunnelui", "textual", "rich", "httpx", "anyio", "keyring", "tomli-w", "platformdirs")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}")
_SECRET_FIELD: Final = re.compile(
    r"(?i)(pomerium_jwt|authorization|cookie|token|secret|password|passwd|api[_-]?key|service_account|ca_data)"
    r"([\"']?\s*[=:]\s*[\"']?)([^\s\"'&;,}]+(?:[ \t]+[A-Za-z0-9+/_.=-]{8,})?)"
)
_LONG: Final = re.compile(r"\b[A-Za-z0-9+/_-]{32,}={0,2}")
_URL_USER: Final = re.compile(r"(?<=://)[^\s/@\"']+(?=@)")
_PERSON: Final = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_HOST: Final = re.compile(r"(?i)\b(?=[a-z0-9.-]*[a-z])[\w](?:[\w-]*[\w])?(?:\.[\w](?:[\w-]*[\w])?)+\b")
_IPV4: Final = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_IPV6: Final = re.compile(r"(?i)\b[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])")
_PATHS: Final = ("ca_file", "client_cert", "client_key", "client_cert_password_file", "service_account_file")
_PLAIN_FOLDERS: Final = frozenset(
    {"home", "root", "users", "etc", "usr", "share", "local", "var", "lib", "opt", "srv", "tmp", "run", "ssl", "certs"}
    | {"pki", "private", "config", ".config", "tunnelui", "secrets", "keys", "ca", "cert", "key", "client", "token"}
)
_LOOPBACK: Final = ("127.", "0.0.0.0", "::1", "::")
# What looks like a host name and is none: our own modules and files, and those of Python.
_NO_HOST: Final = re.compile(
    r"(?i)^(tunnelui|anyio|asyncio|textual|ssl|socket|importlib|concurrent|python\d*|lib)(\.|$)"
    r"|\.(py|toml|log|json|sock|so|md|gz|tcss|pem|crt|key|p12|yaml)$"
)


class Redactor:
    """Replaces names, the same one always by the same stand-in."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """*names* are replaced wherever they stand, whatever they look like: hosts without a dot, names of routes."""
        self._stand_ins: dict[tuple[str, str], str] = {}
        self._names = sorted({name for name in names if len(name) > 2}, key=len, reverse=True)
        self._home = str(Path.home())

    def text(self, text: str) -> str:
        """Return *text* without anything that names a person, a host or a token."""
        text = _SECRET_FIELD.sub(lambda match: f"{match[1]}{match[2]}[secret]", text)
        text = _TOKEN.sub("[token]", text)
        text = _URL_USER.sub("[secret]", text)
        text = _PERSON.sub(lambda match: self._stand_in("person", match[0]), text)
        for name in self._names:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", lambda match: self._stand_in("name", match[0]), text)
        if len(self._home) > 1:
            text = text.replace(self._home, "~")
        text = _IPV4.sub(self._address, text)
        text = _IPV6.sub(self._address, text)
        text = _HOST.sub(self._host, text)
        return _LONG.sub("[long]", text)

    def value(self, value: Any) -> Any:
        """Return a JSON value with every text in it redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def _address(self, match: re.Match[str]) -> str:
        text = match[0]
        if text.startswith(_LOOPBACK[:2]) or text in _LOOPBACK or re.fullmatch(r"\d\d(:\d\d){1,2}", text):
            return text  # or a time of day
        return self._stand_in("address", text)

    def _host(self, match: re.Match[str]) -> str:
        text = match[0]
        if _NO_HOST.search(text) or re.fullmatch(r"v?\d+(\.\d+)*\w*", text):
            return text
        return self._stand_in("host", text)

    def _stand_in(self, kind: str, text: str) -> str:
        key = (kind, text.lower())
        if key not in self._stand_ins:
            number = 1 + sum(1 for known, _ in self._stand_ins if known == kind)
            self._stand_ins[key] = f"[{kind} {number}]"
        return self._stand_ins[key]


def write_bundle(path: str, findings: list[dict[str, Any]], settings: Settings) -> None:
    """Write the archive, mode 0600.

    :raises LocalError: it can't be written, or is there already.
    """
    try:
        routes = [asdict(route) for route in saved_routes().load()]
    except ConfigError as error:
        routes = [{"error": str(error)}]
    redactor = Redactor(_names(routes, settings))
    files = {
        "about.json": _about(),
        "findings.json": redactor.value(findings),
        "routes.json": redactor.value(routes),
        "settings.json": redactor.value(_settings(settings)),
        "config.toml": redactor.text(_read(config_file())),
        "tunnelui.log": redactor.text(_read(state_dir() / "tunnelui.log")),
    }
    try:
        # 0600 and new: a log of ours must not land in a file that others read, or over one that somebody needs.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:
            for name, content in files.items():
                text = content if isinstance(content, str) else json.dumps(content, indent=1, default=str)
                _add(archive, name, text.encode("utf-8", "backslashreplace"))
    except FileExistsError:
        raise LocalError(f"{path} is there already", code="bundle", hint="Name another file.") from None
    except OSError as error:
        raise LocalError(f"{path} can't be written: {error.strerror}", code="bundle") from None


def _names(routes: list[dict[str, Any]], settings: Settings) -> list[str]:
    names = [str(route[key]) for route in routes for key in ("name", "note") if route.get(key)]
    names += [str(tag) for route in routes for tag in route.get("tags", ())]
    for route in routes:
        names += re.findall(r"[\w.-]+", str(route.get("destination", "")).partition("://")[2] or "")
        names.append(str(route.get("destination", "")).rpartition(":")[0])
    names += [name for name in settings.profile_names if name != "default"]
    names += [profile.server_name for profile in settings.profiles.values()]
    # Files and folders outside the home folder, which is replaced as a whole: they are often called after people.
    paths = [Path(getattr(profile, key)) for profile in settings.profiles.values() for key in _PATHS]
    names += [part for path in paths for part in (*path.parts[:-1], path.stem) if part.lower() not in _PLAIN_FOLDERS]
    names.append(Path.home().name if Path.home().name != "root" else "")
    return [name for name in names if name]


def _settings(settings: Settings) -> dict[str, Any]:
    secret = ("service_account", "ca_data", "client_cert_password")
    return {
        "token_store": settings.token_store,
        "warm": settings.warm,
        "profiles": {
            name: {key: "[set]" if value and key in secret else value for key, value in asdict(profile).items()}
            for name, profile in settings.profiles.items()
        },
    }


def _about() -> dict[str, Any]:
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": sys.version,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_SIZE))
            return file.read().decode("utf-8", "replace")
    except OSError as error:
        return f"({error.strerror})"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(f"tunnelui-support/{name}")
    entry.size, entry.mode, entry.mtime = len(data), 0o600, int(time.time())
    archive.addfile(entry, io.BytesIO(data))

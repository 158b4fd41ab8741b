"""Pomerium Desktop's export: the JSON form of a ``google.protobuf.Any`` with ``pomerium.cli.Records``.

::

    {"@type": "type.googleapis.com/pomerium.cli.Records",
     "records": [{"tags": ["prod"], "conn": {"name": "db", "protocol": "TCP", "remoteAddr": "db.example.com:5432",
                  "listenAddr": "127.0.0.1:5432", "pomeriumUrl": "https://proxy:8443", "autostart": true}}]}

Keys may be camelCase or snake_case, as that form allows; ``null`` is as good as absent, and an enum may be a number.
TLS settings belong to a profile here: they are named in a note, and read only when somebody asks for them, since
private keys are among them.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from tunnelui.config.route import Route
from tunnelui.config.route_rules import check_route, free_name, usable_name, way_of
from tunnelui.errors import ConfigError
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["DesktopImport", "read_desktop_json", "write_desktop_json"]

_TYPE: Final = "type.googleapis.com/pomerium.cli.Records"
_MAX_SIZE: Final = 8 * 1024 * 1024
_MOST_TAGS: Final = 16
_RECORD: Final = ("id", "tags", "source", "conn")
_CONNECTION: Final = (
    "name",
    "protocol",
    "remoteAddr",
    "listenAddr",
    "pomeriumUrl",
    "disableTlsVerification",
    "caCert",
    "clientCert",
    "clientCertFromStore",
    "autostart",
)
# What of a connection is a matter of the profile here, and the key of config.toml that does it.
_OF_PROFILES: Final = {
    "disableTlsVerification": "verify = false",
    "caCert": "ca_file",
    "clientCert": "client_cert and client_key",
    "clientCertFromStore": "client_cert and client_key",
}
_CERTIFICATE: Final = ("cert", "key", "info")
_PROTOCOLS: Final = {0: "UNKNOWN", 1: "TCP", 2: "UDP"}
_HINT: Final = "Export the connections again in Pomerium Desktop, or mend the file."


@dataclass(frozen=True, slots=True)
class DesktopImport:
    """*notes* are lines for people on what was left out or changed."""

    routes: tuple[Route, ...]
    notes: tuple[str, ...] = ()
    tls: tuple[DesktopTls, ...] = ()


@dataclass(frozen=True, slots=True)
class DesktopTls:
    """The TLS settings of the route *name*, in PEM."""

    name: str
    verify: bool = True
    ca: bytes = b""
    cert: bytes = b""
    key: bytes = field(default=b"", repr=False)


def read_desktop_json(text: str, place: str = "", *, with_tls: bool = False) -> DesktopImport:
    """Return the routes of an export.

    :param with_tls: read certificates and private keys, too.
    :raises ConfigError: it is none; ``place`` names the record and the key.
    """
    if len(text) > _MAX_SIZE:
        raise ConfigError(f"is larger than {_MAX_SIZE // 1024 // 1024} MiB", place=place)
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        at = f"{place}:{error.lineno}" if place else f"line {error.lineno}"
        raise ConfigError(f"is no JSON: {error.msg}", place=at, hint=_HINT) from None
    except (RecursionError, ValueError):
        raise ConfigError("is no JSON that can be read", place=place, hint=_HINT) from None
    if not isinstance(value, dict) or value.get("@type", _TYPE) != _TYPE or "records" not in value:
        raise ConfigError("is no export of Pomerium Desktop", place=place, hint=_HINT)
    reader = _Reader(place, with_tls=with_tls)
    records = reader.expect(list, value["records"], "records")
    for number, record in enumerate(records, 1):
        reader.take(record, f"record {number}")
    return DesktopImport(tuple(reader.routes), tuple(reader.notes), tuple(reader.tls))


def write_desktop_json(routes: Sequence[Route], *, proxy_of: Callable[[Route], str]) -> str:
    """Return an export with *routes*.

    :param proxy_of: the proxy's URL where it does not follow from the destination, else empty.
    """
    records: list[dict[str, Any]] = []
    for route in routes:
        connection: dict[str, Any] = {"name": route.name, "protocol": "TCP", "remoteAddr": route.destination}
        if route.listen:
            connection["listenAddr"] = route.listen
        if proxy := proxy_of(route):
            connection["pomeriumUrl"] = proxy
        if route.autostart:
            connection["autostart"] = True
        record: dict[str, Any] = {"tags": list(route.tags)} if route.tags else {}
        records.append(record | {"conn": connection})
    return json.dumps({"@type": _TYPE, "records": records}, indent=2, ensure_ascii=False) + "\n"


class _Reader:
    """Collects routes and notes, record by record."""

    def __init__(self, place: str, *, with_tls: bool = False) -> None:
        self.routes: list[Route] = []
        self.tls: list[DesktopTls] = []
        self._with_tls = with_tls
        self.notes: list[str] = []
        self._place = place

    def expect(self, kind: type, value: Any, where: str) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self._error(f"is no {'text' if kind is str else kind.__name__}", where)
        return value

    def take(self, value: Any, where: str) -> None:
        record = self._keys(value, _RECORD, where)
        connection = self._keys(record.get("conn", {}), _CONNECTION, f"{where}, conn")

        def text(key: str) -> str:
            found = connection.get(key)
            return "" if found is None else str(self.expect(str, found, f"{where}, conn.{key}")).strip()

        remote = text("remoteAddr")
        name = self._name(text("name") or remote, where)
        number = connection.get("protocol")
        if isinstance(number, int) and number in _PROTOCOLS:
            connection["protocol"] = _PROTOCOLS[number]
        protocol = text("protocol").upper() or "TCP"
        if protocol not in ("TCP", "UNKNOWN"):
            self._note(name, f"left out: {clean(protocol, 20)} is not carried")
            return
        if not remote:
            raise self._error("a connection needs remoteAddr", f"{where}, conn.remoteAddr")
        route = Route(
            name,
            remote,
            proxy_url=text("pomeriumUrl"),
            tags=self._tags(record.get("tags"), name, where),
            autostart=bool(self.expect(bool, connection.get("autostart", False), f"{where}, conn.autostart")),
        )
        try:
            check_route(route)
        except ConfigError as error:
            key = {"destination": "remoteAddr", "proxy_url": "pomeriumUrl"}.get(error.place, error.place)
            raise self._error(error.message, f"{where}, conn.{key}", error.hint) from None
        route = self._with_listen(route, text("listenAddr"))
        tls = self._tls(name, connection, f"{where}, conn") if self._with_tls else None
        for key, instead in _OF_PROFILES.items():
            if connection.get(key) and (tls is None or key == "clientCertFromStore"):
                self._note(name, f"{key} was left out; a profile in config.toml has {instead} for that")
        if any(_same(route, other) for other in self.routes):
            self._note(name, "left out: another record says the same")
        else:
            self.routes.append(route)
            if tls is not None and tls != DesktopTls(name):
                self.tls.append(tls)

    def _tls(self, name: str, connection: dict[str, Any], where: str) -> DesktopTls:
        pair = self._keys(connection.get("clientCert", {}), _CERTIFICATE, f"{where}.clientCert")
        verify = not self.expect(bool, connection.get("disableTlsVerification", False), f"{where}.disableTls…")

        def pem(table: dict[str, Any], key: str) -> bytes:
            try:
                return base64.b64decode(str(self.expect(str, table.get(key, ""), f"{where}.{key}")), validate=True)
            except ValueError:
                raise self._error("is no base64", f"{where}.{key}") from None

        return DesktopTls(name, verify, pem(connection, "caCert"), pem(pair, "cert"), pem(pair, "key"))

    def _keys(self, value: Any, known: Sequence[str], where: str) -> dict[str, Any]:
        """Return *value* with camelCase keys."""
        table: dict[str, Any] = {}
        for key, item in self.expect(dict, value, where).items():
            head, *rest = key.split("_")
            camel = head + "".join(part.capitalize() for part in rest)
            if camel in known:
                if item is not None:
                    table[camel] = item
            else:
                self._note(where, f"“{clean(key, 40)}” is not known and was left out")
        return table

    def _name(self, text: str, where: str) -> str:
        """Return a name that a route can have and none has yet."""
        return free_name(usable_name(text) or where, {route.name for route in self.routes})

    def _tags(self, value: Any, name: str, where: str) -> tuple[str, ...]:
        tags: list[str] = []
        for item in self.expect(list, [] if value is None else value, f"{where}, tags"):
            tag = str(self.expect(str, item, f"{where}, tags"))
            try:
                check_route(Route("x", "x.example.com:1", tags=(tag,)))
            except ConfigError:
                self._note(name, f"the tag “{clean(tag, 40)}” can't be kept")
                continue
            if tag not in tags and len(tags) < _MOST_TAGS:
                tags.append(tag)
        return tuple(tags)

    def _with_listen(self, route: Route, listen: str) -> Route:
        if not listen:
            return route
        # That program reads an address without a port as one with any free port.
        address = f"{listen}:0" if ":" not in listen and "." in listen else listen
        if listen.count(":") > 1 and not listen.startswith("["):
            address = f"[{listen}]:0"
        try:
            check_route(replace(route, listen=address))
        except ConfigError:
            self._note(route.name, f"the local address “{clean(listen, 60)}” can't be used; any free port is")
            return route
        return replace(route, listen=address)

    def _note(self, what: str, words: str) -> None:
        self.notes.append(f"{what}: {words}")

    def _error(self, message: str, where: str, hint: str = "") -> ConfigError:
        place = f"{self._place}, {where}" if self._place else where
        return ConfigError(message, place=place, code="import", hint=hint or _HINT)


def _same(one: Route, other: Route) -> bool:
    return (way_of(one), one.listen) == (way_of(other), other.listen)

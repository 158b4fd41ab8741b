"""Pomerium Desktop's export: the JSON form of a ``google.protobuf.Any`` with ``pomerium.cli.Records``.

::

    {"@type": "type.googleapis.com/pomerium.cli.Records",
     "records": [{"tags": ["prod"], "conn": {"name": "db", "protocol": "TCP", "remoteAddr": "db.example.com:5432",
                  "listenAddr": "127.0.0.1:5432", "pomeriumUrl": "https://proxy:8443", "autostart": true}}]}

Keys may be camelCase or snake_case, as that form allows; ``null`` is as good as absent, and an enum may be a number.
What that program leaves empty it leaves out, ``protocol`` among it, and it checks neither addresses nor URLs: a record
that leads nowhere is left out with a note, and refused only where nothing else was found.
TLS settings belong to a profile here: they are named in a note, and read only when somebody asks for them, since
private keys are among them.
"""

from __future__ import annotations

import base64
import json
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Final

from tunnelui.config.route import Route
from tunnelui.config.route_rules import check_route, free_name, usable_name, way_of
from tunnelui.errors import ConfigError
from tunnelui.frozen import frozen
from tunnelui.text import clean
from tunnelui.wire.destination import DestinationError, parse_proxy_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tunnelui.wire.destination import Destination

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
    # of earlier versions
    "tlsClientCert",
    "tlsClientKey",
    "clientCertIssuerCn",
)
# What of a connection is a matter of the profile here, and the key of config.toml that does it.
_OF_PROFILES: Final = {
    "disableTlsVerification": "verify = false",
    "caCert": "ca_file",
    "clientCert": "client_cert and client_key",
    "tlsClientCert": "client_cert and client_key",
    "clientCertFromStore": "client_cert and client_key",
    "clientCertIssuerCn": "client_cert and client_key",
}
_OF_THE_SYSTEM: Final = ("clientCertFromStore", "clientCertIssuerCn")
"""Where the certificate itself is not in the export. An empty filter means any certificate."""
_NAMED: Final = 3
"""So many routes or records are named in one note."""
_CERTIFICATE: Final = ("cert", "key", "info")
_PROTOCOLS: Final = {0: "UNKNOWN", 1: "TCP", 2: "UDP"}
_HINT: Final = "Export the connections again in Pomerium Desktop, or mend the file."


@frozen
class DesktopImport:
    """*notes* are lines for people on what was left out or changed."""

    routes: tuple[Route, ...]
    notes: tuple[str, ...] = ()
    tls: tuple[DesktopTls, ...] = ()


@frozen
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
    if (
        not isinstance(value, dict)
        or value.get("@type", _TYPE) != _TYPE
        or not ("records" in value or "@type" in value)
    ):
        raise ConfigError("is no export of Pomerium Desktop", place=place, hint=_HINT)
    reader = _Reader(place, with_tls=with_tls)
    records = value.get("records")
    records = [] if records is None else reader.expect(list, records, "records")
    for number, record in enumerate(records, 1):
        reader.take(record, f"record {number}")
    if reader.unusable and not reader.routes:
        raise reader.unusable[0]
    return DesktopImport(tuple(reader.routes), reader.notes, tuple(reader.tls))


def write_desktop_json(routes: Sequence[Route], *, way_of: Callable[[Route], Destination]) -> str:
    """Return an export with *routes* that every version takes.

    A key that a version does not know makes it refuse the whole file, so there are no more than need be: ``protocol``
    is TCP where it is left out, and ``autostart`` is there only where it is set. A proxy before the destination
    (``tcp+https://PROXY/HOST:PORT``) is not read by the first ones either: it gets its own key.

    :param way_of: where a route leads.
    """
    records: list[dict[str, Any]] = []
    for route in routes:
        way = way_of(route)
        connection: dict[str, Any] = {"name": route.name, "remoteAddr": str(way.authority)}
        if route.listen:
            connection["listenAddr"] = route.listen
        if way.is_bastion:
            connection["pomeriumUrl"] = way.proxy.url
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
        self.unusable: list[ConfigError] = []
        self._with_tls = with_tls
        self._notes: dict[str, list[str]] = {}
        self._place = place

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noted, once for all that it is true of."""
        return tuple(f"{_first_of(what)}: {words}" for words, what in self._notes.items())

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
        protocol = self._protocol(connection.get("protocol"), f"{where}, conn.protocol")
        if protocol not in ("TCP", "UNKNOWN"):
            self._note(name, f"left out: {clean(protocol, 20)} is not carried")
            return
        route = Route(
            name,
            remote,
            proxy_url=_origin(text("pomeriumUrl")),
            tags=self._tags(record.get("tags"), name, where),
            autostart=bool(self.expect(bool, connection.get("autostart", False), f"{where}, conn.autostart")),
        )
        listen = text("listenAddr")
        tls = self._tls(name, connection, f"{where}, conn") if self._with_tls else None
        if not self._is_usable(route, where):
            return
        route = self._with_listen(route, listen)
        for key, instead in _OF_PROFILES.items():
            given = connection.get(key) or (key in _OF_THE_SYSTEM and key in connection)
            if given and (tls is None or key in _OF_THE_SYSTEM):
                self._note(name, f"{key} was left out; a profile in config.toml has {instead} for that")
        if any(_same(route, other) for other in self.routes):
            self._note(name, "left out: another record says the same")
        else:
            self.routes.append(route)
            if tls is not None and tls != DesktopTls(name):
                self.tls.append(tls)

    def _protocol(self, value: Any, where: str) -> str:
        """Return the name of a protocol, which a newer version may have more of."""
        if isinstance(value, int) and not isinstance(value, bool):
            return _PROTOCOLS.get(value, f"protocol {value}")
        return str(self.expect(str, "" if value is None else value, where)).strip().upper() or "TCP"

    def _is_usable(self, route: Route, where: str) -> bool:
        """Whether *route* leads somewhere; if not, it is noted."""
        try:
            if not route.destination:
                raise ConfigError("a connection needs remoteAddr", place="destination")
            check_route(route)
        except ConfigError as error:
            key = {"destination": "remoteAddr", "proxy_url": "pomeriumUrl"}.get(error.place, error.place)
            self.unusable.append(self._error(error.message, f"{where}, conn.{key}", error.hint))
            self._note(route.name, f"left out: {error.message} ({where}, conn.{key})")
            return False
        return True

    def _tls(self, name: str, connection: dict[str, Any], where: str) -> DesktopTls:
        pair = self._keys(connection.get("clientCert", {}), _CERTIFICATE, f"{where}.clientCert")
        verify = not self.expect(bool, connection.get("disableTlsVerification", False), f"{where}.disableTls…")

        def pem(table: dict[str, Any], key: str) -> bytes:
            text = str(self.expect(str, table.get(key, ""), f"{where}.{key}"))
            # Both alphabets, and no padding, are as good as the usual form.
            text = text.translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
            try:
                return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
            except ValueError:
                raise self._error("is no base64", f"{where}.{key}") from None

        cert = pem(pair, "cert") or pem(connection, "tlsClientCert")
        return DesktopTls(
            name, verify, pem(connection, "caCert"), cert, pem(pair, "key") or pem(connection, "tlsClientKey")
        )

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
                record, _, within = where.partition(", ")
                path = f"{within}.{key}" if within else key
                self._note(record, f"“{clean(path, 60)}” is not known and was left out")
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
            if tag not in tags:
                tags.append(tag)
        if len(tags) > _MOST_TAGS:
            self._note(name, f"only its first {_MOST_TAGS} tags are kept")
        return tuple(tags[:_MOST_TAGS])

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
        self._notes.setdefault(words, []).append(what)

    def _error(self, message: str, where: str, hint: str = "") -> ConfigError:
        place = f"{self._place}, {where}" if self._place else where
        return ConfigError(message, place=place, code="import", hint=hint or _HINT)


def _origin(text: str) -> str:
    """Return a proxy's URL without its path, which means nothing: routes that were loaded from a portal have one."""
    if "/" not in text.partition("://")[2]:
        return text
    try:
        return parse_proxy_url(text).url
    except DestinationError:
        return text


def _first_of(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _same(one: Route, other: Route) -> bool:
    return (way_of(one), one.listen) == (way_of(other), other.listen)

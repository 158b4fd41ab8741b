"""What usually listens on a port, for addresses and commands that people can use at once.

The numbers are those of the IANA service registry, or of the program's own documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tunnelui.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Service", "service_of"]


@frozen
class Service:
    """One kind of service.

    :param scheme: of its URLs.
    :param client: the usual program in a terminal, with ``{host}`` and ``{port}``; may be empty.
    :param dsn: how its clients spell where it is, where that is no URL; may be empty.
    :param environment: variables that its clients read, each with ``{host}`` or ``{port}``.
    """

    scheme: str
    client: str = ""
    dsn: str = ""
    environment: tuple[tuple[str, str], ...] = ()


_SERVICES: Final[Mapping[int, Service]] = {
    22: Service("ssh", "ssh -p {port} {host}"),
    80: Service("http", "curl -i http://{host}:{port}/"),
    443: Service("https"),
    1433: Service("mssql", "sqlcmd -S tcp:{host},{port}", "Server=tcp:{host},{port}"),
    3306: Service("mysql", "mysql --protocol=tcp -h {host} -P {port}", "--protocol=tcp -h {host} -P {port}"),
    3389: Service("rdp", "xfreerdp /v:{host}:{port}"),
    5432: Service(
        "postgresql",
        "psql -h {host} -p {port}",
        "host={host} port={port}",
        (("PGHOST", "{host}"), ("PGPORT", "{port}")),
    ),
    5672: Service("amqp"),
    5900: Service("vnc", "vncviewer {host}::{port}"),
    6379: Service("redis", "redis-cli -h {host} -p {port}"),
    9042: Service("cassandra", "cqlsh {host} {port}"),
    27017: Service("mongodb", "mongosh mongodb://{host}:{port}/"),
}
_OTHER: Final = Service("tcp")


def service_of(target: str) -> Service:
    """Return what *target*, ``HOST:PORT``, most likely is; anything unknown has the scheme ``tcp`` and no client."""
    port = target.rpartition(":")[2]
    return _SERVICES.get(int(port), _OTHER) if port.isascii() and port.isdecimal() and len(port) < 6 else _OTHER

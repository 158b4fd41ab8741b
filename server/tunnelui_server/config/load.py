"""From a file and the environment to a `ServerConfig`, or to every error at once."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import platformdirs

from tunnelui.errors import ConfigError
from tunnelui.text import clean
from tunnelui.wire.address import AddressError, HostPort, TCPListen, parse_listen
from tunnelui_server.config.identity import read_identity, read_service_url
from tunnelui_server.config.keys import (
    GLOBAL_KEYS,
    POMERIUM_GLOBAL_KEYS,
    REFUSED_GLOBAL_KEYS,
    ROUTE_KEYS,
    SCALAR_KEYS,
    nearest,
)
from tunnelui_server.config.model import ConfigErrors, Limits, ServerConfig
from tunnelui_server.config.people import read_groups, read_local_users
from tunnelui_server.config.reader import Problems, Section
from tunnelui_server.config.routes import RouteReader
from tunnelui_server.config.secret_files import (
    SECRET_BYTES,
    check_private,
    decode_secret,
    keep_shared_secret,
    read_secret_file,
)
from tunnelui_server.config.source import MAX_BYTES, Branch, Listing, Node, Scalar, parse_yaml
from tunnelui_server.config.tls import read_certificates

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RUNTIME_VARIABLE", "load_config"]

RUNTIME_VARIABLE: Final = "TUNNELUI_SERVER_RUNTIME_DIR"
"""Set by the supervisor for its children."""

_MAX_WORKERS: Final = 64
_LOG_LEVELS: Final = ("trace", "debug", "info", "warn", "error")


def load_config(
    path: str | Path,
    environ: Mapping[str, str] | None = None,
    *,
    source: bytes | None = None,
    make_secret: bool = True,
) -> ServerConfig:
    """Read and check the configuration.

    A variable with the name of a key in upper case goes before the file, as in Pomerium; an empty one is as good as
    none. Paths in the file are relative to its folder.

    :param environ: the environment; that of the process when absent.
    :param source: the text to read in the place of what *path* holds by now.
    :param make_secret: make and keep a shared secret where the configuration has none. Without, a throw-away one
        stands in and nothing is written (``tunnelui-server check``).
    :raises ConfigErrors: with one `ConfigError` for each thing that is wrong, each naming its place.
    """
    problems = Problems()
    environ = os.environ if environ is None else environ
    path = Path(path)
    try:
        source = _bytes(path) if source is None else source
        config = _read(path, source, environ, problems, make_secret=make_secret)
    except ConfigError as error:
        problems.report(error)
        config = None
    if problems.errors or config is None:
        raise ConfigErrors(sorted(problems.errors, key=_by_place))
    return config


def _read(
    path: Path, source: bytes, environ: Mapping[str, str], problems: Problems, *, make_secret: bool
) -> ServerConfig:
    top = _top_section(path, source, environ, problems)
    folder = path.resolve().parent
    reader = RouteReader()
    ignored = _check_keys(top)
    routes = reader.read_all(_route_sections(top, problems))
    insecure = top.flag("insecure_server")
    address = _address(top, insecure=insecure)
    certificates = () if insecure else read_certificates(top, folder)
    local_users = read_local_users(top.sections("local_users"))
    identity = read_identity(
        top, folder, local_users=local_users, needed=any(not route.is_public for route in routes) or not routes
    )
    warnings = [*reader.warnings, *identity.warnings, *_check_mode(path, top)]
    if ignored or reader.ignored_keys:
        warnings.append(f"these keys have no effect here: {', '.join([*ignored, *reader.ignored_keys])}")
    if reader.other_routes:
        warnings.append(f"these routes are no TCP routes and are left out: {', '.join(reader.other_routes)}")
    state_dir = _state_dir(top, folder, environ)
    storage = _storage_type(top)
    if not routes and not problems.errors and not reader.other_routes:
        problems.add(str(path), "there are no routes", "Write at least one under “routes:”.")
    return ServerConfig(
        path=path,
        source=source,
        state_dir=state_dir,
        address=address,
        routes=routes,
        insecure_server=insecure,
        certificates=certificates,
        authenticate_url=read_service_url(top, address, insecure=insecure),
        idp_provider=identity.provider,
        idp_provider_url=identity.url,
        idp_client_id=identity.client_id,
        idp_client_secret=identity.client_secret,
        idp_scopes=identity.scopes,
        groups_claim=top.text("groups_claim") or "groups",
        device_login=top.flag("device_login", default=True),
        local_users=local_users,
        groups=read_groups(top.section("groups")),
        cookie_expire=top.seconds("cookie_expire") or 14 * 3600.0,
        databroker_storage_type=storage,
        databroker_storage_connection_string=_storage_path(top, folder, state_dir, storage, environ),
        log_level=_log_level(top),
        limits=_limits(top),
        workers=_workers(top, warnings),
        warnings=tuple(warnings),
        # Read last: nothing is made on the disk for a configuration that is wrong anyway.
        shared_secret_bytes=_shared_secret(top, folder, state_dir, make=make_secret and not problems.errors),
    )


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"the file can't be read: {error.strerror}", place=str(path)) from None


def _top_section(path: Path, source: bytes, environ: Mapping[str, str], problems: Problems) -> Section:
    if len(source) > MAX_BYTES:
        raise ConfigError("the file is larger than 4 MiB", place=str(path))
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError("the file is no UTF-8 text", place=str(path)) from None
    tree = parse_yaml(text, str(path), problems.report)
    if tree is None or (isinstance(tree, Scalar) and tree.is_null):
        tree = Branch({}, {}, str(path))
    if not isinstance(tree, Branch):
        raise ConfigError("keys and values are wanted here", place=tree.place)
    items: dict[str, Node] = dict(tree.items)
    places: dict[str, str] = dict(tree.places)
    for key, (node, place) in _from_environment(environ, problems).items():
        items[key], places[key] = node, place
    return Section(items, places, tree.place, problems)


def _from_environment(environ: Mapping[str, str], problems: Problems) -> dict[str, tuple[Node, str]]:
    found: dict[str, tuple[Node, str]] = {}
    for key in sorted(SCALAR_KEYS | REFUSED_GLOBAL_KEYS.keys() | {"idp_scopes", "routes", "policy"}):
        value = environ.get(key.upper(), "")
        place = f"environment variable {key.upper()}"
        if not value:
            continue
        if key == "idp_scopes":
            words = value.replace(",", " ").split()
            found[key] = Listing(tuple(Scalar(word, place) for word in words), place), place
        elif key in ("routes", "policy"):
            node = _decoded_yaml(value, place, problems)
            if node is not None:
                found[key] = node, place
        else:
            found[key] = Scalar(value, place), place
    if mtls := sorted(name for name, value in environ.items() if name.startswith("DOWNSTREAM_MTLS_") and value):
        place = f"environment variable {mtls[0]}"
        found["downstream_mtls"] = Scalar("set", place), place
    return found


def _decoded_yaml(value: str, place: str, problems: Problems) -> Node | None:
    try:
        text = base64.b64decode(value, validate=True).decode("utf-8")
        return parse_yaml(text, place, problems.report)
    except (binascii.Error, ValueError):
        problems.add(place, "the value is no base64 of YAML")
    except ConfigError as error:
        problems.report(error)
    return None


def _check_keys(top: Section) -> list[str]:
    """Note unknown and refused keys; return Pomerium's others with their lines."""
    ignored: list[str] = []
    for key in top:
        if key in GLOBAL_KEYS:
            continue
        if key in REFUSED_GLOBAL_KEYS:
            if top.is_set(key):
                top.wrong(key, REFUSED_GLOBAL_KEYS[key], "It would be dangerous to ignore this key.")
        elif key in POMERIUM_GLOBAL_KEYS:
            ignored.append(f"{key} (line {top.place_of(key).rpartition(':')[2]})")
        else:
            guess = nearest(key, GLOBAL_KEYS, POMERIUM_GLOBAL_KEYS)
            hint = f"Did you mean “{guess}”?" if guess else ""
            if key in ROUTE_KEYS:
                hint = "It belongs into a route."
            top.problems.add(top.place_of(key), f"unknown key “{clean(key)}”", hint)
    return ignored


def _route_sections(top: Section, problems: Problems) -> tuple[Section, ...]:
    keys = [key for key in ("routes", "policy") if top.node(key) is not None]
    if len(keys) > 1:
        problems.add(top.place_of("policy"), "routes and policy are the same list", "Put all routes into one of them.")
    return tuple(section for key in keys for section in top.sections(key))


def _address(top: Section, *, insecure: bool) -> TCPListen:
    text = top.text("address") or ":443"
    try:
        address = parse_listen(text)
    except AddressError as error:
        top.wrong("address", error.message, "Write HOST:PORT or :PORT.")
        return TCPListen("", 443)
    if not isinstance(address, TCPListen):
        top.wrong("address", f"“{clean(text)}” is no TCP address", "Write HOST:PORT or :PORT.")
        return TCPListen("", 443)
    is_private = HostPort(address.host, address.port).is_loopback
    if insecure and not is_private and not top.flag("insecure_server_allow_remote"):
        top.wrong(
            "insecure_server",
            f"{address} can be reached from other machines, and nothing would be encrypted",
            "Listen on the loopback (address: 127.0.0.1:8000), or, if TLS ends in front of this server, say "
            "insecure_server_allow_remote: true.",
        )
    return address


def _state_dir(top: Section, folder: Path, environ: Mapping[str, str]) -> Path:
    if text := top.text("state_dir"):
        return folder / Path(text).expanduser()
    if ours := environ.get("TUNNELUI_STATE_DIR"):
        return Path(ours).absolute() / "server"
    # Set by systemd for a unit with StateDirectory=.
    if systemd := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(systemd)
    return platformdirs.user_state_path("tunnelui-server", appauthor=False)


def _shared_secret(top: Section, folder: Path, state_dir: Path, *, make: bool) -> bytes:
    text, file = top.text("shared_secret"), top.text("shared_secret_file")
    try:
        if text and file:
            top.wrong("shared_secret_file", "shared_secret is given as well", "Keep one of the two.")
        elif text:
            return decode_secret(text, place=top.place_of("shared_secret"))
        elif file:
            place = top.place_of("shared_secret_file")
            return decode_secret(read_secret_file(folder / file, place=place, what="shared_secret_file"), place=place)
        elif make:
            return keep_shared_secret(state_dir)
    except ConfigError as error:
        top.problems.report(error)
    return secrets.token_bytes(SECRET_BYTES)


def _storage_type(top: Section) -> Literal["sqlite", "memory"]:
    text = (top.text("databroker_storage_type") or "sqlite").lower()
    if text == "memory":
        return "memory"
    if text != "sqlite":
        top.wrong("databroker_storage_type", f"“{clean(text)}” is not supported", "Write sqlite or memory.")
    return "sqlite"


def _storage_path(top: Section, folder: Path, state_dir: Path, storage: str, environ: Mapping[str, str]) -> str:
    key = "databroker_storage_connection_string"
    text, file = top.text(key), top.text(f"{key}_file")
    if text and file:
        top.wrong(f"{key}_file", f"{key} is given as well", "Keep one of the two.")
    elif file:
        try:
            text = read_secret_file(folder / file, place=top.place_of(f"{key}_file"), what=f"{key}_file")
        except ConfigError as error:
            top.problems.report(error)
    if storage == "memory":
        # Two processes share it, so it is a file after all, in the private folder that goes when the server does.
        runtime = environ.get(RUNTIME_VARIABLE)
        return str(Path(runtime) / "sessions.sqlite3") if runtime else ""
    if text and ("://" in text or "\0" in text):
        top.wrong(key, "this is no path", "With sqlite, the path of the database file stands here.")
        return ""
    return str(folder / Path(text).expanduser()) if text else str(state_dir / "sessions.sqlite3")


def _log_level(top: Section) -> str:
    text = (top.text("log_level") or "info").lower()
    text = "warn" if text == "warning" else text
    if text not in _LOG_LEVELS:
        top.wrong("log_level", f"“{clean(text)}” is no level", f"Write one of: {', '.join(_LOG_LEVELS)}.")
        return "info"
    return text


def _workers(top: Section, warnings: list[str]) -> int:
    """How many gateways share the ports: by default one for each core that this process may use."""
    # Elsewhere the system does not spread connections over the sockets of one port.
    alone = sys.platform != "linux"
    usual = 1 if alone else min(len(os.sched_getaffinity(0)), _MAX_WORKERS)
    wanted = top.number("workers", usual, highest=_MAX_WORKERS)
    if wanted > 1 and alone:
        warnings.append("workers: only Linux spreads connections over several; there will be one")
        return 1
    return wanted


def _limits(top: Section) -> Limits:
    usual = Limits()

    def seconds(key: str, default: float, *, zero: bool = False) -> float:
        value = top.seconds(key, zero=zero)
        return default if value is None else value

    return Limits(
        max_connections=top.number("max_connections", usual.max_connections),
        max_pending_per_address=top.number("max_pending_per_address", usual.max_pending_per_address),
        max_tunnels_per_user=top.number("max_tunnels_per_user", usual.max_tunnels_per_user),
        max_tunnels_per_route=top.number("max_tunnels_per_route", usual.max_tunnels_per_route),
        handshake_timeout=seconds("handshake_timeout", usual.handshake_timeout),
        head_timeout=seconds("head_timeout", usual.head_timeout),
        upstream_connect_timeout=seconds("upstream_connect_timeout", usual.upstream_connect_timeout),
        shutdown_grace=seconds("shutdown_grace", usual.shutdown_grace, zero=True),
    )


def _check_mode(path: Path, top: Section) -> tuple[str, ...]:
    """A file with secrets in it is nobody else's to read; one with password hashes should not be."""
    secret_keys = [
        key for key in ("shared_secret", "idp_client_secret") if key in top and top.place_of(key).startswith(f"{path}:")
    ]
    try:
        check_private(path, place=str(path), what="the configuration file")
    except ConfigError as error:
        if secret_keys:
            top.problems.report(
                ConfigError(
                    f"{error.message}, and it holds {' and '.join(secret_keys)}", place=str(path), hint=error.hint
                )
            )
        elif "local_users" in top:
            return (f"{error.message}, and it holds password hashes. {error.hint}",)
    return ()


def _by_place(error: ConfigError) -> tuple[str, int]:
    name, _, line = error.place.rpartition(":")
    return (name, int(line)) if line.isdigit() else (error.place, 0)

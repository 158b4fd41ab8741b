"""``routes`` (or ``policy``): from YAML to `Route` values."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tunnelui.text import clean
from tunnelui.wire.address import AddressError, HostPort, parse_host_port
from tunnelui_server.config.keys import (
    GLOBAL_KEYS,
    POMERIUM_ROUTE_KEYS,
    REFUSED_ROUTE_KEYS,
    ROUTE_KEYS,
    nearest,
)
from tunnelui_server.policy import (
    AllowAnyUser,
    AllowClaim,
    AllowDomain,
    AllowGroup,
    AllowPublic,
    AllowUser,
    Criterion,
    Route,
    normalise_domain,
)
from tunnelui_server.policy.route import is_special_address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tunnelui_server.config.reader import Section

__all__ = ["RouteReader"]

_TCP_SCHEMES: Final = ("tcp+https", "tcp+http")
_OTHER_SCHEMES: Final = ("https", "http", "udp+https", "udp+http", "ssh")
_FROM_EXAMPLE: Final = "Write tcp+https://HOST:PORT, or tcp+https://PROXY/HOST:PORT."
_TO_EXAMPLE: Final = "Write tcp://HOST:PORT."


@dataclass
class RouteReader:
    """Reads the entries one by one. What was ignored is gathered, so that one warning can name it all."""

    routes: list[Route] = field(default_factory=list)
    ignored_keys: list[str] = field(default_factory=list)
    other_routes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _seen: dict[HostPort, str] = field(default_factory=dict)

    def read_all(self, sections: Iterable[Section]) -> tuple[Route, ...]:
        for section in sections:
            route = self._read(section)
            if route is not None:
                self.routes.append(route)
        closed = [f"{route.label} (line {route.line})" for route in self.routes if not route.criteria]
        if closed:
            self.warnings.append(f"nobody may use these routes, as they allow nobody: {', '.join(closed)}")
        return tuple(self.routes)

    def _read(self, section: Section) -> Route | None:
        source = section.text("from")
        scheme, _, rest = (source or "").partition("://")
        is_tcp = scheme not in _OTHER_SCHEMES
        self._check_keys(section, is_tcp=is_tcp)
        if source is None:
            section.problems.add(section.place, "a route has no “from”", _FROM_EXAMPLE)
            return None
        if not is_tcp:
            self.other_routes.append(f"{clean(source)} (line {_line(section.place)})")
            return None
        before = len(section.problems.errors)
        authorities = self._authorities(section, source, scheme, rest)
        to = _upstream(section)
        criteria = self._criteria(section)
        route = Route(
            source=source,
            authorities=authorities or (HostPort("invalid", 0),),
            to=to or HostPort("invalid", 0),
            criteria=criteria,
            name=clean(section.text("name") or "", 100),
            description=clean(section.text("description") or "", 500),
            # Zero switches the limit off, as in Pomerium.
            idle_timeout=section.seconds("idle_timeout", zero=True) or None,
            timeout=section.seconds("timeout", zero=True) or None,
            allow_private_special=section.flag("allow_private_special"),
            line=_line(section.place),
        )
        if to and not route.allow_private_special and _is_special(to.host):
            section.wrong(
                "to",
                f"{to} is a link-local, metadata or otherwise special address",
                "If the route must lead there, say so with allow_private_special: true.",
            )
        return route if len(section.problems.errors) == before else None

    def _check_keys(self, section: Section, *, is_tcp: bool) -> None:
        for key in section:
            if key in ROUTE_KEYS:
                continue
            if key in REFUSED_ROUTE_KEYS:
                if is_tcp and section.is_set(key):
                    section.wrong(key, REFUSED_ROUTE_KEYS[key], "It would be dangerous to ignore this key.")
            elif key in POMERIUM_ROUTE_KEYS:
                if is_tcp:
                    self.ignored_keys.append(f"{key} (line {_line(section.place_of(key))})")
            else:
                guess = nearest(key, ROUTE_KEYS, POMERIUM_ROUTE_KEYS)
                hint = f"Did you mean “{guess}”?" if guess else ""
                if key in GLOBAL_KEYS:
                    hint = "It belongs to the top of the file, not into a route."
                section.problems.add(section.place_of(key), f"unknown key “{clean(key)}” in a route", hint)

    def _authorities(self, section: Section, source: str, scheme: str, rest: str) -> tuple[HostPort, ...]:
        if scheme not in _TCP_SCHEMES:
            section.wrong("from", f"“{clean(source)}” is no route", _FROM_EXAMPLE)
            return ()
        if any(mark in rest for mark in "?#@\\") or not rest.isprintable():
            section.wrong("from", f"“{clean(source)}” has a query, a fragment, a user or a backslash", _FROM_EXAMPLE)
            return ()
        if "*" in rest:
            section.wrong("from", "wildcards are not supported", "Write one route for each HOST:PORT.")
            return ()
        proxy, _, path = rest.partition("/")
        names = [part for part in path.split("/") if part] or [proxy]
        try:
            if names != [proxy]:
                parse_host_port(proxy, default_port=443)
            authorities = tuple(dict.fromkeys(parse_host_port(name) for name in names))
        except AddressError as error:
            section.wrong("from", f"“{clean(source)}”: {error.message}", error.hint or _FROM_EXAMPLE)
            return ()
        for authority in authorities:
            first = self._seen.setdefault(authority, section.place)
            if first != section.place:
                section.wrong("from", f"{authority} already belongs to the route in line {_line(first)}")
        return authorities

    def _criteria(self, section: Section) -> tuple[Criterion, ...]:
        public = section.flag("allow_public_unauthenticated_access")
        anybody = section.flag("allow_any_authenticated_user")
        narrow: list[Criterion] = [AllowUser.of(text) for text, _ in section.texts("allowed_users")]
        narrow += [AllowGroup(text) for text, _ in section.texts("allowed_groups")]
        for text, place in section.texts("allowed_domains"):
            domain = normalise_domain(text)
            if domain is None:
                section.problems.add(place, f"allowed_domains: “{clean(text)}” is no domain", "Write example.com.")
            else:
                narrow.append(AllowDomain(domain))
        claims = self._claims(section)
        if public and anybody:
            section.wrong(
                "allow_public_unauthenticated_access",
                "it can't stand beside allow_any_authenticated_user",
                "Choose one.",
            )
        for flag, key in ((public, "allow_public_unauthenticated_access"), (anybody, "allow_any_authenticated_user")):
            rivals = [name for name in ("allowed_users", "allowed_groups", "allowed_domains") if section.is_set(name)]
            if flag and rivals:
                section.wrong(
                    key,
                    f"it can't stand beside {', '.join(rivals)}",
                    f"Take out {key}, or take out the others, which it makes meaningless.",
                )
            elif flag and claims:
                self.warnings.append(
                    f"{key} (line {_line(section.place_of(key))}) opens the route whatever allowed_idp_claims says"
                )
        wide: list[Criterion] = [AllowPublic()] if public else [AllowAnyUser()] if anybody else []
        return (*wide, *narrow, *claims)

    def _claims(self, section: Section) -> tuple[Criterion, ...]:
        claims = section.section("allowed_idp_claims")
        if claims is None:
            return ()
        return tuple(AllowClaim(path, value) for path in claims for value, _ in claims.texts(path))


def _upstream(section: Section) -> HostPort | None:
    entries = section.texts("to")
    if not entries:
        if not section.is_set("to"):
            section.problems.add(section.place, "a TCP route has no “to”", _TO_EXAMPLE)
        return None
    if len(entries) > 1:
        section.wrong("to", "several upstreams for one route are not supported", "Write one: tcp://HOST:PORT.")
        return None
    text, place = entries[0]
    scheme, _, rest = text.partition("://")
    if scheme != "tcp" or not rest:
        hint = "Chaining to another proxy is not supported. " if scheme in ("http", "https") else ""
        section.problems.add(place, f"to: “{clean(text)}” is no upstream of a TCP route", hint + _TO_EXAMPLE)
        return None
    try:
        return parse_host_port(rest.removesuffix("/"))
    except AddressError as error:
        section.problems.add(place, f"to: “{clean(text)}”: {error.message}", error.hint or _TO_EXAMPLE)
        return None


def _is_special(host: str) -> bool:
    try:
        return is_special_address(ipaddress.ip_address(host))
    except ValueError:
        return host in ("metadata.google.internal", "metadata.goog")


def _line(place: str) -> int:
    tail = place.rpartition(":")[2]
    return int(tail) if tail.isdigit() else 0

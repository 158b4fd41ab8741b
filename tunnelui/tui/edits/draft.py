"""A route while it is being typed: what each field means so far, or what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tunnelui.config.profile import Profile
from tunnelui.config.route import DEFAULT_PROFILE, Route
from tunnelui.config.route_rules import check_route
from tunnelui.config.services import service_of
from tunnelui.engine.destinations import resolve_destination
from tunnelui.errors import ConfigError
from tunnelui.frozen import frozen
from tunnelui.text import clean
from tunnelui.tui.lines.steps import next_step
from tunnelui.wire.address import TCPListen, UnixListen, parse_listen
from tunnelui.wire.destination import parse_destination

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["FIELDS", "LIMITS", "Draft", "Verdict", "check_draft", "suggested_name"]

LIMITS: Final = ("max_connections", "idle_timeout", "connect_timeout")
FIELDS: Final = ("destination", "name", "listen", "proxy_url", "profile", "tags", "command", "note", *LIMITS)
_WRONG: Final = -1  # what is no number: no limit is below 0
_VALID: Final = Route("name", "host.example:1")
_EVERYWHERE: Final = ("", "0.0.0.0", "::")


@frozen
class Verdict:
    """What stands under a field. ``mark`` is ``good``, ``bad``, ``warn``, or empty while there is nothing to judge."""

    mark: str
    words: str


@frozen
class Draft:
    """The fields as typed; surrounding blanks do not count."""

    destination: str = ""
    name: str = ""
    listen: str = ""
    proxy_url: str = ""
    profile: str = DEFAULT_PROFILE
    tags: str = ""
    command: str = ""
    note: str = ""
    max_connections: str = ""
    idle_timeout: str = ""
    connect_timeout: str = ""
    autostart: bool = False

    @classmethod
    def of(cls, route: Route) -> Draft:
        return cls(
            destination=route.destination,
            name=route.name,
            listen=route.listen,
            proxy_url=route.proxy_url,
            profile=route.profile,
            tags=", ".join(route.tags),
            command=route.command,
            note=route.note,
            max_connections=_typed(route.max_connections),
            idle_timeout=_typed(route.idle_timeout),
            connect_timeout=_typed(route.connect_timeout),
            autostart=route.autostart,
        )

    def route(self, base: Route = _VALID) -> Route:
        """Return the route, right or wrong; what has no field here is as in *base*."""
        return replace(
            base,
            name=self.name.strip(),
            destination=self.destination.strip(),
            listen=self.listen.strip(),
            profile=self.profile.strip() or DEFAULT_PROFILE,
            proxy_url=self.proxy_url.strip(),
            tags=tuple(tag.strip() for tag in self.tags.split(",") if tag.strip()),
            command=self.command.strip(),
            note=self.note.strip(),
            max_connections=int(_number(self.max_connections, whole=True)),
            idle_timeout=_number(self.idle_timeout),
            connect_timeout=_number(self.connect_timeout),
            autostart=self.autostart,
        )


def _typed(number: float) -> str:
    """Return a limit as it stands in its field; nothing for no limit."""
    return f"{number:g}" if number else ""


def _number(text: str, *, whole: bool = False) -> float:
    """Read a limit; one that is none gets a value that no limit may have."""
    text = text.strip()
    if whole:
        return int(text or 0) if text.isdecimal() or not text else _WRONG
    try:
        number = float(text or 0)
    except ValueError:
        return _WRONG
    return number if number >= 0 else _WRONG  # NaN is neither


def check_draft(
    draft: Draft, *, taken: Collection[str], listens: Mapping[str, str], profiles: Mapping[str, str] | None
) -> dict[str, Verdict]:
    """Judge every field.

    :param taken: the names of the other routes.
    :param listens: the local addresses of the other routes, each with its route's name.
    :param profiles: the proxy URL (or nothing) of every profile, or ``None`` where they are not known.
    """
    route = draft.route()
    verdicts = {}
    for field in FIELDS:
        # One field at a time beside fields that are right, so that one mistake does not hide another.
        try:
            check_route(replace(_VALID, **{field: getattr(route, field)}), profiles=profiles, taken=taken)
        except ConfigError as error:
            words = _wrong(error)
            if field in LIMITS:  # what stands in for a word says nothing to whoever typed it
                words = f"“{clean(getattr(draft, field).strip(), 24)}” is{words.partition(' is')[2]}"
            verdicts[field] = Verdict("bad", words)
        else:
            verdicts[field] = Verdict("", "")
    for field in ("destination", "name"):
        if not getattr(route, field):
            verdicts[field] = Verdict("", "HOST:PORT, or tcp+https://PROXY/HOST:PORT" if field == "destination" else "")
    if route.destination and not verdicts["destination"].mark and verdicts["proxy_url"].mark != "bad":
        verdicts["destination"], by_profile = _resolved(route, (profiles or {}).get(route.profile, ""))
        if by_profile:
            verdicts["proxy_url"] = Verdict("", f"{by_profile}, as the profile says")
    if route.destination and not route.command and (usual := service_of(route.destination).client):
        verdicts["command"] = Verdict("", f"{usual}, as usual for this port")
    if verdicts["listen"].mark != "bad":
        verdicts["listen"] = _listening(route, listens)
    return verdicts


def _resolved(route: Route, of_profile: str) -> tuple[Verdict, str]:
    """Say where the destination leads, and which proxy is the profile's choice, if it is."""
    try:
        destination = resolve_destination(route, Profile(route.profile, of_profile))
        chosen = destination != resolve_destination(route, Profile(route.profile))
    except ConfigError as error:
        return Verdict("bad", _wrong(error)), ""
    proxy = destination.proxy.url
    return Verdict("good", f"proxy {proxy}, target {destination.authority}"), proxy if chosen else ""


def _wrong(error: ConfigError) -> str:
    """The sentence without the field's name, which stands beside it anyway, and the next step."""
    hint = next_step(error.code, error.hint)
    return f"{error.message}. {hint}" if hint else error.message


def _listening(route: Route, listens: Mapping[str, str]) -> Verdict:
    if not route.listen:
        return Verdict("good", "any free port of this machine")
    address = parse_listen(route.listen)
    if other := listens.get(str(address)):
        return Verdict("warn", f"the route {clean(other, 64)} uses it too; only one of them can be on")
    if isinstance(address, UnixListen):
        return Verdict("good", "a socket that only you may open")
    if isinstance(address, TCPListen) and address.host in _EVERYWHERE:
        return Verdict("warn", f"port {address.port} on every interface: anyone on this network can use it")
    return Verdict("good", f"listens on {address}")


def suggested_name(destination: str, taken: Collection[str]) -> str:
    """Return a free name made from the first part of the host, or nothing while there is no host."""
    try:
        host = parse_destination(destination.strip()).authority.host
    except ConfigError:
        return ""
    label = host.split(".")[0] if not host.replace(".", "").isdigit() and ":" not in host else host.replace(":", "-")
    label = label.strip("-")[:50]
    if label not in taken:
        return label
    number = 2
    while f"{label}-{number}" in taken:
        number += 1
    return f"{label}-{number}"

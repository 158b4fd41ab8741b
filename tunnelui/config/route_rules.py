"""What a saved route may look like: one set of rules for the file, the engine and the form."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

from tunnelui.config.route import DEFAULT_PROFILE
from tunnelui.errors import ConfigError
from tunnelui.text import clean
from tunnelui.wire.address import AddressError, StdioListen, parse_listen
from tunnelui.wire.destination import DestinationError, parse_destination, parse_proxy_url

if TYPE_CHECKING:
    from collections.abc import Collection

    from tunnelui.config.route import Route

__all__ = ["COMMAND_FIELDS", "check_name", "check_route", "free_name", "usable_name", "way_of"]

_KEPT: Final = 1 << 14
_LONGEST_NAME: Final = 64
_LONGEST_TAG: Final = 32
_MOST_TAGS: Final = 16
_MOST_CONNECTIONS: Final = 8192
_LONGEST_TIME: Final = 86400.0
COMMAND_FIELDS: Final = ("host", "port", "name")
"""What ``{…}`` in the command of a route may be."""
_LONGEST_TEXT: Final = 1024


def check_route(route: Route, *, profiles: Collection[str] | None = None, taken: Collection[str] = ()) -> None:
    """Check every field.

    :param profiles: the names that exist, or ``None`` to leave that question open; the default profile always exists.
    :param taken: the names of the other routes.
    :raises ConfigError: the first thing that is wrong; ``place`` is the name of the field.
    """
    if route.name in taken:
        check_name(route.name)
        raise ConfigError(f"there is a route “{clean(route.name)}” already", place="name", code="name_taken")
    _check_alone(route)
    if profiles is not None and route.profile not in profiles and route.profile != DEFAULT_PROFILE:
        raise ConfigError(
            f"there is no profile “{clean(route.profile)}”",
            place="profile",
            hint=f"config.toml has: {', '.join(clean(name, 64) for name in profiles)}." if profiles else "",
        )


@functools.lru_cache(maxsize=_KEPT)
def _check_alone(route: Route) -> None:
    """Check what needs nothing but the route. A good one is remembered: it is checked when it is made, when it is
    taken over and when it is saved."""
    check_name(route.name, what="route", place="name")
    _check_length(route)
    _check_proxy(route.proxy_url)
    try:
        parse_destination(route.destination, proxy_url=route.proxy_url or None)
    except DestinationError as error:
        raise _at("destination", error) from None
    _check_listen(route.listen)
    _check_tags(route.tags)
    for place, text in (("note", route.note), ("source", route.source)):
        if not _is_plain(text):
            raise ConfigError(f"“{clean(text)}” has a character that can't be shown", place=place)
    _check_command(route.command)
    if not 0 <= route.max_connections <= _MOST_CONNECTIONS:
        raise ConfigError(
            f"{route.max_connections} is not from 0 (no limit of its own) to {_MOST_CONNECTIONS}",
            place="max_connections",
        )
    for place, seconds in (("idle_timeout", route.idle_timeout), ("connect_timeout", route.connect_timeout)):
        if not 0 <= seconds <= _LONGEST_TIME:
            raise ConfigError(
                f"{seconds:g} is not from 0 (none of its own) to {_LONGEST_TIME:.0f} seconds", place=place
            )


def free_name(name: str, taken: Collection[str]) -> str:
    """Return *name*, or with a number behind it the first one that is not *taken*."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        ending = f"-{number}"
        candidate = name[: _LONGEST_NAME - len(ending)] + ending
    return candidate


def way_of(route: Route) -> tuple[str, str, str]:
    """Return what two routes to the same service share: the destination in one spelling, the proxy, the profile."""
    try:
        way = parse_destination(route.destination, proxy_url=route.proxy_url or None)
    except DestinationError:
        return route.destination, route.proxy_url, route.profile
    # A proxy that only follows from the destination may be another one with the profile's own.
    return str(way.authority), str(way.proxy) if route.proxy_url or way.is_bastion else "", route.profile


def usable_name(text: str) -> str:
    """Return what of *text*, from elsewhere, can be the name of a route; perhaps nothing."""
    return clean(text, 10 * _LONGEST_NAME).replace("/", "-").strip().lstrip("-")[:_LONGEST_NAME].strip()


def check_name(name: str, *, what: str = "route", place: str = "") -> None:
    """Check the name of a route or profile: 1 to 64 printable characters, no ``/``, no blank at either end.

    :raises ConfigError: anything else.
    """
    if not name:
        raise ConfigError(f"a {what} needs a name", place=place)
    if len(name) > _LONGEST_NAME:
        raise ConfigError(f"the name “{clean(name, 24)}” is longer than {_LONGEST_NAME} characters", place=place)
    if not _is_plain(name) or "/" in name:
        raise ConfigError(f"the name “{clean(name)}” has a character that a name can't have", place=place)
    if name != name.strip():
        raise ConfigError(f"the name “{clean(name)}” begins or ends with a blank", place=place)
    if name.startswith("-"):
        raise ConfigError(f"the name “{clean(name)}” begins with a dash, as flags do", place=place)


def _check_length(route: Route) -> None:
    for place, text in (
        ("destination", route.destination),
        ("listen", route.listen),
        ("profile", route.profile),
        ("proxy_url", route.proxy_url),
        ("note", route.note),
        ("command", route.command),
        ("source", route.source),
    ):
        if len(text) > _LONGEST_TEXT:
            raise ConfigError(f"this is longer than {_LONGEST_TEXT} characters", place=place)


def _check_proxy(text: str) -> None:
    if text:
        try:
            parse_proxy_url(text)
        except DestinationError as error:
            raise _at("proxy_url", error) from None


def _check_listen(text: str) -> None:
    if not text:
        return
    try:
        listen = parse_listen(text)
    except AddressError as error:
        raise _at("listen", error) from None
    if isinstance(listen, StdioListen):
        raise ConfigError(
            "a saved route can't use standard input and output",
            place="listen",
            code="no_stdio",
            hint="Give HOST:PORT, or leave it empty for any free port; “-” works with: tunnelui tcp --listen - …",
        )
    if not _is_plain(text):
        raise ConfigError(f"“{clean(text)}” has a character that can't be shown", place="listen")


def _check_command(text: str) -> None:
    """A command is words for no shell; of braces only those of `COMMAND_FIELDS` mean something."""
    if not _is_plain(text):
        raise ConfigError(f"“{clean(text)}” has a character that can't be shown", place="command")
    import shlex  # here: few routes have a command, and ssh waits for what checks a profile's name

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"“{clean(text, 80)}” is no command: {error}", place="command") from None
    for word in words:
        for field in re.findall(r"\{(\w*)\}", word):
            if field not in COMMAND_FIELDS:
                known = ", ".join(f"{{{name}}}" for name in COMMAND_FIELDS)
                raise ConfigError(f"{{{field}}} means nothing here", place="command", hint=f"There are: {known}.")


def _check_tags(tags: tuple[str, ...]) -> None:
    if len(tags) > _MOST_TAGS:
        raise ConfigError(f"a route has at most {_MOST_TAGS} tags", place="tags")
    for tag in tags:
        if not tag or len(tag) > _LONGEST_TAG or not _is_plain(tag) or tag != tag.strip() or "," in tag:
            raise ConfigError(
                f"“{clean(tag, 40)}” is no tag",
                place="tags",
                hint=f"A tag has 1 to {_LONGEST_TAG} printable characters and no comma.",
            )
    if len(set(tags)) < len(tags):
        raise ConfigError("a tag is given twice", place="tags")


def _is_plain(text: str) -> bool:
    return text == clean(text, len(text) or 1)


def _at(place: str, error: ConfigError) -> ConfigError:
    return ConfigError(error.message, place=place, code=error.code, hint=error.hint)

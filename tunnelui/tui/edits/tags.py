"""Tags as they are typed: names with commas between them, for one route or for many at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from tunnelui.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tunnelui.config.route import Route

__all__ = ["common_tags", "complete", "known_tags", "read_tags", "retagged"]


def read_tags(text: str) -> tuple[str, ...]:
    """Return the tags in *text*, each once."""
    return tuple(dict.fromkeys(tag for part in text.split(",") if (tag := part.strip())))


def known_tags(routes: Iterable[Route]) -> list[str]:
    """Return the tags that are in use, those of most routes first."""
    counts = Counter(tag for route in routes for tag in route.tags)
    return sorted(counts, key=lambda tag: (-counts[tag], tag.casefold()))


def common_tags(routes: Sequence[Route]) -> tuple[str, ...]:
    """Return the tags that all *routes* have, in the order of the first one."""
    return tuple(tag for tag in routes[0].tags if all(tag in route.tags for route in routes)) if routes else ()


def complete(text: str, known: Iterable[str]) -> str | None:
    """Return *text* with its last tag completed, or ``None``."""
    before, comma, last = text.rpartition(",")
    word = last.strip()
    if not word:
        return None
    given = set(read_tags(before))
    blanks = last[: len(last) - len(last.lstrip())]
    for tag in known:
        if tag.startswith(word) and tag != word and tag not in given:
            return f"{before}{comma}{blanks}{tag}"
    return None


def retagged(route: Route, before: Iterable[str], after: Sequence[str]) -> Route:
    """Return *route* with the tags that a person changed: *before* was there to edit, *after* is what it became.

    With one route *after* is all it has; with many, tags that only some of them have stay.

    :raises ConfigError: a tag that can't be one, or too many of them.
    """
    from tunnelui.config.route_rules import check_route

    gone = set(before) - set(after)
    kept = [tag for tag in route.tags if tag not in gone and tag not in after]
    new = replace(route, tags=(*after, *kept) if set(route.tags) <= {*before, *after} else (*kept, *after))
    try:
        check_route(new)
    except ConfigError as error:
        if error.place == "tags":
            raise
    return new

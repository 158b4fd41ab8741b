"""Which routes a command means: names, ``#tag``, ``--all``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.cli.options import nearest
from tunnelui.errors import ConfigError
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.cli.options import Parser
    from tunnelui.config.route import Route

__all__ = ["add_selection", "find_route", "select"]


def add_selection(parser: Parser, verb: str) -> None:
    """Add the arguments ``which`` and ``--all``."""
    parser.add_argument("which", nargs="*", metavar="ROUTE|#TAG", help=f"what to {verb}: names of routes, or #TAG")
    parser.add_switch("--all", help=f"{verb} every route")


def select(routes: Sequence[Route], words: Sequence[str], *, everything: bool = False) -> list[Route]:
    """Return the routes that *words* mean, in the order of *routes*, each once.

    :raises ConfigError: a word means none, or there is no word.
    """
    if everything:
        if words:
            raise ConfigError(
                f"means every route, and “{clean(words[0], 64)}” is one of them",
                place="--all",
                hint="Give one of the two.",
            )
        return list(routes)
    if not words:
        raise ConfigError("no route is named", code="no_route", hint="Name routes or #TAGs, or give --all.")
    names: set[str] = set()
    for word in words:
        if word.startswith("#") and not any(route.name == word for route in routes):
            names |= _tagged(routes, word[1:])
        else:
            names.add(find_route(routes, word).name)
    return [route for route in routes if route.name in names]


def find_route(routes: Sequence[Route], name: str) -> Route:
    """Return the route *name*.

    :raises ConfigError: there is none.
    """
    for route in routes:
        if route.name == name:
            return route
    raise ConfigError(
        f"there is no route “{clean(name, 64)}”{nearest(name, [route.name for route in routes])}",
        code="no_such_route",
        hint="tunnelui routes list shows the saved ones.",
    )


def _tagged(routes: Sequence[Route], tag: str) -> set[str]:
    found = {route.name for route in routes if tag in route.tags}
    if not found:
        known = sorted({tag for route in routes for tag in route.tags})
        raise ConfigError(
            f"no route has the tag “{clean(tag, 40)}”{nearest(tag, known)}",
            code="no_such_tag",
            hint=f"There are: {', '.join(known)}." if known else "No route has a tag yet.",
        )
    return found

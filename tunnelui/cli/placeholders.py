"""``{host}``, ``{port}``, ``{url}`` and ``{name}`` in the words of the program that ``exec`` runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tunnelui.errors import ConfigError
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["filled", "needs_route"]

_BODY: Final = r"(?:[^{}]*\.)?(?:host|port|url|name)"
_PLACE: Final = re.compile(rf"\{{\{{({_BODY})\}}\}}|\{{({_BODY})\}}")


def needs_route(words: Sequence[str], routes: Sequence[str]) -> None:
    """Refuse words that could mean any of several *routes*.

    :raises ConfigError: a placeholder names no route, and there are several.
    """
    if len(routes) < 2:
        return
    for word in words:
        for found in _PLACE.finditer(word):
            field = found[2]
            if field and "." not in field:
                raise ConfigError(
                    f"{{{field}}} could be of any of: {', '.join(clean(name, 64) for name in routes)}",
                    place="exec",
                    code="placeholder",
                    hint=f"Write {{{clean(routes[0], 64)}.{field}}}; {{{{{field}}}}} stands for the text itself.",
                )


def filled(words: Sequence[str], routes: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return *words* with the facts of *routes*, by name and field. Without a name the only route is meant.

    Other braces stay as they are, and so does the name of a route that is not among them. ``{{port}}`` is ``{port}``.
    """
    only = next(iter(routes.values())) if len(routes) == 1 else {}

    def fill(found: re.Match[str]) -> str:
        if found[1]:
            return f"{{{found[1]}}}"
        name, _, field = found[2].rpartition(".")
        facts = routes.get(name, {}) if "." in found[2] else only
        return facts.get(field, found[0])

    return [_PLACE.sub(fill, word) for word in words]

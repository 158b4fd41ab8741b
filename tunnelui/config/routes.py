"""``routes.toml``: belongs to tunnelui.

Written beside and renamed, mode 0600. A file that does not parse, or that somebody changed since it was read, is never
overwritten.
"""

from __future__ import annotations

import contextlib
import functools
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tunnelui.atomic_file import make_private_folder, replace_file
from tunnelui.config.folder_lock import folder_lock
from tunnelui.config.route import Route
from tunnelui.config.route_rules import check_route
from tunnelui.config.toml_text import KeyPath, Problems, TomlFile, parse_toml, read_data
from tunnelui.errors import ConfigError, LocalError
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["RouteFile", "parse_routes", "render_route", "render_routes"]

_MAX_SIZE: Final = 16 * 1024 * 1024
"""Some 80,000 routes."""
_KEPT: Final = 1 << 14
_HEADER: Final = "# written by tunnelui; what you change here is taken over, comments are not kept\n\n"
_DEFAULTS: Final[dict[str, Any]] = {
    entry.name: entry.default for entry in fields(Route) if entry.name not in {"name", "destination"}
}
_KINDS: Final[dict[str, type]] = {
    "name": str,
    "destination": str,
    "listen": str,
    "profile": str,
    "proxy_url": str,
    "tags": list,
    "autostart": bool,
    "note": str,
    "command": str,
    "max_connections": int,
    "idle_timeout": float,
    "connect_timeout": float,
    "source": str,
}
_REQUIRED: Final = ("name", "destination")


class RouteFile:
    """The saved routes. `load` and `save` block: for a moment with few routes, for a second or so with thousands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: bytes | None = None  # what this object last read or wrote
        self._was_read = False
        self._found: bytes | None = None  # what `is_changed` last found
        self._is_locked = False

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other processes from writing the file while it is read, changed and saved in the block: of commands that
        run at once, each finds what the others have done.
        """
        if self._is_locked:
            yield
            return
        folder = self.path.resolve().parent
        with contextlib.suppress(OSError):  # `save` says what is wrong
            make_private_folder(folder)
        with folder_lock(folder):
            self._is_locked = True
            try:
                yield
            finally:
                self._is_locked = False

    def load(self) -> tuple[Route, ...]:
        """Return the routes in the order of the file; a missing file has none.

        :raises ConfigError: everything that is wrong in the file, at once, each with ``FILE:LINE``.
        """
        data = read_data(self.path, _MAX_SIZE)
        routes = _read_routes(parse_toml(self.path, data)) if data is not None else ()
        self._remember(data)
        return routes

    def is_changed(self, *, at_rest: bool = False) -> bool:
        """Whether the file is another than the one that this object last read or wrote; ``False`` if it can't be read
        right now.

        :param at_rest: and was the same when this was asked last: an editor that writes it at this moment has emptied
            it first.
        """
        before = self._found
        try:
            self._found = self.path.read_bytes()
        except FileNotFoundError:
            self._found = None
        except OSError:
            return False
        return self._found != self._seen and (self._found == before or not at_rest)

    def save(self, routes: Sequence[Route]) -> None:
        """Replace the file by *routes*.

        :raises ConfigError: a route is wrong (``place`` is its field), two have one name, all together are too much to
            be read again, the file there does not parse, or it was changed since it was read. The file is as it was.
        :raises tunnelui.errors.LocalError: it can't be written (code ``routes_file``). The old file is kept.
        """
        names: set[str] = set()
        for route in routes:
            check_route(route, taken=names)
            names.add(route.name)
        data = render_routes(routes).encode()
        if len(data) > _MAX_SIZE:
            raise ConfigError(
                f"would be larger than {_MAX_SIZE // 1024 // 1024} MiB; nothing was written",
                place=str(self.path),
                code="too_many_routes",
                hint="Save fewer routes, or with shorter notes.",
            )
        with self.changing():
            self.check_unchanged()
            target = self.path.resolve()  # a link to a folder under version control stays a link
            try:
                make_private_folder(target.parent)
                replace_file(target, data)
            except OSError as error:
                raise LocalError(
                    f"{self.path} can't be written: {error.strerror or error}",
                    code="routes_file",
                    hint="The file is as it was before. Make room or set its permissions right, then try again.",
                ) from error
        self._remember(data)

    def check_unchanged(self) -> None:
        """
        :raises ConfigError: the file does not parse, or was changed since this object read it.
        """
        data = read_data(self.path, _MAX_SIZE)
        if data is None or (self._was_read and data == self._seen):  # then it did parse
            return
        if self._was_read:
            raise ConfigError(
                "was changed by somebody else since it was read; nothing was written",
                place=str(self.path),
                code="routes_changed",
                hint="Try again: the new file is taken over first.",
            )
        _read_routes(parse_toml(self.path, data))

    def _remember(self, data: bytes | None) -> None:
        self._seen = data
        self._was_read = True


def parse_routes(text: str, place: str) -> tuple[Route, ...]:
    """Return the routes of a file's *text*.

    :raises ConfigError: everything that is wrong in it, each with ``PLACE:LINE``.
    """
    return _read_routes(parse_toml(Path(place), text.encode()))


def _read_routes(file: TomlFile) -> tuple[Route, ...]:
    problems = Problems(file)
    for key in file.values:
        if key != "routes":
            problems.unknown((key,), ("routes",))
    tables = file.values.get("routes", [])
    routes: list[Route] = []
    if problems.value(("routes",), tables, list):
        names: set[str] = set()
        for index, table in enumerate(tables):
            route = _read_route(table, ("routes", index), problems, names)
            if route is not None:
                routes.append(route)
                names.add(route.name)
    problems.raise_if_any()
    return tuple(routes)


def _read_route(table: object, key: KeyPath, problems: Problems, taken: set[str]) -> Route | None:
    if not isinstance(table, dict):
        problems.add(key, "a route is a table: [[routes]]")
        return None
    before = len(problems.found)
    values: dict[str, Any] = {}
    for option, value in table.items():
        kind = _KINDS.get(option)
        if kind is None:
            problems.unknown((*key, option), _KINDS)
        elif problems.value((*key, option), value, kind):
            values[option] = value
    for option in _REQUIRED:
        if option not in table:
            problems.add(key, f"a route needs “{option}”")
    tags = values.get("tags", [])
    if all(isinstance(tag, str) for tag in tags):
        values["tags"] = tuple(tags)
    else:
        problems.add((*key, "tags"), "“tags” must be a list of texts in quotes")
    if len(problems.found) > before:
        return None
    route = Route(**values)
    try:
        check_route(route, taken=taken)
    except ConfigError as error:
        problems.add((*key, error.place), f"{error.message}{_which(error, route)}")
        return None
    return route


def _which(error: ConfigError, route: Route) -> str:
    return "" if error.place == "name" else f" (route “{clean(route.name, 64)}”)"


def render_routes(routes: Sequence[Route]) -> str:
    """Return the text of a file with *routes*."""
    return _HEADER + "\n".join(map(render_route, routes))


@functools.lru_cache(maxsize=_KEPT)
def render_route(route: Route) -> str:
    """Return the lines of *route* in the file. They are remembered: with each change all routes are written again."""
    import tomli_w  # here: reading needs no writer, and start-up time counts

    table: dict[str, Any] = {"name": route.name, "destination": route.destination}
    for name, default in _DEFAULTS.items():
        value = getattr(route, name)
        if value != default:
            table[name] = list(value) if isinstance(value, tuple) else value
    # tomli-w writes short tables inline; an array of tables is easier to edit by hand.
    return "[[routes]]\n" + tomli_w.dumps(table)

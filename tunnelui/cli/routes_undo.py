"""``tunnelui routes undo``: takes back what the last ``tunnelui routes`` command changed, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tunnelui.atomic_file import make_private_folder, replace_file
from tunnelui.cli.context import saved_routes
from tunnelui.cli.output import print_line, print_note
from tunnelui.config.paths import state_dir
from tunnelui.config.route_changes import RouteChange, changed_routes, split_changes, taken_back
from tunnelui.config.routes import parse_routes, render_routes
from tunnelui.errors import LocalError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tunnelui.config.route import Route
    from tunnelui.config.routes import RouteFile

__all__ = ["save_undoable", "undo"]

_BEFORE: Final = "routes.before.toml"
_AFTER: Final = "routes.after.toml"


def save_undoable(file: RouteFile, before: Sequence[Route], after: Sequence[Route]) -> None:
    """Save *after* in the place of *before*, so that `undo` finds both.

    :raises tunnelui.errors.TunnelError: as `RouteFile.save`, or the state folder can't be written. Nothing was changed.
    """
    with file.changing():
        file.check_unchanged()  # first: what is remembered must have happened
        _write(_BEFORE, before)
        _write(_AFTER, after)
        file.save(after)


def undo(arguments: argparse.Namespace) -> None:
    """Take the last change back; a second time, take that back. Routes that were changed otherwise since stay.

    :raises LocalError: there is nothing that can be taken back.
    """
    file = saved_routes()
    with file.changing():
        _undo(file)


def _undo(file: RouteFile) -> None:
    now = file.load()
    before, after = _read(_BEFORE), _read(_AFTER)
    changes, late = split_changes(taken_back(_changes(before, after)), now)
    taken = {route.name for route in now} - {change.old.name for change in changes if change.old}
    late += tuple(change for change in changes if change.new and change.new.name in taken)
    changes = tuple(change for change in changes if change not in late)
    for change in late:
        if (route := change.old or change.new) is not None:
            print_note(f"{route.name} was changed since, and stays as it is.")
    if not changes:
        raise LocalError("there is nothing to take back", code="no_undo")
    # In their old order, where nothing else has happened.
    save_undoable(file, now, before if tuple(now) == tuple(after) else changed_routes(now, changes))
    for change in changes:
        if change.new is None and change.old is not None:
            print_line(f"{change.old.name} is removed again")
        elif change.new is not None:
            print_line(f"{change.new.name} is {'as it was' if change.old else 'back'}")
    print_note("The same command again undoes this.")


def _changes(before: Sequence[Route], after: Sequence[Route]) -> list[RouteChange]:
    old, new = ({route.name: route for route in routes} for routes in (before, after))
    names = dict.fromkeys((*old, *new))
    return [RouteChange(old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _read(name: str) -> tuple[Route, ...]:
    path = state_dir() / name
    try:
        return tuple(parse_routes(path.read_text("utf-8"), str(path)))
    except FileNotFoundError:
        raise LocalError("there is nothing to take back", code="no_undo") from None
    except OSError as error:
        raise LocalError(f"{path} can't be read: {error.strerror}", code="no_undo") from None


def _write(name: str, routes: Sequence[Route]) -> None:
    path = state_dir() / name
    try:
        make_private_folder(path.parent)
        replace_file(path, render_routes(routes).encode())
    except OSError as error:
        raise LocalError(f"{path} can't be written: {error.strerror}", hint="Nothing was changed.") from None

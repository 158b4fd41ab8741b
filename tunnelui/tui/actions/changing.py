"""Changes to the saved routes that can be taken back until the application ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.config.route_changes import RouteChange, split_changes, taken_back
from tunnelui.engine.model import State
from tunnelui.errors import TunnelError
from tunnelui.frozen import frozen
from tunnelui.tui.lines.steps import told
from tunnelui.tui.lines.words import reason, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.engine.model import TunnelSnapshot
    from tunnelui.tui.host import Host

__all__ = ["RouteChanger"]


@frozen
class _Step:
    """What takes a change back: *changes* to make, routes to *start* then, and the *words* that are said."""

    changes: tuple[RouteChange, ...]
    words: str
    start: tuple[str, ...] = ()


class RouteChanger:
    """Makes changes all at once or not at all, and remembers how to undo them, the last one first."""

    def __init__(self, app: Host) -> None:
        self._app = app
        self._steps: list[_Step] = []

    async def change(self, changes: Sequence[RouteChange], done: str, undone: str) -> bool:
        """Make *changes*; say what was *done*, or why not. *undone* is said when they are taken back."""
        up = {one.route.name for one in self._app.view.snapshot.tunnels if one.state is not State.OFF}
        start = tuple(one.old.name for one in changes if one.old and one.new is None and one.old.name in up)
        try:
            await self._app.engine.change_routes(changes)
        except TunnelError as error:
            self._app.say(told(error), "error")
            return False
        except Exception as error:  # whatever it is: the person reads it, and the application goes on
            self._app.say(f"That did not work: {reason(error)}", "error")
            return False
        self._steps.append(_Step(taken_back(changes), undone, start))
        self._app.poll()
        self._app.verbs.select(next((one.new.name for one in changes if one.new), None))
        self._app.say(f"{done} {self._app.key_name('route.undo')} takes it back.", about="change")
        return True

    def note(self, changes: Sequence[RouteChange], undone: str) -> None:
        """Remember how to take back *changes* that somebody else has made."""
        self._steps.append(_Step(taken_back(changes), undone))

    def delete(self, tunnels: Sequence[TunnelSnapshot]) -> None:
        """Ask, then remove the routes."""
        from tunnelui.tui.screens.question import Question

        routes = [tunnel.route for tunnel in tunnels]
        live = sum(tunnel.live for tunnel in tunnels)
        what = f"the route {safe(routes[0].name, 64)}" if len(routes) == 1 else f"{len(routes)} routes"
        name = safe(routes[0].name, 64) if len(routes) == 1 else f"{len(routes)} routes"
        one = len(routes) == 1

        def answered(yes: bool | None) -> None:
            if yes:
                changes = [RouteChange(route, None) for route in routes]
                self._app.run_worker(
                    self.change(changes, f"Deleted {name}.", f"{name} {'is' if one else 'are'} back."),
                    exit_on_error=False,
                    group="requests",
                )

        text = f"{self._app.key_name('route.undo')} brings {'it' if one else 'them'} back until you quit."
        if not one:
            text = f"{', '.join(safe(route.name, 64) for route in routes[:20])}. {text}"
        if live:
            count = "1 open connection is" if live == 1 else f"{live} open connections are"
            text = f"{count} cut. {text}"
        self._app.push_screen(Question(f"Delete {what}?", text, yes="Delete", no="Keep"), answered)

    def undo(self) -> None:
        """Take back what was changed last; routes that were changed since stay as they are, and it is said."""
        if not self._steps:
            self._app.say("Nothing to undo.", "warning", about="change")
            return
        self._app.carry_out(self._undo(self._steps.pop()))

    async def _undo(self, step: _Step) -> None:
        self._app.poll()
        possible, late = split_changes(step.changes, [one.route for one in self._app.view.snapshot.tunnels])
        try:
            if possible:
                await self._app.engine.change_routes(possible)
        except BaseException:
            self._steps.append(step)  # to be tried again
            raise
        if late:
            names = ", ".join(safe(one.old.name, 64) for one in late[:5] if one.old)
            self._app.say(f"Changed since, and left as they are: {names}.", "warning")
        if possible:
            self._app.say(step.words, about="change")
        for one in possible:
            if one.old and one.new:
                self._app.verbs.renamed(one.old.name, one.new.name)
        self._app.poll()
        self._app.verbs.select(next((one.new.name for one in possible if one.new), None))
        back = {one.new.name for one in possible if one.new}
        for name in step.start:
            if name in back:
                await self._app.engine.start(name)

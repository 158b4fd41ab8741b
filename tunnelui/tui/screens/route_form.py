"""Adding or changing a route, with a word on every field while it is typed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.containers import VerticalScroll
from textual.widgets import Input

from tunnelui.config.route import DEFAULT_PROFILE, Route
from tunnelui.config.route_changes import RouteChange
from tunnelui.engine.model import State
from tunnelui.errors import ConfigError, TunnelError
from tunnelui.tui.edits.draft import Draft, Verdict, check_draft, suggested_name
from tunnelui.tui.edits.meanwhile import combined
from tunnelui.tui.keys.bindings import FORM
from tunnelui.tui.lines.command_line import equivalent_command
from tunnelui.tui.lines.rows import local_of
from tunnelui.tui.lines.steps import told
from tunnelui.tui.lines.words import cut, line, reason, safe, wrap
from tunnelui.tui.screens.base import TunnelScreen
from tunnelui.tui.screens.question import Question
from tunnelui.tui.widgets.field import Field
from tunnelui.tui.widgets.field_row import FieldRow
from tunnelui.tui.widgets.key_footer import KeyFooter
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.widgets.rules import Rule
from tunnelui.tui.widgets.tick import Tick

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.content import Content

__all__ = ["RouteForm"]

_LABELS = {
    "destination": ("Destination", "db.internal:5432"),
    "name": ("Name", "made from the destination"),
    "listen": ("Local", "any free port; or 15432, 127.0.0.1:15432, unix:/path"),
    "proxy_url": ("Proxy", "from the destination; or https://proxy.example"),
    "profile": ("Profile", "default"),
    "tags": ("Tags", "db, prod"),
    "command": ("Program", "none; or my-client {host} {port}"),
    "note": ("Note", "for people"),
    "max_connections": ("At most", "connections at a time; no limit of its own"),
    "idle_timeout": ("Idle limit", "seconds without a byte; none"),
    "connect_timeout": ("Connecting", "seconds for each stage; the usual"),
}
_AFTER_TICK = "note"
"""What fewer routes need stands below the tick, from here on."""
_LONGEST_VERDICT = 3
"""Lines under a field that is wrong."""
_LONGEST_PROBLEM = 3
_COLOURS = {"good": "$live", "bad": "$denied", "warn": "$auth", "": "$muted"}


class RouteForm(TunnelScreen[str]):
    """Ends with the name of the route that was saved, or with nothing.

    :param route: the one to change; without it a new one is made, of the *profile* at first, or all *like* another one.
    """

    HELP_TITLE: ClassVar[str] = "Route form"
    BINDINGS: ClassVar[list[BindingType]] = [*FORM]

    def __init__(
        self, route: Route | None = None, *, profile: str = DEFAULT_PROFILE, like: Route | None = None
    ) -> None:
        super().__init__()
        self._route = route
        self._base = route or like or Route("", "", profile=profile)
        self._start = Draft.of(self._base)
        self._named = bool(route or like)
        self._problem = ""
        self._saving = False
        self._testing = False

    def compose(self) -> ComposeResult:
        glyphs = self.tunnels.glyphs
        yield LineView(id="top")
        yield Rule(glyphs)
        with VerticalScroll(id="form", can_focus=False):
            for field, (name, placeholder) in _LABELS.items():
                if field == _AFTER_TICK:
                    yield Tick("Start with tunnelui", self._start.autostart, id="autostart")
                value = getattr(self._start, field)
                yield FieldRow(name, Field(value, placeholder=placeholder, id=field, compact=True, max_length=2048))
        yield LineView(id="problem")
        yield LineView(id="equivalent")
        yield Rule(glyphs)
        yield KeyFooter()

    def on_mount(self) -> None:
        # A key that was typed ahead may have closed the form before its fields were there.
        if self.query("#destination"):
            self.set_focus(self.query_one("#destination", Input))
            self._judge()

    def on_resize(self) -> None:
        self.call_after_refresh(self._judge)

    @property
    def draft(self) -> Draft:
        """The fields as they are on the screen."""
        values = {field: self.query_one(f"#{field}", Input).value for field in _LABELS}
        return Draft(**values, autostart=self.query_one("#autostart", Tick).value)

    def on_input_changed(self, event: Input.Changed) -> None:
        field = event.input.id
        if field == "name" and event.input.has_focus:
            self._named = bool(event.value.strip())
        if field == "destination" and not self._named:
            with self.prevent(Input.Changed):
                self.query_one("#name", Input).value = suggested_name(event.value, self._others)
        self._problem = ""
        self._judge()

    def on_tick_changed(self) -> None:
        self._judge()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.action_save()

    @property
    def _others(self) -> list[str]:
        own = self._route.name if self._route else None
        return [each.route.name for each in self.tunnels.view.snapshot.tunnels if each.route.name != own]

    def _verdicts(self, draft: Draft) -> dict[str, Verdict]:
        others = set(self._others)
        listens = {
            local_of(each): each.route.name
            for each in self.tunnels.view.snapshot.tunnels
            if each.route.name in others and local_of(each)
        }
        profiles = {each.name: each.proxy_url for each in self.tunnels.view.snapshot.profiles} or None
        return check_draft(draft, taken=others, listens=listens, profiles=profiles)

    def _judge(self) -> None:
        """Say under each field what it means, and below all of them the command that does the same."""
        draft = self.draft
        glyphs = self.tunnels.glyphs
        width = self.app.size.width
        for field, verdict in self._verdicts(draft).items():
            mark = {"good": glyphs.good, "bad": glyphs.bad, "warn": glyphs.state(State.PORT_BUSY)}.get(verdict.mark, "")
            style = _COLOURS[verdict.mark] if verdict.mark != "good" else "$muted"
            most = _LONGEST_VERDICT if verdict.mark == "bad" else 1
            first, *more = wrap(safe(verdict.words, 400), max(8, width - 18), most) or [""]
            self.query_one(f"#{field}-row", FieldRow).say(
                line(" " * 15, (f"{mark} " if mark else "", _COLOURS[verdict.mark]), (first, style)),
                *(line(" " * 17, (row, style)) for row in more),
            )
        changed = draft != self._start
        title = "Edit route" if self._route else "Add a route"
        name = safe(self._route.name, 64) if self._route else ""
        right = "changed" if changed and self._route else ""
        left = line((f" {glyphs.back} ", "$brand"), (title, "bold $ink"), "  ", (cut(name, 40), "$ink"))
        space = " " * max(1, width - left.cell_length - len(right) - 1)
        self.query_one("#top", LineView).show(left + line(space, (right, "$auth")))
        problem = self.query_one("#problem", LineView)
        problem.display = bool(self._problem)
        rows = wrap(safe(self._problem, 600), width - 4, _LONGEST_PROBLEM)
        problem.show(*(line("  ", (row, "$denied")) for row in rows))
        self.query_one("#equivalent", LineView).show(*self._command_lines(draft, width))

    def _command_lines(self, draft: Draft, width: int) -> list[Content]:
        if not draft.destination.strip():
            return [line("  ", ("The same on a command line appears here.", "$muted"))]
        parts = [safe(part, 400) for part in equivalent_command(draft.route())]
        rows = [parts[0]]
        for part in parts[1:]:
            if cell_len(rows[-1]) + cell_len(part) + 7 <= width:
                rows[-1] = f"{rows[-1]} {part}"
            else:
                rows[-1] += " \\"
                rows.append(f"    {part}")
        return [line("  ", (cut(row, width - 3), "$ready")) for row in rows]

    # Actions.

    def action_save(self) -> None:
        draft = self.draft
        verdicts = self._verdicts(draft)
        for field in _LABELS:
            missing = field in ("destination", "name") and not getattr(draft, field).strip()
            if verdicts[field].mark == "bad" or missing:
                self.query_one(f"#{field}", Input).focus()
                self.call_after_refresh(self._bring_into_sight, field)
                if missing:
                    self._problem = f"A route needs a {field}."
                self._testing = False
                self._judge()
                return
        if not self._saving:
            self._saving = True
            self.run_worker(self._save(draft.route(self._base)), exit_on_error=False)

    def _bring_into_sight(self, field: str) -> None:
        """Bring a field into sight, and what is said of it below."""
        for id in (f"#{field}-row", f"#{field}"):
            self.query_one(id).scroll_visible(animate=False, immediate=True)

    def action_save_and_test(self) -> None:
        self._testing = True
        self.action_save()

    async def _save(self, route: Route) -> None:
        try:
            if self._route is None:
                await self.tunnels.engine.add_route(route)
            else:
                saved = await self._replace(self._route, route)
                if saved is None:
                    return
                route = saved
        except TunnelError as error:
            self._problem = told(error)
        except Exception as error:  # a fault of ours must not take what was typed
            self._problem = f"it was not saved: {reason(error)}"
        else:
            self.tunnels.poll()
            self.dismiss(route.name)
            if self._testing:
                from tunnelui.tui.screens.diagnose import DiagnoseScreen

                self.app.push_screen(DiagnoseScreen(route.name))
            return
        finally:
            self._saving = self._testing = False
            if self.is_attached:
                self._judge()

    async def _replace(self, before: Route, mine: Route) -> Route | None:
        """Save *mine* in the place of *before*, and return what is saved: with what others changed since in fields that
        were left alone here. Nothing is saved where a person should look first; the form says why.
        """
        while mine != before:
            try:
                await self.tunnels.engine.change_routes([RouteChange(before, mine)])
            except ConfigError as error:
                if error.code == "no_such_route":
                    self._route = None
                    again = self.tunnels.key_name("form.save")
                    self._problem = f"The route was removed or renamed elsewhere. {again} saves this as a new one."
                    return None
                now = await self._changed_since(before) if error.code == "route_changed" else None
                if now is None:
                    raise
                mine, other, both = combined(before, mine, now)
                before = now
                self._begin_again(now, mine)
                if both:
                    there = ", ".join(f"{_label(field)} is {_quoted(getattr(self._start, field))}" for field in both)
                    again = self.tunnels.key_name("form.save")
                    self._problem = f"Changed elsewhere meanwhile: {there} there. {again} saves what stands here."
                    return None
                names = ", ".join(_label(field) for field in other)
                self.tunnels.say(f"Changed elsewhere meanwhile, and kept: {names}.")
            else:
                self.tunnels.verbs.edited(before, mine)
                break
        return mine

    async def _changed_since(self, before: Route) -> Route | None:
        """Return the route as it is now, once that is known here."""
        for _ in range(20):
            self.tunnels.poll()
            tunnel = self.tunnels.view.snapshot.tunnel(before.name)
            if tunnel is not None and tunnel.route != before:
                return tunnel.route
            await asyncio.sleep(0.1)
        return None

    def _begin_again(self, theirs: Route, mine: Route) -> None:
        """Go on from the route as others have made it, with *mine* in the fields."""
        self._route = self._base = theirs
        self._start = Draft.of(theirs)
        draft = Draft.of(mine)
        with self.prevent(Input.Changed):
            for field in _LABELS:
                self.query_one(f"#{field}", Input).value = getattr(draft, field)
        self.query_one("#autostart", Tick).value = draft.autostart

    async def action_copy_command(self) -> None:
        await self.tunnels.copy(" ".join(equivalent_command(self.draft.route())), "the command")

    def action_back(self) -> None:
        if self.draft == self._start:
            self.dismiss()
            return

        def answered(discard: bool | None) -> None:
            if discard:
                self.dismiss()

        question = Question("Discard what you typed?", "Nothing has been saved.", yes="Discard", no="Go on editing")
        self.app.push_screen(question, answered)


def _label(field: str) -> str:
    return _LABELS.get(field, (field,))[0]


def _quoted(value: object) -> str:
    return f"“{cut(safe(str(value), 64), 30)}”" if value != "" else "empty"

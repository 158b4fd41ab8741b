"""Every key of the application, each with an id, so that help is made from this table and a setting may move a key.

The part of the id before the point is the group under which the help shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.binding import Binding

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "APP",
    "BACK",
    "CHOICE",
    "DETAIL",
    "DIAGNOSE",
    "DISCOVER",
    "FAULT",
    "FOLD",
    "FORM",
    "GROUPS",
    "LOG",
    "MOVE",
    "PROBE",
    "PROFILES",
    "PROGRAMS",
    "QUESTION",
    "REVIEW",
    "ROUTES",
    "SAVE",
    "SETTINGS",
    "SIGN_IN",
    "TABLE",
    "UNLOCK",
]

GROUPS: Final[Mapping[str, str]] = {
    "move": "MOVE",
    "tunnel": "TUNNELS",
    "route": "ROUTES",
    "copy": "COPY AND OPEN",
    "access": "ACCESS",
    "review": "CHANGES",
    "settings": "SETTINGS",
    "form": "FORM",
    "answer": "ANSWER",
    "choice": "CHOICE",
    "log": "LOG",
    "app": "APP",
}
"""Group of an id, and its title, in the order of the help."""


def _key(
    key: str, action: str, words: str, id: str, *, show: bool = False, display: str | None = None, full: str = ""
) -> Binding:
    """*words* stand in the footer, *full* in the help; the help puts keys with the same words on one line."""
    return Binding(key, action, words, show=show, id=id, key_display=display, tooltip=full)


MOVE: Final = [
    _key("j,down", "move(1)", "row", "move.down"),
    _key("k,up", "move(-1)", "row", "move.up"),
    _key("g,home", "move_to('top')", "top, bottom", "move.top"),
    _key("G,end", "move_to('bottom')", "top, bottom", "move.bottom"),
    _key("ctrl+d", "move_page(0.5)", "half a page", "move.half_down"),
    _key("ctrl+u", "move_page(-0.5)", "half a page", "move.half_up"),
    _key("pagedown", "move_page(1)", "page", "move.page_down", display="pgdn"),
    _key("pageup", "move_page(-1)", "page", "move.page_up", display="pgup"),
]

FOLD: Final = [
    _key("left", "fold", "fold", "route.fold", full="fold a group", display="←"),
    _key("right", "unfold", "unfold", "route.unfold", full="fold a group", display="→"),
]

ROUTES: Final = [
    _key("space", "start_stop", "start/stop", "tunnel.toggle", show=True),
    _key("enter", "details", "details", "move.details", show=True, display="enter"),
    _key("y", "copy_local", "copy", "copy.local", show=True, full="local address"),
    _key("slash", "filter", "filter", "move.filter", show=True, display="/", full="filter, next"),
    _key("T", "test", "test", "tunnel.test", full="test the way"),
    _key("Y", "copy_as", "copy as", "copy.as", full="copy as"),
    _key("o", "open_with", "open", "copy.open", full="run its program"),
    _key("O", "open_elsewhere", "open in a window", "copy.open_new", full="in a new window"),
    _key("a", "add", "add", "route.add", show=True, full="add"),
    _key("c", "clone", "clone", "route.clone"),
    _key("m", "mark", "mark", "tunnel.mark", full="mark, all"),
    _key("asterisk", "mark_shown", "mark shown", "tunnel.mark_shown", display="*", full="mark, all"),
    _key("X", "stop_all", "stop all", "tunnel.stop_all"),
    _key("h", "hide_stopped", "hide stopped", "route.hide_stopped"),
    _key("r", "restart", "restart, retry", "tunnel.restart"),
    _key("i", "sign_in", "sign in", "access.sign_in"),
    _key("P", "profiles", "profiles", "access.profiles"),
    _key("D", "diagnose", "diagnose", "access.diagnose"),
    _key("e", "edit", "edit", "route.edit", show=True, full="edit"),
    _key("d", "delete", "delete, undo", "route.delete"),
    _key("u", "undo", "delete, undo", "route.undo"),
    _key("R", "discover", "discover", "route.discover", show=True, full="discover, import"),
    _key("I", "import_routes", "import", "route.import", full="discover, import"),
    _key("s", "sort", "sort, reverse", "route.sort"),
    _key("S", "reverse", "sort, reverse", "route.reverse"),
    _key("b", "group_by", "groups", "route.group"),
    _key("f", "favourite", "favourite", "route.favourite"),
    _key("t", "tags", "tags", "route.tags"),
    _key("l", "log", "log", "log.route", full="log, all logs"),
    _key("L", "log_all", "log, all logs", "log.every"),
    _key("n", "next_match(1)", "next match", "move.next_match", full="filter, next"),
    _key("N", "next_match(-1)", "match before", "move.previous_match", full="filter, next"),
    _key("tab", "next_pane(1)", "next pane", "move.pane"),
    _key("shift+tab", "next_pane(-1)", "pane before", "move.pane_back", full="pane before"),
    _key("z", "zoom", "full pane", "move.zoom"),
    _key("escape", "back", "back, clear", "move.back", display="esc"),
]

DETAIL: Final = [
    _key("space", "start_stop", "start/stop", "tunnel.toggle", show=True),
    _key("y", "copy_local", "copy", "copy.local", show=True, full="local address"),
    _key("left_square_bracket", "tab(-1)", "tabs", "move.tab_before", show=True, display="[ ]", full="next page"),
    _key("right_square_bracket", "tab(1)", "tabs", "move.tab", display="[ ]", full="next page"),
    _key("x", "close_connection", "close connection", "tunnel.close", show=True, full="close connection"),
    _key("enter", "take", "copy it, whole log", "move.take", display="enter"),
    _key("r", "restart", "restart", "tunnel.restart", show=True, full="restart, retry"),
    _key("T", "test", "test", "tunnel.test", full="test the way"),
    _key("Y", "copy_as", "copy as", "copy.as", full="copy as"),
    _key("o", "open_with", "open", "copy.open", full="run its program"),
    _key("O", "open_elsewhere", "open in a window", "copy.open_new", full="in a new window"),
    _key("e", "edit", "edit", "route.edit", show=True, full="edit"),
    _key("i", "sign_in", "sign in", "access.sign_in", show=True),
    _key("D", "diagnose", "diagnose", "access.diagnose"),
    _key("l", "log", "log", "log.route", full="log, all logs"),
]

BACK: Final = _key("escape", "back", "back", "move.back", show=True, display="esc")

DIAGNOSE: Final = [
    _key("j,down", "scroll(1)", "scroll", "move.down"),
    _key("k,up", "scroll(-1)", "scroll", "move.up"),
    _key("D", "again", "again", "access.diagnose", show=True, full="diagnose again"),
    _key("y", "copy_report", "copy", "copy.report", show=True, full="the whole diagnosis"),
    _key("i", "sign_in", "sign in", "access.sign_in", show=True),
    BACK,
]

SIGN_IN: Final = [
    _key("j,down", "scroll(1)", "scroll", "move.down"),
    _key("k,up", "scroll(-1)", "scroll", "move.up"),
    _key("y", "copy_url", "copy", "copy.url", show=True, full="the address"),
    _key("b", "open_browser", "browser", "access.browser", show=True, full="open a browser"),
    _key("v", "paste", "paste", "access.paste", show=True, full="paste the answer"),
    _key("i", "again", "start again", "access.again", show=True),
    _key("w", "leave", "leave open", "access.leave", show=True, full="back, it goes on"),
    _key("escape", "cancel", "cancel", "move.back", show=True, display="esc"),
    BACK,
]

REVIEW: Final = [
    _key("space", "tick", "take or leave", "review.tick", show=True),
    _key("asterisk", "tick_all", "all", "review.tick_all", show=True, display="*", full="take or leave all"),
    _key("ctrl+s,enter", "apply", "save", "review.apply", show=True, full="save what is taken"),
    _key("a", "other", "another", "review.other", show=True, full="another proxy or file"),
    _key("R", "again", "again", "route.discover", full="look again"),
    BACK,
]

DISCOVER: Final = [
    *REVIEW[:-1],
    _key("p", "next_source", "next proxy", "review.next", show=True),
    _key("i", "sign_in", "sign in", "access.sign_in", show=True),
    BACK,
]

PROFILES: Final = [
    _key("enter", "use", "its routes", "access.use", show=True, display="enter", full="show its routes alone"),
    _key("i", "sign_in", "sign in", "access.sign_in", show=True),
    _key("o", "sign_out", "sign out", "access.sign_out", show=True),
    _key("p", "unlock", "password", "access.unlock", show=True, full="password of its certificate"),
    _key("t", "test", "test", "access.test", show=True, full="test the way to it"),
    _key("y", "copy_url", "copy", "copy.url", show=True, full="the address"),
    _key("b", "open_browser", "browser", "access.browser", full="open a browser"),
    _key("v", "paste", "paste", "access.paste", show=True, full="paste the answer"),
    _key("x", "cancel", "cancel", "access.cancel", full="cancel the sign-in"),
    BACK,
]

FORM: Final = [
    _key("ctrl+s", "save", "save", "form.save", show=True),
    _key("ctrl+t", "save_and_test", "save, test", "form.test", show=True, full="save and diagnose"),
    _key("tab", "app.focus_next", "next field", "form.next", show=True),
    _key("shift+tab", "app.focus_previous", "field before", "form.previous"),
    _key("ctrl+y", "copy_command", "copy command", "copy.command", show=True),
    _key("escape", "back", "discard", "move.back", show=True, display="esc"),
]

QUESTION: Final = [
    _key("y", "answer(True)", "yes", "answer.yes", show=True),
    _key("n,escape", "answer(False)", "no", "answer.no", show=True),
    _key("left,right", "app.focus_next", "other button", "answer.other"),
]

CHOICE: Final = [
    _key("enter", "choose", "choose", "choice.take", show=True, display="enter"),
    _key("escape", "close", "close", "choice.close", show=True, display="esc"),
]

PROGRAMS: Final = [
    _key("y,enter", "copy_local", "copy", "copy.local", show=True, full="copy the local address"),
    _key("x", "end", "stop it", "tunnel.end", show=True, full="ask the command to end"),
    _key("escape", "close", "close", "choice.close", show=True, display="esc"),
]

PROBE: Final = [
    _key("T", "again", "again", "tunnel.test", full="test the way"),
    _key("i", "sign_in", "sign in", "access.sign_in"),
    BACK,
]

FAULT: Final = [
    _key("y", "copy_fault", "copy", "copy.fault", show=True, full="the whole report"),
    _key("escape,enter", "back", "go on", "choice.close", show=True, display="esc"),
]

SETTINGS: Final = [
    _key("space,enter", "change", "change", "settings.change", show=True),
    _key("y", "copy_value", "copy", "copy.value", show=True, full="the value"),
    _key("ctrl+e", "app.edit_config", "edit the file", "app.edit_config", show=True, display="^e"),
    BACK,
]

LOG: Final = [
    _key("f", "follow", "follow", "log.follow", show=True),
    _key("1", "level(0)", "level", "log.debug", show=True, display="1-4", full="level"),
    _key("2", "level(1)", "level", "log.info", display="1-4", full="level"),
    _key("3", "level(2)", "level", "log.warning", display="1-4", full="level"),
    _key("4", "level(3)", "level", "log.error", display="1-4", full="level"),
    _key("slash", "find", "find", "log.find", show=True, display="/", full="find"),
    _key("n", "find_next(1)", "next", "log.next", show=True, full="next, previous"),
    _key("N", "find_next(-1)", "previous", "log.previous", full="next, previous"),
    _key("w", "wrap", "wrap", "log.wrap", show=True),
    _key("y", "copy_lines", "copy", "copy.lines", show=True, full="line, marked"),
    _key("ctrl+s", "save", "save", "log.save", show=True, full="save to a file"),
    _key("a", "toggle_all", "one/all", "log.all", show=True, full="one route, all"),
    _key("m", "mark", "mark", "log.mark", full="mark the line"),
    BACK,
]

SAVE: Final = [
    _key("enter", "save", "save", "form.save_as", show=True, display="enter"),
    _key("escape", "back", "back", "move.back", show=True, display="esc"),
]

UNLOCK: Final = [
    _key("enter", "unlock", "unlock", "form.unlock", show=True, display="enter"),
    BACK,
]

APP: Final = [
    _key("question_mark,f1", "help", "help", "app.help", show=True, display="?"),
    _key("ctrl+p,colon", "command_palette", "commands", "app.palette", show=True, display="^p", full="every command"),
    _key("comma", "settings", "settings", "app.settings", display=","),
    _key("V", "proxy_mode", "proxy mode", "app.proxy_mode"),
    _key("E", "other_commands", "other commands", "app.other_commands"),
    _key("ctrl+e", "edit_config", "edit config", "app.edit_config", display="^e"),
    _key("ctrl+z", "suspend_process", "to the shell", "app.suspend", display="^z", full="to the shell"),
    _key("q", "ask_quit", "quit", "app.quit", show=True),
    Binding("ctrl+q", "quit", "quit now", show=False, priority=True, id="app.quit_now"),
    Binding("ctrl+c", "help_quit", "twice: quit now", show=False, id="app.interrupt"),
]


def _by_id(*bindings: Binding) -> dict[str, Binding]:
    table: dict[str, Binding] = {}
    for binding in bindings:
        table.setdefault(binding.id or "", binding)
    return table


TABLE: Final[Mapping[str, Binding]] = _by_id(
    *MOVE,
    *ROUTES,
    *FOLD,
    *DETAIL,
    *DIAGNOSE,
    *PROFILES,
    *DISCOVER,
    *SIGN_IN,
    *FORM,
    *LOG,
    *SAVE,
    *UNLOCK,
    *QUESTION,
    *CHOICE,
    *PROGRAMS,
    *FAULT,
    BACK,
    *APP,
    *SETTINGS,
)
"""Every binding by its id; where keys or screens share an id, the first one."""

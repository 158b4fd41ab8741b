"""Turning proxy mode on and off, and saying how it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tunnelui.tui.lines.connect_as import proxy_example
from tunnelui.tui.lines.steps import on_screen

if TYPE_CHECKING:
    from tunnelui.engine.model import ProxyModeSnapshot
    from tunnelui.tui.host import Host

__all__ = ["ProxySwitch"]

_LISTEN: Final = "127.0.0.1:1080"
_ANY: Final = "127.0.0.1:0"
_MATTER: Final = "proxy mode"


class ProxySwitch:
    """What the key, the command and the setting do."""

    def __init__(self, app: Host) -> None:
        self._app = app

    def toggle(self) -> None:
        """Turn proxy mode on, where it was the last time; or off, which asks while programs use it."""
        mode = self._app.view.snapshot.proxy_mode
        if not mode.on:
            self._app.carry_out(self._start(mode.local or _LISTEN))
        elif not mode.live:
            self._stop()
        else:
            self._ask_to_stop(mode)

    def _stop(self) -> None:
        self._app.carry_out(self._app.engine.stop_proxy(), "Proxy mode is off.", about=_MATTER)

    def _ask_to_stop(self, mode: ProxyModeSnapshot) -> None:
        from tunnelui.tui.screens.question import Question

        def answered(yes: bool | None) -> None:
            if yes:
                self._stop()

        text = "1 open connection is cut." if mode.live == 1 else f"{mode.live} open connections are cut."
        self._app.push_screen(Question("Turn proxy mode off?", text, yes="Turn off", no="Keep"), answered)

    async def _start(self, listen: str) -> None:
        await self._app.engine.start_proxy(listen)
        snapshot = self._app.engine.snapshot()
        mode, problem = snapshot.proxy_mode, snapshot.proxy_mode.problem
        if mode.on:
            await self._app.copy(mode.local, "the address of proxy mode")
            self._app.say(f"Every route by its real name: {proxy_example(mode.local, snapshot.tunnels)}", about=_MATTER)
        elif problem is not None and problem.code == "port_busy":
            self._ask_for_another(problem.message)
        elif problem is not None:
            shown = on_screen(problem)
            self._app.say(f"Proxy mode is off: {shown.message}. {shown.hint}".rstrip(), "error", about=_MATTER)

    def _ask_for_another(self, why: str) -> None:
        from tunnelui.tui.screens.question import Question

        def answered(yes: bool | None) -> None:
            if yes:
                self._app.carry_out(self._start(_ANY))
            else:
                self._app.carry_out(self._app.engine.stop_proxy())

        question = Question("Proxy mode on another port?", f"{why}.", yes="Any free port", no="Leave it off")
        self._app.push_screen(question, answered)

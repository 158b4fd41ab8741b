"""Changing what can be changed for the session, and lending ``config.toml`` to an editor."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio.to_thread
from textual.app import SuspendNotSupported

from tunnelui.config.config_edit import Draft, editor_command
from tunnelui.config.settings import load_settings
from tunnelui.errors import TunnelError
from tunnelui.tui.keys.keymap import read_keymap
from tunnelui.tui.lines.steps import told
from tunnelui.tui.lines.words import safe
from tunnelui.tui.outside.foreground import run_in_foreground
from tunnelui.tui.style.glyphs import ASCII, UNICODE
from tunnelui.tui.style.theme import THEMES
from tunnelui.tui.surroundings import setting_rows

if TYPE_CHECKING:
    from pathlib import Path

    from tunnelui.config.settings import Settings
    from tunnelui.tui.host import Host
    from tunnelui.tui.surroundings import SettingRow, Surroundings

__all__ = ["Options"]


class Options:
    """What the settings screen shows and does.

    :ivar problem: what is wrong with ``config.toml`` since it was edited, with the line and the next step; or empty.
    """

    def __init__(self, app: Host, surroundings: Surroundings) -> None:
        self._app = app
        self._surroundings = surroundings
        self._changed: frozenset[str] = frozenset()
        self._signs = UNICODE if app.glyphs is ASCII else app.glyphs  # the Linux console has no others
        self.problem = ""

    @property
    def config_file(self) -> Path | None:
        return self._surroundings.config_file

    def rows(self) -> tuple[SettingRow, ...]:
        """Return everything that is in force."""
        theme = self._app.theme.removeprefix("tunnelui-")
        return setting_rows(
            self._surroundings,
            theme=theme,
            glyphs=self._app.glyphs,
            remembered=self._app.memory.now.theme,
            changed=self._changed,
            snapshot=self._app.view.snapshot,
        )

    def browser_program(self, profile: str) -> str | None:
        """Return the program that opens the addresses of *profile*; ``None`` leaves it to the system."""
        known = self._surroundings.settings.profiles.get(profile)
        return os.environ.get("TUNNELUI_BROWSER_CMD") or (known.browser_cmd if known else "") or None

    def change(self, action: str) -> None:
        """Let the person choose a ``theme``, go to the other ``signs`` until the application ends, or turn ``proxy``
        mode on or off."""
        if action == "theme":
            self._app.action_choose_theme()
        elif action == "proxy":
            self._app.action_proxy_mode()
        else:
            self._changed |= {action}
            self._app.use_glyphs(self._signs if self._app.glyphs is ASCII else ASCII)

    async def edit(self) -> None:
        """Open ``config.toml`` in the user's editor, on this terminal; a missing one begins as a template.

        :raises TunnelError: there is no editor, or the file can't be written.
        """
        target = self.config_file
        if target is None:
            self._app.say("No config.toml is read here.", "warning")
            return
        command = editor_command()
        draft = await anyio.to_thread.run_sync(Draft.of, target)
        try:
            with self._app.batch_update(), self._app.suspend():
                await anyio.to_thread.run_sync(run_in_foreground, [*command, str(draft.path)])
        except SuspendNotSupported:
            self._app.say(f"This terminal can't be lent. Edit {safe(str(target), 200)} in another one.", "warning")
        except OSError as error:
            self._app.say(f"{safe(command[0], 60)} can't be run: {error.strerror}. Set EDITOR.", "error")
        finally:
            saved = await anyio.to_thread.run_sync(draft.close)
            self._app.refresh(layout=True)
        if saved:
            await self._take_over(target)
        else:
            self._app.say("Nothing was changed.")

    async def _take_over(self, target: Path) -> None:
        self._surroundings = replace(self._surroundings, is_written=True)
        try:
            settings = await anyio.to_thread.run_sync(load_settings, target)
            keymap = read_keymap(settings.keys, f"{target}: [keys]")
        except TunnelError as error:
            self.problem = f"config.toml is wrong, and the settings are as before. {told(error)}"
            self._app.action_settings()  # it stands there until it is mended
        else:
            self.problem = ""
            before, self._surroundings = (
                self._surroundings.settings,
                replace(self._surroundings, settings=settings),
            )
            self._app.set_keymap(keymap)
            if settings.theme and settings.theme != before.theme:
                self._app.theme = THEMES[settings.theme].name
            rest = " The rest counts from the next start." if _beyond_keys(settings) != _beyond_keys(before) else ""
            self._app.say(f"config.toml is in order; its theme and keys are in force.{rest}")
        self._app.show_again()


def _beyond_keys(settings: Settings) -> tuple[object, ...]:
    return dict(settings.profiles), settings.token_store, settings.warm, settings.notifications

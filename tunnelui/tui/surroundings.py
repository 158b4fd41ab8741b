"""What is in force, and where it comes from: files, variables, the session."""

from __future__ import annotations

import os
from dataclasses import field
from typing import TYPE_CHECKING, Final

from tunnelui.config.settings import Settings
from tunnelui.engine.model import EngineSnapshot
from tunnelui.frozen import frozen
from tunnelui.tui.lines.connect_as import proxy_example
from tunnelui.tui.lines.format import clock
from tunnelui.tui.lines.steps import on_screen
from tunnelui.tui.lines.words import safe
from tunnelui.tui.style.glyphs import CONSOLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["SettingRow", "Surroundings", "setting_rows"]

_DEFAULT: Final = "default"
_SESSION: Final = "this session"
_NOTHING: Final = EngineSnapshot()


@frozen
class Surroundings:
    """Where tunnelui lives. Empty texts are not shown.

    :param config_file: ``config.toml``, which need not be there; ``None`` where none is read, as in the demo.
    :param is_written: whether that file is there.
    :param runs_in: what the tunnels run in, in words.
    """

    settings: Settings = field(default_factory=Settings)
    config_file: Path | None = None
    routes_file: str = ""
    state_folder: str = ""
    log_file: str = ""
    runs_in: str = ""
    is_written: bool = False


@frozen
class SettingRow:
    """One setting. *action* is ``theme``, ``signs`` or ``proxy`` where it can be changed here, else empty."""

    label: str
    value: str
    source: str = ""
    meaning: str = ""
    action: str = ""


def setting_rows(
    surroundings: Surroundings,
    *,
    theme: str,
    glyphs: Glyphs,
    remembered: str = "",
    changed: frozenset[str] = frozenset(),
    snapshot: EngineSnapshot = _NOTHING,
    environ: Mapping[str, str] = os.environ,
) -> tuple[SettingRow, ...]:
    """Return everything that is in force.

    :param remembered: the theme that was chosen on the screen, now or in an earlier run.
    :param changed: the *actions* that were used in this session.
    :param snapshot: what the engine says.
    """
    settings = surroundings.settings
    config = surroundings.config_file.name if surroundings.config_file else "built in"
    store, store_from = _first(
        (environ.get("TUNNELUI_TOKEN_STORE"), "TUNNELUI_TOKEN_STORE"),
        (settings.token_store, config),
        ("keyring", _DEFAULT),
    )
    theme_from = _first(
        (environ.get("TUNNELUI_THEME", "").strip().lower() == theme and theme, "TUNNELUI_THEME"),
        (bool(environ.get("NO_COLOR")) and theme, "NO_COLOR"),
        (settings.theme == theme and theme, config),
        (remembered == theme and theme, "chosen here"),
        (theme, _DEFAULT),
    )[1]
    signs_from = _first(
        ("signs" in changed and glyphs.name, _SESSION),
        (bool(environ.get("TUNNELUI_ASCII")) and glyphs.name, "TUNNELUI_ASCII"),
        (glyphs is CONSOLE and glyphs.name, "the terminal"),
        (glyphs.name, "the locale"),
    )[1]
    names = settings.profile_names
    keys = ", ".join(f"{id} = {key}" for id, key in settings.keys.items())
    rows = [
        SettingRow(
            "Theme",
            theme,
            theme_from,
            "What is chosen here is remembered; theme in config.toml and TUNNELUI_THEME go before it.",
            "theme",
        ),
        SettingRow(
            "Signs",
            glyphs.name,
            signs_from,
            "TUNNELUI_ASCII=1 or 0 in the environment keeps it for the next time.",
            "signs",
        ),
        _proxy_mode(snapshot),
        SettingRow("Token store", store, store_from, "token_store: where sign-ins are kept: keyring, file or memory."),
        SettingRow(
            "Kept ready",
            str(settings.warm),
            config if settings.warm != Settings().warm else _DEFAULT,
            "warm: connections that are ready for each proxy in use, so that a tunnel opens at once; 0 to 4.",
        ),
        SettingRow(
            "Notifications",
            "on" if settings.notifications else "off",
            config if settings.notifications else _DEFAULT,
            "notifications: whether the agent tells on the desktop what needs a person.",
        ),
        SettingRow(
            "Profiles", ", ".join(names), config if len(names) > 1 else _DEFAULT, "[profiles.NAME]: proxy and TLS."
        ),
        SettingRow("Keys changed", keys or "none", config if keys else "", "[keys]: an action's id, and its key."),
    ]
    files = [
        ("Settings", str(surroundings.config_file or ""), "" if surroundings.is_written else "not there yet"),
        ("Routes", surroundings.routes_file, ""),
        ("State", surroundings.state_folder, ""),
        ("Log", surroundings.log_file, ""),
        ("Runs in", surroundings.runs_in, ""),
    ]
    return (*rows, *(SettingRow(label, value, source) for label, value, source in files if value))


def _proxy_mode(snapshot: EngineSnapshot) -> SettingRow:
    mode = snapshot.proxy_mode
    if mode.on:
        source = f"since {clock(mode.since or 0.0, seconds=False)}, {mode.live} open"
        meaning = f"{proxy_example(mode.local, snapshot.tunnels)} - what no route covers is refused."
        return SettingRow("Proxy mode", mode.local, source, meaning, "proxy")
    if mode.problem is not None:
        problem = on_screen(mode.problem)
        meaning = safe(f"{problem.message}. {problem.hint}", 500)
        return SettingRow("Proxy mode", "off", "it could not start", meaning, "proxy")
    meaning = "SOCKS5 and HTTP CONNECT on one local port, for programs that know a service by its real name."
    return SettingRow("Proxy mode", "off", "", meaning, "proxy")


def _first(*candidates: tuple[str | bool | None, str]) -> tuple[str, str]:
    return next((str(value), source) for value, source in candidates if value)

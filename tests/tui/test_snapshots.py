"""Pictures of every screen at both sizes: dark, light, and as text in ASCII.

Renew them with ``pytest tests/tui/test_snapshots.py --snapshot-update``.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from screenshots.scenes import EXPORT, FILE
from tests.support.every_screen import screen_kinds, step
from tests.support.screens import LARGE, SMALL, Driven, drive, screen_lines
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, NOW, OFFER, PROFILES, PROXY, diagnosis, events, every_state, identity
from tests.tui.test_programs import PSQL
from tunnelui.config.settings import Settings
from tunnelui.engine.model import Problem, State
from tunnelui.tui.style.glyphs import UNICODE
from tunnelui.tui.style.theme import LIGHT, THEMES
from tunnelui.tui.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from syrupy.assertion import SnapshotAssertion
    from textual.screen import Screen

    from tunnelui.engine.model import TunnelSnapshot


SURROUNDINGS = Surroundings(
    Settings(warm=2, keys={"copy.as": "ctrl+o"}),
    Path("/srv/alice/.config/tunnelui/config.toml"),
    "/srv/alice/.config/tunnelui/routes.toml",
    "/srv/alice/.local/state/tunnelui",
    "/srv/alice/.local/state/tunnelui/tunnelui.log",
    "the agent, which goes on when the screen ends",
    is_written=True,
)
NOTES = (
    "The demo's sign-in: alice@example.com with the password amber-falcon-29",
    "no usable keyring; the token stays in memory. To keep it in a private file instead: --token-store file "
    "(or TUNNELUI_TOKEN_STORE=file).",
)
LOCKED = replace(PROFILES[1], client_cert="/srv/alice/alice.p12")
"""Needs a password for its certificate."""
SCENES: dict[str, tuple[str, list[str]]] = {
    "routes": ("states", []),
    "routes-live": ("states", ["j", "j", "j", "j"]),
    "routes-filtering": ("states", ["slash", "d", "b"]),
    "delete": ("states", ["d"]),
    "detail-live": ("states", ["j", "j", "j", "j", "enter"]),
    "detail-problem": ("states", ["j", "enter"]),
    "log": ("states", ["L"]),
    "form-add": ("states", ["a"]),
    "form-edit": ("states", ["j", "e"]),
    "copy-as": ("states", ["j", "j", "j", "j", "Y"]),
    "test": ("states", ["j", "T"]),
    "marked": ("states", ["j", "j", "m", "m", "h"]),
    "diagnose": ("states", ["D"]),
    "diagnose-sign-in": ("sign-in", ["D"]),
    "profiles": ("profiles", ["P"]),
    "profiles-sign-in": ("sign-in", ["P"]),
    "grouped": ("states", ["f", "G", "f", "b", "g", "left", "G"]),
    "unlock": ("locked", ["P", "p"]),
    "profiles-locked": ("locked", ["P"]),
    "tags": ("states", ["t"]),
    "discover": ("states", ["R", "j", "j"]),
    "discover-signed-out": ("sign-in", ["R"]),
    "theme": ("states", ["command Theme"]),
    "import": ("empty", ["I"]),
    "import-lines": ("states", ["I", *FILE, "enter"]),
    "settings": ("states", ["comma"]),
    "other-commands": ("states", ["E"]),
    "proxy-mode": ("states", ["V"]),
    "fault": ("fault", []),
    "help": ("states", ["question_mark"]),
    "first-run": ("empty", []),
    "sign-in": ("sign-in", ["j", "j", "i"]),
    "sign-in-notes": ("notes", ["j", "j", "i"]),
    "routes-notes": ("notes", ["j"]),
    "routes-dusk": ("dusk", []),
    "routes-sand": ("sand", []),
    "routes-contrast": ("contrast", ["d"]),
    "routes-ansi": ("ansi", ["d"]),
    "detail-timeline": ("states", ["j", "j", "j", "j", "enter", "right_square_bracket"]),
    "detail-log": ("states", ["j", "j", "j", "j", "enter", "right_square_bracket", "right_square_bracket"]),
    "detail-config": ("states", ["j", "j", "j", "j", "enter", "left_square_bracket", "left_square_bracket"]),
    "detail-connect": ("states", ["j", "j", "j", "j", "enter", "left_square_bracket"]),
    "close-connection": ("states", ["j", "j", "j", "j", "enter", "x"]),
    "log-find": ("states", ["L", "w", "slash", "5", "0"]),
    "log-save": ("states", ["L", "m", "m", "ctrl+s"]),
    "help-log": ("states", ["L", "question_mark"]),
    "soon": ("soon", []),
}


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Has a file to import."""
    monkeypatch.setenv("HOME", str(tmp_path))
    file = Path(FILE).expanduser()
    file.parent.mkdir()
    file.write_text(EXPORT, encoding="utf-8")


@pytest.fixture
def pictures(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(Picture)


@pytest.fixture
def texts(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(Text)


class Picture(SingleFileSnapshotExtension):
    """An SVG file a snapshot."""

    _file_extension = "svg"
    _write_mode = WriteMode.TEXT


class Text(Picture):
    """What stands on the screen, in a file."""

    _file_extension = "txt"


_seen: dict[str, set[type[Screen[Any]]]] = {}


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x36"])
@pytest.mark.parametrize("scene", SCENES)
async def test_picture(pictures: SnapshotAssertion, scene: str, size: tuple[int, int]) -> None:
    async with _scene(scene, size) as driven:
        _seen.setdefault(scene, set()).add(type(driven.app.screen))
        assert _drawn(driven) == pictures
        if SCENES[scene][0] not in THEMES:
            driven.app.theme = LIGHT.name
            await driven.settle()
            assert _drawn(driven) == pictures(name="light")


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x36"])
@pytest.mark.parametrize("scene", SCENES)
async def test_text_in_ascii(texts: SnapshotAssertion, scene: str, size: tuple[int, int]) -> None:
    async with _scene(scene, size, ascii_only=True) as driven:
        shown = "\n".join(screen_lines(driven.app.screen))
    assert shown == texts
    assert not _SIGNS.intersection(shown)


def test_every_screen_has_a_picture() -> None:
    if len(_seen) < len(SCENES):
        pytest.skip("only when all pictures are drawn")
    seen = {kind.__name__ for kinds in _seen.values() for kind in kinds}
    assert {kind.__name__ for kind in screen_kinds()} - seen == set()


_SIGNS = frozenset(
    "".join(
        value if isinstance(value := getattr(UNICODE, name), str) else "".join(value.values())
        for name in UNICODE.__dataclass_fields__
        if name != "name"
    )
) - frozenset(UNICODE.ellipsis + UNICODE.mark + UNICODE.back)
"""Those that the ASCII set has its own for; an ellipsis may stand in a sentence."""


def locked(tunnels: Iterable[TunnelSnapshot]) -> tuple[TunnelSnapshot, ...]:
    """Return *tunnels* after a try without the password."""
    what = "/srv/alice/alice.p12: the client certificate can't be opened: a password is needed"
    problem = Problem("client_certificate_locked", what, "Run: tunnelui profiles unlock corp", NOW - 5)
    return tuple(replace(one, state=State.ERROR, problem=problem) for one in tunnels)


def _drawn(driven: Driven) -> str:
    """The screen as SVG, without the number that tells one picture on a page from another."""
    return re.sub(r"\bterminal-\d+-([\w-]+)", r"terminal-\1", driven.app.export_screenshot(title="tunnelui"))


@asynccontextmanager
async def _scene(scene: str, size: tuple[int, int], *, ascii_only: bool = False) -> AsyncIterator[Driven]:
    kind, keys = SCENES[scene]
    who = identity(sign_in=True) if kind in ("sign-in", "notes") else IDENTITY
    if kind == "soon":
        who = replace(who, expires_at=NOW + 252)
    engine = ScriptedEngine()
    if kind != "empty":
        engine = ScriptedEngine(every_state(), [who], profiles=PROFILES, notes=NOTES if kind == "notes" else ())
    if kind == "locked":
        engine = ScriptedEngine(locked(every_state()), [who], profiles=[PROFILES[0], LOCKED])
    engine.findings = [*diagnosis("token" if kind == "sign-in" else "connect")]
    if kind == "states":
        engine.offers["corp", PROXY] = OFFER
    engine.past = events()
    engine.others = (PSQL,)
    paths: dict[str, Any] = {
        "config_path": "~/.config/tunnelui/config.toml",
        "log_path": "~/.local/state/tunnelui/tunnelui.log",
        "surroundings": lambda: SURROUNDINGS,
    }
    async with drive(
        engine, size=size, ascii_only=ascii_only, theme_name=kind if kind in THEMES else "dark", **paths
    ) as driven:
        for key in keys:
            await step(driven, key)
        if kind == "fault":
            driven.app.tell_fault(ValueError("a port is 1 to 65535, and not 70000 [/x]"))
            driven.expected_faults = driven.app.faults
            await driven.settle()
        driven.app.clear_notifications()
        await driven.settle()
        yield driven

"""docs/tui.md is complete: keys, states, variables, pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tunnelui.engine.model import State
from tunnelui.tui.keys.bindings import TABLE
from tunnelui.tui.style.glyphs import ASCII, UNICODE

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "tui.md").read_text(encoding="utf-8")
NAMES = {
    "comma": ",",
    "slash": "/",
    "question_mark": "?",
    "colon": ":",
    "escape": "esc",
    "asterisk": "*",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}


@pytest.mark.parametrize("binding", TABLE.values(), ids=lambda binding: binding.id)
def test_every_key_is_documented(binding: object) -> None:
    for key in str(getattr(binding, "key", "")).split(","):
        assert f"`{NAMES.get(key, key)}`" in TEXT
    assert f"`{getattr(binding, 'id', '')}`" in TEXT


@pytest.mark.parametrize("state", list(State))
def test_every_state_is_documented_with_its_signs(state: State) -> None:
    assert re.search(rf"\| `{re.escape(UNICODE.state(state))}` \| `{state.value}", TEXT)
    assert f"`{ASCII.state(state)}`" in TEXT


def test_every_variable_is_documented() -> None:
    source = "".join(path.read_text() for path in (ROOT / "tunnelui" / "tui").rglob("*.py"))
    for name in set(re.findall(r"TUNNELUI_[A-Z]+", source)) - {
        "TUNNELUI_TOKEN_STORE",
        "TUNNELUI_SERVICE_ACCOUNT",
        "TUNNELUI_HOST",
        "TUNNELUI_PORT",
    }:
        assert name in TEXT


def test_every_picture_is_there() -> None:
    pictures = re.findall(r"\]\(\.\./(screenshots/[^)]+)\)", TEXT)
    assert len(pictures) >= 6
    for picture in pictures:
        assert (ROOT / picture).is_file(), picture

"""``[keys]`` of ``config.toml``: other keys for the bindings, by their ids."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from textual.keys import _character_to_key

from tunnelui.errors import ConfigError
from tunnelui.text import clean
from tunnelui.tui.keys.bindings import (
    APP,
    BACK,
    CHOICE,
    DETAIL,
    DIAGNOSE,
    DISCOVER,
    FAULT,
    FOLD,
    FORM,
    LOG,
    MOVE,
    PROBE,
    PROFILES,
    PROGRAMS,
    QUESTION,
    ROUTES,
    SAVE,
    SETTINGS,
    SIGN_IN,
    TABLE,
    UNLOCK,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.binding import Binding

__all__ = ["read_keymap"]

_TOGETHER: Final[Mapping[str, tuple[Binding, ...]]] = {
    "the routes": (*ROUTES, *FOLD, *MOVE, *APP),
    "a route": (BACK, *DETAIL, *MOVE, *APP),
    "the log": (*LOG, *MOVE, *APP),
    "the diagnosis": (*DIAGNOSE, *APP),
    "the profiles": (*PROFILES, *MOVE, *APP),
    "a discovery": (*DISCOVER, *MOVE, *APP),
    "the settings": (*SETTINGS, *MOVE, *APP),
    "a fault": tuple(FAULT),
    "the sign-in": (*SIGN_IN, *APP),
    "the form": tuple(FORM),
    "a question": tuple(QUESTION),
    "a file name": tuple(SAVE),
    "a password": tuple(UNLOCK),
    "a choice": tuple(CHOICE),
    "the other commands": (*PROGRAMS, *MOVE),
    "a test": tuple(PROBE),
}
"""Bindings that count at the same time."""


def read_keymap(keys: Mapping[str, str], place: str) -> dict[str, str]:
    """Return *keys* (binding ids to keys, several with commas) as Textual takes them.

    :param place: where they come from, for errors.
    :raises ConfigError: an id that no binding has, or two actions on one key; all of them at once.
    """
    wrong: list[str] = []
    keymap: dict[str, str] = {}
    for id, text in keys.items():
        if id not in TABLE:
            near = difflib.get_close_matches(id, TABLE, n=1)
            wrong.append(f"there is no action “{clean(id, 40)}”" + (f"; did you mean “{near[0]}”?" if near else ""))
            continue
        names = [_key_name(part) for part in text.split(",") if part.strip()] or ([","] if text.strip() == "," else [])
        if not names:
            wrong.append(f"“{id}” has no key")
        keymap[id] = ",".join(names)
    for screen, bindings in _TOGETHER.items():
        taken: dict[str, str] = {}
        for binding in bindings:
            id = binding.id or ""
            for key in keymap.get(id, binding.key).split(","):
                other = taken.setdefault(key, id)
                if other != id and (other in keymap or id in keymap):
                    wrong.append(f"on {screen}, “{clean(key, 20)}” is the key of both “{other}” and “{id}”")
    if wrong:
        raise ConfigError(
            "; ".join(dict.fromkeys(wrong)),
            place=place,
            hint="Help (?) and docs/tui.md name the actions and their keys.",
        )
    return keymap


def _key_name(text: str) -> str:
    text = text.strip()
    return _character_to_key(text) if len(text) == 1 else text.lower()

"""Which signs are drawn."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields

import pytest
from rich.cells import cell_len

from tunnelui.engine.model import State
from tunnelui.tui.style.glyphs import ASCII, CONSOLE, UNICODE, Glyphs, choose_glyphs


@pytest.mark.parametrize(
    ("setting", "environ", "encoding", "expected"),
    [
        (None, {}, "utf-8", UNICODE),
        (None, {}, "UTF8", UNICODE),
        (None, {}, "latin-1", ASCII),
        (None, {}, "ANSI_X3.4-1968", ASCII),
        (None, {"LC_ALL": "C"}, "utf-8", ASCII),
        (None, {"LANG": "C"}, "utf-8", ASCII),
        (None, {"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8", ASCII),
        (None, {"LC_CTYPE": "C.UTF-8"}, "utf-8", UNICODE),
        (None, {"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, "utf-8", UNICODE),
        (None, {"LC_ALL": "C.UTF-8", "LANG": "C"}, "utf-8", UNICODE),
        (None, {"TUNNELUI_ASCII": "1"}, "utf-8", ASCII),
        (None, {"TUNNELUI_ASCII": "0"}, "latin-1", UNICODE),
        (None, {"TUNNELUI_ASCII": ""}, "utf-8", UNICODE),
        (None, {"TERM": "linux"}, "utf-8", CONSOLE),
        (None, {"TERM": "linux"}, "latin-1", ASCII),
        (None, {"TERM": "linux", "LANG": "C"}, "utf-8", ASCII),
        (None, {"TERM": "linux", "TUNNELUI_ASCII": "1"}, "utf-8", ASCII),
        (None, {"TERM": "linux-16color"}, "utf-8", CONSOLE),
        (None, {"TERM": "screen.linux"}, "utf-8", CONSOLE),
        (None, {"TERM": "vt220"}, "utf-8", ASCII),
        (None, {"TERM": "linux", "TUNNELUI_ASCII": "0"}, "utf-8", UNICODE),
        (None, {"TERM": "screen-256color"}, "utf-8", UNICODE),
        (True, {"TUNNELUI_ASCII": "0"}, "utf-8", ASCII),
        (False, {"TUNNELUI_ASCII": "1"}, "utf-8", UNICODE),
    ],
)
def test_the_setting_then_the_variable_then_the_encoding(
    setting: bool | None, environ: dict[str, str], encoding: str, expected: Glyphs
) -> None:
    assert choose_glyphs(setting, environ=environ, encoding=encoding) is expected


@pytest.mark.parametrize("glyphs", [ASCII, CONSOLE, UNICODE])
def test_every_state_has_a_sign_of_one_cell(glyphs: Glyphs) -> None:
    assert all(cell_len(glyphs.state(state)) == 1 for state in State)


def test_the_ascii_set_is_ascii() -> None:
    texts = [value for field in fields(ASCII) if isinstance(value := getattr(ASCII, field.name), str)]
    assert all(text.isascii() for text in [*texts, *ASCII.states.values()])


@pytest.mark.parametrize(
    ("locale", "ascii_only"),
    [({"LANG": "C"}, True), ({"LC_ALL": "POSIX"}, True), ({}, False), ({"LANG": "C.UTF-8"}, False)],
)
def test_the_locale_is_read_as_it_was_before_python_changed_it(locale: dict[str, str], ascii_only: bool) -> None:
    program = (
        "from tunnelui.tui.style.glyphs import ASCII, choose_glyphs; print(choose_glyphs(encoding='utf-8') is ASCII)"
    )
    names = ("LANG", "LC_ALL", "LC_CTYPE", "TERM", "TUNNELUI_ASCII")
    env = {name: value for name, value in os.environ.items() if name not in names} | locale
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(ascii_only)

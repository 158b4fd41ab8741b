"""Trouble on a screen names keys and settings, never a flag of the command line."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import tunnelui
from tests.support.tunnel_scenes import NOW, identity
from tunnelui.auth.token_store import FILE_STORE_HINT
from tunnelui.engine.model import IdentityStatus, Problem
from tunnelui.errors import ConfigError, PortBusyError
from tunnelui.tui.lines.steps import in_screen_words, next_step, on_screen, told

ROOT = Path(str(tunnelui.__file__)).parent
FLAG = re.compile(r"(?<![\w-])--[a-z]")
DENIED = Problem(
    "denied",
    "this identity may not reach billing.corp:5432: no rule lets it",
    "Ask the administrator of pomerium.corp.example for access, or sign in as somebody else.",
    NOW,
    "9a8c0f2d",
)
# Only said where nobody looks at a screen, or by a code that has words of its own (below).
ELSEWHERE = ("works with: tunnelui tcp --listen -", "Use --paste", "tunnelui login --paste")


@cache
def _texts_with_flags() -> list[str]:
    """Every piece of text below the screens that names a flag, without docstrings."""
    found = set()
    for folder in ("wire", "transport", "auth", "config", "engine"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name != "services.py":  # commands of other programs
                found.update(_texts(path))
    found.update(_texts(ROOT / "errors.py"))
    return sorted(text for text in found if FLAG.search(text) and not any(words in text for words in ELSEWHERE))


def _texts(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone
    }


def test_there_are_flags_to_look_for() -> None:
    assert _texts_with_flags()


@pytest.mark.parametrize("text", _texts_with_flags())
def test_no_flag_that_an_error_names_reaches_a_screen(text: str) -> None:
    assert not FLAG.search(in_screen_words(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            FILE_STORE_HINT,
            'To keep it in a private file instead: token_store = "file" in config.toml.',
        ),
        ("Check that the route is there, and that --proxy-url is right.", None),
        ("Name the certificate as well (--client-cert FILE).", "Name the certificate as well."),
        ("Leave --service-account-file out.", "Leave the service account out."),
        ("a -- b, --, ---", "a -- b, --, ---"),
    ],
)
def test_settings_stand_for_flags(text: str, words: str | None) -> None:
    assert in_screen_words(text) == (words or "Check that the route is there, and that the proxy URL is right.")


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("certificate", "Name the CA that has signed it (--alternate-ca-path FILE); don't skip the check."),
        ("port_busy", "Choose another local port (--listen 127.0.0.1:0 picks a free one)."),
        ("login_answer", "Is this an identity-aware proxy? Check the proxy URL (--proxy-url)."),
        ("callback", "Use --paste, or a service account."),
        ("no_stdio", "“-” works with: tunnelui tcp --listen - …"),
    ],
)
def test_a_code_with_words_of_its_own(code: str, hint: str) -> None:
    assert FLAG.search(hint)
    assert next_step(code, hint)
    assert not FLAG.search(next_step(code, hint))


def test_any_other_step_stays_as_it_is() -> None:
    assert next_step("timeout", "Check the network.") == "Check the network."


def test_a_refusal_names_the_person_where_that_is_known() -> None:
    shown = on_screen(DENIED, identity())
    assert shown.message == "alice@corp.example may not reach billing.corp:5432: no rule lets it"
    assert (shown.hint, shown.request_id) == (DENIED.hint, "9a8c0f2d")
    nobody = replace(identity(), name="")
    assert on_screen(DENIED, nobody).message == DENIED.message
    assert on_screen(DENIED).message == DENIED.message
    named = replace(DENIED, message="bob@corp.example may not reach billing.corp:5432")
    assert on_screen(named, identity()).message == named.message


def test_a_service_account_is_not_told_to_sign_in() -> None:
    shown = on_screen(DENIED, replace(identity(), name="", status=IdentityStatus.SERVICE_ACCOUNT))
    assert "sign in" not in shown.hint
    assert "service account" in shown.hint


def test_an_error_is_told_with_its_next_step() -> None:
    assert told(ConfigError("no such route", hint="See the list.")) == "No such route. See the list."
    assert told(ConfigError("is full", place="routes.toml")) == "routes.toml: is full."
    assert told(ConfigError("wrong.", place="name")) == "name: wrong."
    assert told(PortBusyError("127.0.0.1:5432", holder="postgres (pid 9)")) == (
        "127.0.0.1:5432 is already in use by postgres (pid 9). Stop the other program, or choose another local port."
    )

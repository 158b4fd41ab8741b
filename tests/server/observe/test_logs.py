"""Lines that hold what they should and nothing else."""

from __future__ import annotations

import io
import json
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tunnelui_server.observe import JSONFormatter, configure_logging, logs, redact
from tunnelui_server.observe.logs import AUDIT_LOGGER
from tunnelui_server.observe.redact import _ARGON2, _HEADER, _JWT, _PARAMETER, _QUOTED, _SCHEME, REDACTED

if TYPE_CHECKING:
    from collections.abc import Iterator

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


def line(message: str, **extra: Any) -> dict[str, Any]:
    return dict(json.loads(text(message, **extra)))


def text(message: str, **extra: Any) -> str:
    record = logging.makeLogRecord({"name": "n", "levelname": "INFO", "levelno": 20, "msg": message, **extra})
    return JSONFormatter().format(record)


@pytest.mark.parametrize(
    "secret",
    [
        f"GET /?pomerium_jwt={JWT} HTTP/1.1",
        "GET /oauth2/callback?code=s3cret-code&x=1",
        "GET /oauth2/callback?x=1&state=s3cret-state",
        "redirect=http%3A%2F%2F127.0.0.1%3Fpomerium_jwt%3Ds3cret",
        "Authorization: Pomerium s3cretvalue",
        "authorization: Basic czNjcmV0OnMzY3JldA==",
        "X-Pomerium-Authorization: s3cret",
        "Proxy-Authorization: Digest s3cret",
        "Cookie: a=1; __Host-tunnelui=s3cret",
        "Set-Cookie: tunnelui=s3cret; HttpOnly",
        "{'Cookie': '_pomerium=s3cret'}",
        '{"client_secret": "s3cret"}',
        "token=s3cret, and more",
        f"the token {JWT} is old",
        "Bearer Pomerium-s3cret.value",
        "$argon2id$v=19$m=65536,t=3,p=4$c3Nzc3M$aGFzaA",
    ],
)
def test_secrets_in_texts_are_taken_out(secret: str) -> None:
    shown = redact(secret)
    assert REDACTED in shown
    for part in ("s3cret", "czNjcmV0", "c2lnbmF0dXJl", "aGFzaA", JWT.split(".")[1]):
        assert part not in shown


@pytest.mark.parametrize(
    "harmless", ["status=200", "the code is 302", "session list", "route=redis:6379", "estate=1", "state: idle"]
)
def test_harmless_texts_stay(harmless: str) -> None:
    assert redact(harmless) == harmless


def all_patterns(text: str) -> str:
    """What `redact` does, with every pattern tried."""
    for pattern, kept in (
        (_JWT, ""),
        (_ARGON2, ""),
        (_PARAMETER, r"\1\2"),
        (_QUOTED, r"\1"),
        (_HEADER, r"\1\2"),
        (_SCHEME, r"\1 "),
    ):
        text = pattern.sub(kept + REDACTED, text)
    return text


_PIECES = st.sampled_from(
    """code tOKen state = %3d %3D " ' : Cookie coo\u212aie set- - & xxxxxxxxx Authorization x-pomerium- BASIC ba\u017fic
    Bearer Pomerium eyJhbGci.eyJ $argon2id$x s3cret""".replace(" ", "| |").split("|")
)


@given(st.lists(st.one_of(_PIECES, st.text(max_size=3)), max_size=12).map("".join))
def test_the_short_cuts_of_redaction_miss_nothing(text: str) -> None:
    assert redact(text) == all_patterns(text)


@pytest.mark.parametrize("name", ["token", "Authorization", "Set-Cookie", "pomerium_jwt", "code", "state", "password"])
def test_secrets_in_fields_are_taken_out_by_name(name: str) -> None:
    shown = text("m", fields={name: "s3cret", "deep": {name: ["s3cret"]}, "kept": "1"})
    assert "s3cret" not in shown
    assert json.loads(shown)["kept"] == "1"


def test_fields_and_audit_facts_stand_beside_the_message_and_replace_nothing() -> None:
    shown = line("said", audit={"a": 1, "message": "forged", "t": ("x", "y")}, fields={"b": 2.5, "c": None})
    assert shown["message"] == "said"
    assert (shown["a"], shown["b"], shown["c"], shown["t"]) == (1, 2.5, None, ["x", "y"])
    assert shown["time"].endswith("Z")


@given(st.text(), st.dictionaries(st.text(), st.one_of(st.text(), st.binary(), st.floats(), st.integers())))
@example("\x7f\x1b]0;x\x07\r\n{\u2028\x9b", {"\x7f": "\x7f"})
def test_whatever_is_logged_is_one_printable_ascii_line_of_json(message: str, fields: dict[str, Any]) -> None:
    shown = text(message.replace("%", "%%"), fields=fields)
    assert shown.isascii()
    assert shown.isprintable()
    assert isinstance(json.loads(shown, parse_constant=lambda _: None), dict)


def test_what_was_harmless_before_is_looked_at_again_where_it_matters() -> None:
    for _ in range(2):
        assert line("m", fields={"k": "x" * 100, "x" * 100: "v"})["k"] == "x" * 100
        assert list(line("m", fields={"x" * 100: "v"}))[-1] == "x" * 60 + "…"
        assert line("m", fields={"a": "s3cret", "token": "s3cret"}) | {"time": ""} == line(
            "m", fields={"a": "s3cret", "token": REDACTED}
        ) | {"time": ""}
    for number in range(5000):
        line(f"m {number}")
    assert len(logs._known) <= logs._MAX_KNOWN
    line("a token=s3cret", fields={"k": f"Bearer {JWT}", "long": "y" * 300})
    assert not [text for text in logs._known if ("s3cret" in text and "=" in text) or JWT in text or len(text) > 200]


@given(st.floats(0, 4e9))
def test_the_time_is_that_of_the_record_in_utc(created: float) -> None:
    record = logging.makeLogRecord({"name": "n", "levelname": "INFO", "msg": "m", "created": created})
    shown = datetime.fromisoformat(json.loads(JSONFormatter().format(record))["time"])
    assert shown.tzinfo is not None
    assert -0.001 < shown.timestamp() - created <= 0.0001


def test_lines_are_bounded() -> None:
    assert len(text("x" * 10**6, fields={f"k{n}": "y" * 10**5 for n in range(1000)})) < 60_000
    assert len(line("m", fields={"l": list(range(10**5))})["l"]) == 50


def test_a_traceback_is_part_of_its_line() -> None:
    try:
        raise ValueError(f"broken pomerium_jwt={JWT}")
    except ValueError as error:
        shown = line("m", exc_info=(type(error), error, error.__traceback__))
    assert "ValueError: broken" in shown["traceback"]
    assert JWT not in shown["traceback"]


@pytest.fixture
def clean_logging() -> Iterator[None]:
    root, names = logging.getLogger(), ("asyncio", AUDIT_LOGGER)
    handlers, levels = root.handlers[:], {name: logging.getLogger(name).level for name in names}
    level = root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in names:
        logging.getLogger(name).setLevel(levels[name])


@pytest.mark.usefixtures("clean_logging")
def test_the_level_counts_for_all_but_the_audit_trail() -> None:
    stream = io.StringIO()
    configure_logging("error", stream)
    logging.getLogger("x").warning("quiet")
    logging.getLogger("x").error("loud")
    logging.getLogger(AUDIT_LOGGER).info("kept")
    assert [json.loads(each)["message"] for each in stream.getvalue().splitlines()] == ["loud", "kept"]

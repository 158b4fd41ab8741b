"""What is written, and what becomes of it when nobody can read it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tunnelui.cli.output import (
    SCHEMA,
    error_text,
    exit_for,
    json_line,
    print_line,
    print_note,
    print_table,
    takes_text,
    write_unbuffered,
)
from tunnelui.cli.times import remaining, until
from tunnelui.errors import (
    AccessDenied,
    ConfigError,
    LocalError,
    PortBusyError,
    ProtocolError,
    ProxyError,
    SignInFailed,
    SignInNeeded,
    TunnelError,
    UpstreamError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.program import Program


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.TextIOWrapper]]:
    """The reading end of a pipe, and a stream that writes to it."""
    reader, writer = os.pipe()
    with open(writer, "w", encoding="utf-8") as stream:
        yield reader, stream
    with contextlib.suppress(OSError):
        os.close(reader)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (LocalError("x"), 1),
        (PortBusyError("x"), 1),
        (TunnelError("x"), 1),
        (ProtocolError("x"), 1),
        (SignInNeeded("x"), 3),
        (SignInFailed("x"), 3),
        (AccessDenied("x"), 4),
        (ProxyError("refused", address="x:1", stage="tcp"), 5),
        (UpstreamError("unavailable", address="x:1", stage="connect"), 5),
    ],
)
def test_each_error_has_its_exit_code(error: TunnelError, code: int) -> None:
    assert exit_for(error) == code


def test_an_error_is_a_sentence_the_request_and_the_next_step() -> None:
    error = AccessDenied("no", hint="ask", request_id="r-1")
    assert error_text(error) == "tunnelui: no (request r-1)\n  ask"
    assert error_text(LocalError("no")) == "tunnelui: no"


def test_json_is_one_line_of_ascii() -> None:
    line = json_line({"a": "日本\n\u2028\x7f", "b": None, "c": 1.5})
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line) == {"v": SCHEMA, "a": "日本\n\u2028\x7f", "b": None, "c": 1.5}


def test_a_table_is_aligned_by_cells(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["NAME", "X"], [["日本", "1"], ["e\u0301", "22"], ["abcdef", ""]])
    assert capsys.readouterr().out == "NAME    X\n日本    1\ne\u0301       22\nabcdef\n"


def test_what_an_encoding_lacks_is_spelt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    print_line("“日”")
    assert raw.getvalue() == b"\\u201c\\u65e5\\u201d\n"


def test_a_reader_that_went_away_is_forgotten(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, io.TextIOWrapper]
) -> None:
    reader, stream = pipe
    monkeypatch.setattr(sys, "stderr", stream)
    os.close(reader)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    print_note("nobody reads this")
    print_note("nor this")
    stream.flush()
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after == before


def test_no_stream_and_a_closed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    print_line("x")
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    print_line("x")


def test_a_full_pipe_takes_nothing(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reader, stream = pipe
    assert takes_text(stream, "x" * 100)
    assert not takes_text(stream, "x" * 10_000), "this might wait half-way"
    os.set_blocking(stream.fileno(), False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(stream.fileno(), b"x" * 4096)
    assert not takes_text(stream, "x")
    os.set_blocking(stream.fileno(), True)
    os.read(reader, 65536)
    assert takes_text(stream, "x")
    assert takes_text(io.StringIO(), "x"), "no descriptor, nothing to wait for"


def test_writing_past_the_buffer(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reader, stream = pipe
    write_unbuffered(stream, "é")
    assert os.read(reader, 100) == "é\n".encode()
    os.close(reader)
    write_unbuffered(stream, "nobody reads this")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h00m"),
        (33120, "9h12m"),
        (200000, "2d 7h"),
    ],
)
def test_a_duration_has_two_units(seconds: float, text: str) -> None:
    assert remaining(seconds) == text


def test_a_moment_is_shown_while_it_is_to_come() -> None:
    assert until(None, 0) == until(5, 10) == ""
    assert until(1_000_000_000 + 3600, 1_000_000_000).endswith(" (1h00m)")
    assert until(1_000_000_000 + 10 * 86400, 1_000_000_000).endswith(" (10d 0h)")


def test_a_result_that_can_not_be_written_is_exit_code_1(program: Program) -> None:
    """A full disk behind ``routes export > backup.toml`` must not look like a backup."""
    assert program.run("routes", "add", "db", "db.example.com:5432").returncode == 0
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            program.argv("routes", "export"), stdout=full, stderr=subprocess.PIPE, env=program.env, check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"tunnelui: standard output can't be written: No space left on device\n"


def test_a_reader_that_has_had_enough_is_no_failure(program: Program) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(program.argv("man"), stdout=writer, stderr=subprocess.PIPE, env=program.env, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")

"""``tunnelui ssh-config``: what it prints, what it writes, and what ssh makes of it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.peers.parts import require
from tunnelui.config.ssh_block import check_pattern, put_block, remove_block, render_block
from tunnelui.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.program import Program

BLOCK = "Host *.corp.example.com\n    ProxyCommand tunnelui tcp --listen - %h:%p\n"


@pytest.mark.parametrize("text", ["", "Host x\n    Port 22\n", "\n\n# mine\n", "Host a\r\n  Port 1\r\n", "no newline"])
def test_putting_and_removing_leaves_the_rest_byte_for_byte(text: str) -> None:
    once = put_block(text, BLOCK)
    assert BLOCK in once
    assert put_block(once, BLOCK) == once
    other = put_block(once, BLOCK.replace("corp", "lab"))
    assert "lab" in other
    assert "corp" not in other
    assert remove_block(other) == text
    assert remove_block(text) == text


def test_a_moved_block_stays_where_it_is() -> None:
    text = f"Host a\n\n{put_block('', BLOCK)}\nHost b\n"
    assert put_block(text, BLOCK) == text


@pytest.mark.parametrize(
    "text",
    [
        "# >>> tunnelui >>>\n",
        "# <<< tunnelui <<<\n",
        "# <<< tunnelui <<<\n# >>> tunnelui >>>\n",
        put_block("", BLOCK) * 2,
    ],
)
def test_markers_that_do_not_fit_are_refused_with_their_line(text: str) -> None:
    with pytest.raises(ConfigError) as put:
        put_block(f"\n{text}", BLOCK, "config")
    with pytest.raises(ConfigError) as removed:
        remove_block(f"\n{text}", "config")
    assert put.value.place == removed.value.place == "config:2"


@pytest.mark.parametrize("pattern", ["*", "*.corp.example.com", "!x.example.com", "host-1", "10.0.0.?"])
def test_patterns(pattern: str) -> None:
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize("pattern", ["", "a b", "a\nProxyCommand rm", 'a"b', "a,b", "-x", "a\x1b", "$(x)"])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ConfigError):
        render_block([pattern], ["tunnelui"])


def test_words_of_the_command_are_quoted() -> None:
    block = render_block(["*"], ["/opt/my tools/tunnelui", "100%", "tcp"])
    assert block.splitlines()[1] == "    ProxyCommand '/opt/my tools/tunnelui' 100%% tcp %h:%p"


def test_it_is_written_once_and_removed(program: Program, tmp_path: Path) -> None:
    file = tmp_path / "ssh" / "config"
    done = program.run("ssh-config", "*.corp.example.com", "--write", "--file", str(file))
    assert done.returncode == 0, done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    assert b"as it should be" in program.run("ssh-config", "*.corp.example.com", "--write", "--file", str(file)).stderr
    assert file.read_text() == text
    file.write_text(text + "Host mine\n")
    file.chmod(0o644)
    program.run("ssh-config", "*.lab.example.com", "--profile", "lab", "--write", "--file", str(file))
    assert "--profile lab" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o644
    program.run("ssh-config", "--remove", "--file", str(file))
    assert file.read_text() == "Host mine\n"


def test_hosts_of_saved_routes(program: Program) -> None:
    assert program.run("ssh-config").returncode == 2
    program.run("routes", "add", "a", "a.example.com:22")
    program.run("routes", "add", "db", "db.example.com:5432")
    assert program.run("ssh-config").stdout.startswith(b"Host a.example.com\n    ProxyCommand ")


def test_ssh_reads_it_as_it_is_meant(program: Program, tmp_path: Path) -> None:
    (ssh,) = require("ssh")
    file = tmp_path / "config"
    program.run("ssh-config", "*.corp.example.com", "--write", "--file", str(file))
    done = subprocess.run(
        [ssh, "-F", str(file), "-G", "-p", "2222", "host.corp.example.com"],
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert b" tcp --listen - host.corp.example.com:2222\n" in done.stdout or b" tcp --listen - %h:%p\n" in done.stdout

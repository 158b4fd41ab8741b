"""Counts that several workers share."""

from __future__ import annotations

import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tunnelui_server.config import Limits
from tunnelui_server.gateway.quota import Exceeded, Quota
from tunnelui_server.gateway.tally import LocalTally, SharedTally, clear_region, make_tallies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tunnelui_server.gateway.tally import Tally


def shared(folder: Path) -> Tally:
    make_tallies(folder / "tallies", 1)
    return SharedTally(folder / "tallies", 0, 1)


@pytest.mark.parametrize("make", [lambda folder: LocalTally(), shared], ids=["local", "shared"])
def test_each_kind_and_key_has_its_number(make: Callable[[Path], Tally], tmp_path: Path) -> None:
    tally = make(tmp_path)
    tally.add(1, "tunnels")
    tally.add(2, "user", "alice")
    tally.add(1, "route", "alice")
    assert (tally.count("tunnels"), tally.count("user", "alice"), tally.count("route", "alice")) == (1, 2, 1)
    assert (tally.count("connections"), tally.count("user", "bob"), tally.count("user", "")) == (0, 0, 0)
    tally.add(-2, "user", "alice")
    assert (tally.count("user", "alice"), tally.count("tunnels")) == (0, 1)


@pytest.mark.parametrize("key", ["", "\udcff", "a" * 10_000, "é"])
def test_any_text_is_a_key(tmp_path: Path, key: str) -> None:
    tally = shared(tmp_path)
    tally.add(1, "user", key)
    assert tally.count("user", key) == 1


def test_workers_see_each_other(tmp_path: Path) -> None:
    path = tmp_path / "tallies"
    make_tallies(path, 3)
    first, second, third = (SharedTally(path, number, 3) for number in range(3))
    first.add(1, "user", "alice")
    second.add(2, "user", "alice")
    assert third.count("user", "alice") == 3
    program = (
        "import sys; from pathlib import Path; from tunnelui_server.gateway.tally import SharedTally;"
        "t = SharedTally(Path(sys.argv[1]), 2, 3); print(t.count('user', 'alice')); t.add(4, 'user', 'alice')"
    )
    said = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, check=True, timeout=60)
    assert said.stdout == b"3\n"
    assert first.count("user", "alice") == 7


def test_what_a_dead_worker_had_counted_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "tallies"
    make_tallies(path, 2)
    first, second = SharedTally(path, 0, 2), SharedTally(path, 1, 2)
    first.add(3, "connections")
    second.add(1, "connections")
    clear_region(path, 0)
    assert second.count("connections") == 1
    SharedTally(path, 0, 2).add(1, "connections")
    assert second.count("connections") == 2


def test_the_file_is_nobody_elses_and_no_two_servers_share_a_key(tmp_path: Path) -> None:
    for name in "ab":
        make_tallies(tmp_path / name, 1)
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert (tmp_path / "a").read_bytes()[:16] != (tmp_path / "b").read_bytes()[:16]
    with pytest.raises(FileExistsError):
        make_tallies(tmp_path / "a", 1)


def test_caps_hold_over_all_workers(tmp_path: Path) -> None:
    path = tmp_path / "tallies"
    make_tallies(path, 2)
    limits = Limits(max_connections=3, max_tunnels_per_user=2, max_tunnels_per_route=2, max_pending_per_address=2)
    one, two = (Quota(limits, SharedTally(path, number, 2)) for number in range(2))
    with one.tunnel("alice", "r"), two.tunnel("bob", "s"):
        with one.tunnel("alice", "s"):
            for quota in (one, two):
                with pytest.raises(Exceeded, match="limit_total"), quota.tunnel("carol", "t"):
                    pass
        with two.tunnel("alice", "t"), pytest.raises(Exceeded, match="limit_total"), one.tunnel("x", "x"):
            pass
    with one.tunnel("alice", "r"), two.tunnel("alice", "r"):
        with pytest.raises(Exceeded, match="limit_user"), one.tunnel("alice", "s"):
            pass
        with pytest.raises(Exceeded, match="limit_route"), two.tunnel("bob", "r"):
            pass
    assert (one.tunnels, two.tunnels) == (0, 0)
    assert one.admit("192.0.2.1")
    assert two.admit("192.0.2.1")
    assert not one.admit("192.0.2.1")
    assert not two.admit("192.0.2.1")
    assert one.connections == 2

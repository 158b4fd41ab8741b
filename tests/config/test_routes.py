from __future__ import annotations

import errno
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunnelui.config.route import Route
from tunnelui.config.routes import RouteFile, _read_routes, render_routes
from tunnelui.config.toml_text import parse_toml
from tunnelui.errors import ConfigError, LocalError

if TYPE_CHECKING:
    from pathlib import Path

DB = Route("orders-db", "db.corp.example:5432", listen="127.0.0.1:15432", tags=("prod", "sql"), autostart=True)
SSH = Route("jump ssh", "tcp+https://p.example.com:8443/ssh.corp.example:22", profile="corp")
WEB = Route('we"b\\', "grafana.corp:3000", proxy_url="https://p.example.com")


@pytest.fixture
def file(tmp_path: Path) -> RouteFile:
    return RouteFile(tmp_path / "config" / "routes.toml")


def test_a_missing_file_has_no_routes(file: RouteFile) -> None:
    assert file.load() == ()


def test_what_was_saved_is_loaded_in_order(file: RouteFile) -> None:
    file.save([SSH, DB, WEB])
    assert RouteFile(file.path).load() == (SSH, DB, WEB)
    file.save([])
    assert RouteFile(file.path).load() == ()


def test_the_file_is_private_says_whose_it_is_and_reads_well(file: RouteFile) -> None:
    file.save([DB, Route("plain", "h:1")])
    text = file.path.read_text()
    assert text.startswith("# written by tunnelui; what you change here is taken over, comments are not kept\n")
    assert '[[routes]]\nname = "plain"\ndestination = "h:1"\n' in text
    assert text.count("[[routes]]") == 2
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert list(file.path.parent.iterdir()) == [file.path]


printable = st.text(
    st.characters(exclude_categories=("C", "Zl", "Zp"), exclude_characters="/"), min_size=1, max_size=64
)


@given(
    st.builds(
        Route,
        name=printable.map(str.strip).filter(lambda name: name and not name.startswith("-")),
        destination=st.integers(1, 65535).map(lambda port: f"host.example:{port}"),
        listen=st.sampled_from(["", "5432", "[::1]:1", "unix:/a b"]),
        autostart=st.booleans(),
        tags=st.lists(st.sampled_from(["a", "b c", "ü", '"'])).map(lambda tags: tuple(dict.fromkeys(tags))),
    )
)
def test_every_route_comes_back_as_it_was(route: Route) -> None:
    from pathlib import Path as P

    assert _read_routes(parse_toml(P("routes.toml"), render_routes([route]).encode())) == (route,)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[[routes]\n", 1, "no TOML"),
        ("\n\nroutes = = 1", 3, "no TOML"),
        ("\xff", 1, ""),
        ("route = 1", 1, "unknown key “route”; did you mean “routes”?"),
        ("routes = 1", 1, "must be a list"),
        ("routes = [1]", 1, "a route is a table"),
        ('[[routes]]\nname = "a"', 1, "needs “destination”"),
        ('[[routes]]\ndestination = "h:1"', 1, "needs “name”"),
        ('[[routes]]\nname = "a"\ndestination = "h:1"\nlisten_on = "x"', 4, "did you mean “listen”?"),
        ('[[routes]]\nname = "a"\ndestination = "h:1"\nlisten = 5432', 4, "must be text in quotes"),
        ('[[routes]]\nname = "a"\ndestination = "h:1"\nautostart = "yes"', 4, "true or false"),
        ('[[routes]]\nname = "a"\ndestination = "h:1"\ntags = "x"', 4, "must be a list"),
        ('[[routes]]\nname = "a"\ndestination = "h:1"\ntags = ["x", 1]', 4, "list of texts"),
        ('[[routes]]\nname = "a"\ndestination = "h"', 3, "(route “a”)"),
        ('[[routes]]\nname = "a"\ndestination = "h:1"\nlisten = "-"', 4, "standard input"),
        ('[[routes]]\nname = "a/b"\ndestination = "h:1"', 2, "can't have"),
        ('[[routes]]\nname = "a"\ndestination = "h:1"\n[[routes]]\nname = "a"\ndestination = "h:2"', 5, "already"),
    ],
)
def test_a_broken_file_names_its_line_and_is_never_overwritten(
    file: RouteFile, text: str, line: int, words: str
) -> None:
    file.path.parent.mkdir()
    data = text.encode("latin-1") if "\xff" in text else text.encode()
    file.path.write_bytes(data)
    for attempt in (file.load, lambda: file.save([DB]), lambda: RouteFile(file.path).save([])):
        with pytest.raises(ConfigError) as caught:
            attempt()
        assert caught.value.place == f"{file.path}:{line}"
        assert words in caught.value.message
        assert file.path.read_bytes() == data


def test_all_mistakes_are_said_at_once(file: RouteFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text('[[routes]]\nname = "a"\n[[routes]]\nname = "b"\ndestination = "h"\nx = 1\n')
    with pytest.raises(ConfigError) as caught:
        file.load()
    assert "2 problems" in str(caught.value)


@pytest.mark.parametrize(
    ("routes", "place"),
    [
        ([replace(DB, name="")], "name"),
        ([DB, replace(SSH, name=DB.name)], "name"),
        ([replace(DB, listen="-")], "listen"),
    ],
)
def test_wrong_routes_are_not_saved(file: RouteFile, routes: list[Route], place: str) -> None:
    file.save([WEB])
    with pytest.raises(ConfigError) as caught:
        file.save(routes)
    assert caught.value.place == place
    assert file.load() == (WEB,)


def test_an_edit_by_somebody_else_is_not_lost(file: RouteFile) -> None:
    file.save([DB])
    other = RouteFile(file.path)
    other.save([*other.load(), SSH])
    with pytest.raises(ConfigError, match="changed by somebody else") as caught:
        file.save([DB, WEB])
    assert caught.value.code == "routes_changed"
    assert RouteFile(file.path).load() == (DB, SSH)
    assert file.load() == (DB, SSH)
    file.save([DB, SSH, WEB])
    assert RouteFile(file.path).load() == (DB, SSH, WEB)


def test_a_file_that_came_into_being_meanwhile_is_not_lost(file: RouteFile) -> None:
    assert file.load() == ()
    RouteFile(file.path).save([DB])
    with pytest.raises(ConfigError, match="changed by somebody else"):
        file.save([SSH])


def test_a_file_is_at_rest_when_it_is_found_the_same_twice(file: RouteFile) -> None:
    file.save([DB])
    assert not file.is_changed()
    text = file.path.read_text()
    file.path.write_text("")  # what an editor does first
    assert not file.is_changed(at_rest=True)
    file.path.write_text(text)
    assert not file.is_changed(at_rest=True)
    file.path.write_text(text + "# and more")
    assert not file.is_changed(at_rest=True)
    assert file.is_changed(at_rest=True)
    file.path.unlink()
    assert not file.is_changed(at_rest=True)
    assert file.is_changed(at_rest=True)
    file.path.write_text(text)
    assert not file.is_changed()


def test_a_file_that_vanished_is_written_anew(file: RouteFile) -> None:
    file.save([DB])
    file.path.unlink()
    file.save([DB, SSH])
    assert file.load() == (DB, SSH)


def test_a_link_stays_a_link(file: RouteFile, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles" / "routes.toml"
    target.parent.mkdir()
    file.path.parent.mkdir()
    file.path.symlink_to(target)
    file.save([DB])
    assert file.path.is_symlink()
    assert RouteFile(target).load() == (DB,)


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_keeps_the_old_file(file: RouteFile, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    file.save([DB])

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(LocalError, match="No space left") as caught:
            file.save([SSH])
    assert caught.value.code == "routes_file"
    assert caught.value.hint
    assert file.load() == (DB,)
    assert list(file.path.parent.iterdir()) == [file.path]
    file.save([SSH])
    assert file.load() == (SSH,)


def test_a_folder_that_can_not_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file")
    file = RouteFile(tmp_path / "config" / "routes.toml")
    with pytest.raises((LocalError, ConfigError)):
        file.save([DB])


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf[[routes]]\r\nname = 'a'\r\ndestination = 'h:1'\r\n", b"# none\r\n"])
def test_a_file_from_another_system_is_no_change_once_it_was_read(file: RouteFile, data: bytes) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(data)
    routes = file.load()
    assert not file.is_changed()
    file.save(routes)
    assert not file.is_changed()


def test_more_routes_than_fit_into_a_mebibyte_come_back(file: RouteFile) -> None:
    routes = [
        Route(f"route-{n}", f"host-{n}.example.com:5432", source=f"https://proxy.example.com {n}", note="n" * 200)
        for n in range(4000)
    ]
    file.save(routes)
    assert file.path.stat().st_size > 1 << 20
    assert RouteFile(file.path).load() == tuple(routes)


def test_what_could_not_be_read_again_is_not_written(file: RouteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.save([DB])
    before = file.path.read_bytes()
    monkeypatch.setattr("tunnelui.config.routes._MAX_SIZE", 2 << 20)
    with pytest.raises(ConfigError, match="larger than 2 MiB") as caught:
        file.save([DB, *(Route(f"r{n}", "h:1", note="n" * 1000) for n in range(2200))])
    assert caught.value.code == "too_many_routes"
    assert file.path.read_bytes() == before
    assert RouteFile(file.path).load() == (DB,)

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs
import pytest

from tunnelui.config import paths

FOLDERS = {
    "CONFIG": paths.config_dir,
    "STATE": paths.state_dir,
    "RUNTIME": paths.runtime_dir,
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_variable_overrides_each_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"TUNNELUI_{name}_DIR", str(tmp_path / "here"))
    assert FOLDERS[name]() == tmp_path / "here"


@pytest.mark.parametrize("name", FOLDERS)
def test_without_it_the_system_decides(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv(f"TUNNELUI_{name}_DIR")
    assert FOLDERS[name]() == getattr(platformdirs, f"user_{name.lower()}_path")("tunnelui", appauthor=False)


@pytest.mark.parametrize("name", ["CONFIG", "STATE"])
@pytest.mark.parametrize("home", ["/homes/alice", "/homes/alice/", "alice", "", None])
@pytest.mark.parametrize("given", ["/elsewhere", "/elsewhere/", "elsewhere", "", None])
def test_it_is_what_platformdirs_says(
    name: str, given: str | None, home: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(f"TUNNELUI_{name}_DIR")
    for variable, value in ((f"XDG_{name}_HOME", given), ("HOME", home)):
        if value is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, value)
    assert FOLDERS[name]() == getattr(platformdirs, f"user_{name.lower()}_path")("tunnelui", appauthor=False)


@pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")
@pytest.mark.parametrize("mode", [0o700, 0o755, 0o1700])
@pytest.mark.parametrize("linked", [False, True])
def test_a_runtime_folder_is_taken_as_platformdirs_does(
    mode: int, linked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUNNELUI_RUNTIME_DIR")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder").chmod(mode)
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("link" if linked else "folder")))
    assert paths.runtime_dir() == platformdirs.user_runtime_path("tunnelui", appauthor=False)


@pytest.mark.parametrize("value", [None, "", "/no/such/folder"])
def test_without_a_runtime_folder_of_the_system_ours_is_private(
    value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUNNELUI_RUNTIME_DIR")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(paths, "_SESSIONS", tmp_path)
    if value is not None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    assert paths.runtime_dir() == paths.state_dir() / "run"
    # Without the variable, the folder of the login session is the one that its agent has.
    own = tmp_path / str(os.geteuid())
    own.mkdir(mode=0o700)
    assert paths.runtime_dir() == (paths.state_dir() / "run" if value == "/no/such/folder" else own / "tunnelui")
    own.chmod(0o755)
    assert paths.runtime_dir() == paths.state_dir() / "run"


def test_relative_and_home_folders_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TUNNELUI_CONFIG_DIR", "~/conf")
    assert paths.config_dir() == tmp_path / "conf"
    monkeypatch.setenv("TUNNELUI_CONFIG_DIR", "conf")
    assert paths.config_dir() == Path.cwd() / "conf"


def test_the_files_have_their_places() -> None:
    assert paths.config_file() == paths.config_dir() / "config.toml"
    assert paths.routes_file() == paths.config_dir() / "routes.toml"
    assert paths.tokens_dir() == paths.state_dir() / "tokens"


def test_nothing_is_created() -> None:
    for folder in FOLDERS.values():
        assert not folder().exists()

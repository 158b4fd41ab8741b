from __future__ import annotations

from pathlib import Path

import pytest
from anyio import to_thread

from tunnelui.auth import service_account as module
from tunnelui.auth.service_account import ServiceAccount
from tunnelui.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "environ", "value", "file", "place"),
    [
        ({"value": "v", "file": "f"}, {"TUNNELUI_SERVICE_ACCOUNT": "e"}, "v", None, "--service-account"),
        ({"file": "f"}, {"TUNNELUI_SERVICE_ACCOUNT": "e"}, "", "f", "--service-account-file"),
        ({}, {"TUNNELUI_SERVICE_ACCOUNT": "e"}, "e", None, "TUNNELUI_SERVICE_ACCOUNT"),
        ({}, {"TUNNELUI_SERVICE_ACCOUNT_FILE": "f"}, "", "f", "TUNNELUI_SERVICE_ACCOUNT_FILE"),
        ({"profile_value": "p"}, {"TUNNELUI_SERVICE_ACCOUNT": "e"}, "e", None, "TUNNELUI_SERVICE_ACCOUNT"),
        ({"profile_value": "p"}, {}, "p", None, "service_account"),
        ({"profile_file": "f"}, {}, "", "f", "service_account_file"),
    ],
)
def test_flag_goes_before_environment_before_profile(
    given: dict[str, str], environ: dict[str, str], value: str, file: str | None, place: str
) -> None:
    account = ServiceAccount.choose(**given, environ=environ)
    assert account == ServiceAccount(value, Path(file) if file else None, place)


def test_nothing_given_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNNELUI_SERVICE_ACCOUNT", raising=False)
    monkeypatch.delenv("TUNNELUI_SERVICE_ACCOUNT_FILE", raising=False)
    assert ServiceAccount.choose("", "") is None
    monkeypatch.setenv("TUNNELUI_SERVICE_ACCOUNT", "e")
    assert ServiceAccount.choose() == ServiceAccount("e", None, "TUNNELUI_SERVICE_ACCOUNT")


async def test_the_file_is_trimmed_and_read_each_time(tmp_path: Path) -> None:
    path = tmp_path / "token"
    account = ServiceAccount(file=path)
    path.write_text("  one\r\n\n")
    assert (await account.token()).value == "one"
    path.write_text("two")
    assert (await account.token()).value == "two"


async def test_the_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "token").write_text("one")
    account = ServiceAccount.choose(file="~/token", environ={})
    assert account is not None
    assert (await account.token()).value == "one"


def test_the_secret_is_not_in_the_representation() -> None:
    assert "canary" not in repr(ServiceAccount("canary"))


@pytest.mark.parametrize("content", [b"", b"two words", b"a\nb", b"\xff\xfe", b"x" * 20_000])
async def test_a_file_without_a_token_is_an_error_that_names_it_and_not_its_content(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        await ServiceAccount(file=path, place="--service-account-file").token()
    assert caught.value.place == f"--service-account-file {path}"
    assert caught.value.code == "service_account"
    assert "words" not in str(caught.value)


async def test_a_value_that_is_no_token_is_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        await ServiceAccount("a b").token()
    assert caught.value.place == "--service-account"


async def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        await ServiceAccount(file=tmp_path / "none").token()


async def test_a_file_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    path = tmp_path / "pipe"
    os.mkfifo(path)
    monkeypatch.setattr(module, "_TIMEOUT", 0.2)
    try:
        with pytest.raises(ConfigError, match=r"within 0\.2 s"):
            await ServiceAccount(file=path).token()
    finally:
        os.close(await to_thread.run_sync(os.open, path, os.O_WRONLY))  # lets the reader go, once it is there

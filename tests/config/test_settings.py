from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
import trustme

from tunnelui.config.profile import Profile
from tunnelui.config.settings import Settings, load_settings
from tunnelui.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

PEM = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()


def load(folder: Path, text: str) -> Settings:
    path = folder / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return load_settings(path)


def test_a_missing_file_gives_the_defaults(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "none.toml")
    assert settings.token_store is None
    assert settings.warm == 1
    assert dict(settings.profiles) == {}
    assert settings.profile() == Profile()
    assert settings.profile_names == ("default",)


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "").profile() == Profile()


def test_everything_that_can_be_said_is_read(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        f"""
token_store = "file"
warm = 4

[profiles.corp]
proxy_url = "https://pomerium.corp.example.com:8443"
ca_file = "corp-ca.pem"
ca_data = "{PEM}"
verify = false
client_cert = "/etc/cert.pem"
client_key = "~/key.pem"
browser_cmd = "firefox"
open_browser = false
sign_in_timeout = 60

[profiles.ci]
service_account_file = "token"

[profiles."Ops team"]
sign_in_timeout = 1.5

[profiles.default]
proxy_url = "https://p.example.com"
""",
    )
    from pathlib import Path as P

    assert settings.token_store == "file"
    assert settings.warm == 4
    corp = settings.profile("corp")
    assert corp == Profile(
        name="corp",
        proxy_url="https://pomerium.corp.example.com:8443",
        ca_file=str(tmp_path / "corp-ca.pem"),
        ca_data=PEM,
        verify=False,
        client_cert="/etc/cert.pem",
        client_key=str(P.home() / "key.pem"),
        browser_cmd="firefox",
        open_browser=False,
        sign_in_timeout=60,
    )
    assert corp.ca_files == (corp.ca_file,)
    assert settings.profile("ci").service_account_file == str(tmp_path / "token")
    assert settings.profile("ci").ca_files == ()
    assert settings.profile("Ops team").sign_in_timeout == 1.5
    assert settings.profile().proxy_url == "https://p.example.com"
    assert settings.profile_names == ("default", "corp", "ci", "Ops team")


def test_empty_paths_stay_empty_and_unknown_homes_stay_text(tmp_path: Path) -> None:
    profile = load(tmp_path, '[profiles.a]\nca_file = ""\nclient_cert = ""').profile("a")
    assert (profile.ca_file, profile.client_cert) == ("", "")
    profile = load(tmp_path, '[profiles.a]\nclient_cert = "/both.pem"').profile("a")  # which may hold the key, too
    assert (profile.client_cert, profile.client_key) == ("/both.pem", "")
    profile = load(tmp_path, '[profiles.a]\nca_file = "~no-such-person-here/x"').profile("a")
    assert profile.ca_file == str(tmp_path / "~no-such-person-here/x")


def test_the_service_account_is_not_in_the_representation(tmp_path: Path) -> None:
    settings = load(tmp_path, '[profiles.ci]\nservice_account = "canary"')
    assert settings.profile("ci").service_account == "canary"
    assert "canary" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("token_stor = 1", 1, "unknown key “token_stor”; did you mean “token_store”?"),
        ("\n\nzebra = 1", 3, "unknown key “zebra”"),
        ("warm = 5", 1, "“warm” must be 0 (off) to 4"),
        ("warm = -1", 1, "“warm” must be 0 (off) to 4"),
        ("warm = true", 1, "must be a whole number"),
        ("warm = 1.0", 1, "must be a whole number"),
        ("token_store = 3", 1, "must be text in quotes"),
        ('token_store = "keyrin"', 1, "did you mean “keyring”"),
        ("profiles = 3", 1, "must be a table"),
        ("[profiles]\ncorp = 3", 2, "must be a table"),
        ('[profiles.corp]\n\nproxyurl = "x"', 3, "unknown key “proxyurl”; did you mean “proxy_url”?"),
        ('[profiles.corp]\nname = "x"', 2, "unknown key “name”"),
        ('[profiles.corp]\nverify = "no"', 2, "“verify” must be true or false"),
        ("[profiles.corp]\nverify = 0", 2, "“verify” must be true or false"),
        ('[profiles.corp]\nsign_in_timeout = "5"', 2, "“sign_in_timeout” must be a number"),
        ("[profiles.corp]\nsign_in_timeout = true", 2, "“sign_in_timeout” must be a number"),
        ("[profiles.corp]\nsign_in_timeout = 0", 2, "above 0"),
        ("[profiles.corp]\nsign_in_timeout = -1", 2, "above 0"),
        ("[profiles.corp]\nsign_in_timeout = nan", 2, "above 0"),
        ("[profiles.corp]\nsign_in_timeout = inf", 2, "above 0"),
        ("[profiles.corp]\nsign_in_timeout = 1e9", 2, "at most 3600"),
        ('[profiles.corp]\nproxy_url = "p.example.com"', 2, "Write https://p.example.com"),
        ('[profiles.corp]\nproxy_url = "ftp://p"', 2, "no way to a proxy"),
        ('[profiles.corp]\nca_file = ["x"]', 2, "must be text"),
        ('[profiles.corp]\nclient_cert = "me.p12"\nclient_key = "x"', 3, "in the PKCS#12 file already"),
        ('[profiles.corp]\nclient_cert_password_file = "x"', 2, "“client_cert_password_file” needs “client_cert”"),
        ('[profiles.corp]\nclient_cert = "me.p12"\nclient_cert_password = "x"', 3, "client_cert_password"),
        ('[profiles.corp]\nclient_key = "x"', 2, "“client_key” needs “client_cert”"),
        ('[profiles.corp]\nca_data = "corp-ca.pem"', 2, "“ca_file” takes a file"),
        ('[profiles.corp]\nca_data = "aGVsbG8="', 2, "PEM certificate"),
        ('[profiles.corp]\nservice_account = "a"\nservice_account_file = "b"', 2, "not both"),
        ('[profiles."a/b"]\nverify = true', 1, "a character that a name can't have"),
        ('[profiles.""]\nverify = true', 1, "needs a name"),
        ("this is not toml", 1, "no TOML"),
    ],
)
def test_a_mistake_names_its_line_and_the_way_out(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert words in caught.value.message
    assert caught.value.place == f"{tmp_path}/config.toml:{line}"


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    text = 'zebra = 1\n\n[profiles.a]\nproxyurl = "x"\nverify = 1\n[profiles.b]\nclient_key = "k"\n'
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert caught.value.place == f"{tmp_path}/config.toml"
    assert "4 problems" in message
    for line in (1, 4, 5, 7):
        assert f"config.toml:{line}: " in message


def test_control_characters_of_a_key_do_not_reach_the_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, '"\\u001b]0;pwn\\u0007" = 1')
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(("mode", "good"), [(0o600, True), (0o640, True), (0o644, False), (0o602, False)])
def test_a_secret_in_a_file_that_everybody_reads_is_refused(tmp_path: Path, mode: int, good: bool) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[profiles.a]\nverify = true\n[profiles.ci]\nservice_account = "canary"\n')
    path.chmod(mode)
    if good:
        assert load_settings(path).profile("ci").service_account == "canary"
        return
    with pytest.raises(ConfigError, match="read by everybody") as caught:
        load_settings(path)
    assert caught.value.place == f"{path}:4"
    assert "chmod 600" in caught.value.hint
    assert "canary" not in str(caught.value)


def test_without_a_secret_the_mode_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[profiles.ci]\nverify = true\n")
    path.chmod(0o644)
    assert load_settings(path).profile("ci").verify


def test_an_unknown_profile_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    settings = load(tmp_path, "[profiles.corp]\nverify = true\n")
    with pytest.raises(ConfigError, match="did you mean “corp”") as caught:
        settings.profile("cor")
    assert "config.toml" in str(caught.value)
    assert caught.value.place == "profile"
    with pytest.raises(ConfigError, match="there is no profile “x”"):
        Settings().profile("x")


def test_keys_are_read_as_written(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[keys]\n"copy.as" = "ctrl+o"\n')
    assert load_settings(file).keys == {"copy.as": "ctrl+o"}
    file.write_text('[keys]\n"copy.as" = 3\n')
    with pytest.raises(ConfigError, match=r"config\.toml:2"):
        load_settings(file)

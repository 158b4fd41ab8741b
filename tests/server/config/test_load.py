"""Files, variables and global keys."""

from __future__ import annotations

import base64
import os
import stat
from typing import TYPE_CHECKING

import pytest
import yaml

from tunnelui.errors import ConfigError
from tunnelui.wire.address import HostPort, TCPListen
from tunnelui_server.config import ConfigErrors, load_config
from tunnelui_server.config.reader import parse_duration
from tunnelui_server.config.secret_files import check_private
from tunnelui_server.policy import AllowGroup, AllowUser

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.config.conftest import Workshop

ROUTE = "routes:\n- {from: 'tcp+https://redis.example.com:6379', to: 'tcp://127.0.0.1:6379'}\n"
EXAMPLE = """policy:
- from: tcp+https://redis.corp.example.com:6379
  to: tcp://redis.internal.example.com:6379
  allowed_users:
  - contractor@not-example.com
  allowed_groups:
  - datascience@example.com
"""
OIDC = """idp_provider: oidc
idp_provider_url: https://idp.example.com
idp_client_id: tunnelui
"""


def test_the_documented_example_works_word_for_word(workshop: Workshop) -> None:
    config = workshop.load(EXAMPLE)
    (route,) = config.routes
    assert route.authorities == (HostPort("redis.corp.example.com", 6379),)
    assert route.to == HostPort("redis.internal.example.com", 6379)
    assert route.criteria == (
        AllowUser("contractor@not-example.com", "contractor@not-example.com"),
        AllowGroup("datascience@example.com"),
    )
    assert config.warnings == ()


def test_defaults_are_as_documented(workshop: Workshop) -> None:
    config = workshop.load(EXAMPLE)
    assert config.address == TCPListen("127.0.0.1", 8443)
    assert config.cookie_expire == 14 * 3600
    assert config.databroker_storage_type == "sqlite"
    assert config.databroker_storage_connection_string == str(workshop.folder / "state" / "sessions.sqlite3")
    assert config.groups_claim == "groups"
    assert config.idp_scopes == ("openid", "profile", "email")
    assert config.log_level == "info"
    assert config.authenticate_url is None
    assert config.limits.head_timeout == config.limits.handshake_timeout == config.limits.shutdown_grace == 10


def test_every_error_is_told_at_once_each_with_its_line(workshop: Workshop) -> None:
    errors = workshop.errors(
        """log_level: loud
cookie_expire: 14
shared_secret: short
alowed_users: [a]
routes:
- from: tcp+https://a.example.com:1
  to: tcp://127.0.0.1:1
  alowed_users: [x@example.com]
- from: tcp+https://a.example.com:1
  to: tcp://169.254.169.254:80
- to: tcp://127.0.0.1:1
- from: tcp+https://b.example.com
  to: [tcp://a:1, tcp://b:1]
"""
    )
    told = {(int(error.place.rpartition(":")[2]), error.message.split(":")[0]) for error in errors}
    line = workshop.line_of
    assert told == {
        (line("log_level"), "log_level"),
        (line("cookie_expire"), "cookie_expire"),
        (line("shared_secret"), "shared_secret is no base64"),
        (line("alowed_users"), "unknown key “alowed_users”"),
        (line("  alowed_users"), "unknown key “alowed_users” in a route"),
        (line("169.254") - 1, "from"),
        (line("169.254"), "to"),
        (line("- to"), "a route has no “from”"),
        (line("b.example.com"), "from"),
        (line("[tcp://a:1"), "to"),
    }
    assert all(error.place.startswith(str(workshop.path)) for error in errors)
    assert [error.place for error in errors] == sorted((e.place for e in errors), key=lambda p: int(p.split(":")[-1]))


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("certificate_fil", "“certificate_file”"),
        ("idp_clientid", "“idp_client_id”"),
        ("cookie-expire", "“cookie_expire”"),
        ("autocrt", "“autocert”"),
        ("allowed_users", "belongs into a route"),
        ("xyzzy", ""),
    ],
)
def test_an_unknown_key_is_an_error_with_the_nearest_known_one(workshop: Workshop, key: str, hint: str) -> None:
    error = workshop.error(f"{key}: 1\n{EXAMPLE}")
    assert f"“{key}”" in error.message
    assert error.place == f"{workshop.path}:{workshop.line_of(key + ':')}"
    assert hint in error.hint
    assert bool(hint) == bool(error.hint)


def test_pomerium_keys_without_a_meaning_give_one_warning_that_names_them_all(workshop: Workshop) -> None:
    config = workshop.load(
        """autocert: true
codec_type: http2
downstream_mtls: {}
use_proxy_protocol: false
routes:
- from: tcp+https://a.example.com:1
  to: tcp://127.0.0.1:1
  allow_any_authenticated_user: true
  prefix: /x
  set_request_headers: {a: b}
- from: https://web.example.com
  to: http://127.0.0.1:80
  prefix: /y
  policy: [{allow: {or: [{email: {is: x}}]}}]
"""
    )
    keys, web = config.warnings
    for name in ("autocert", "codec_type", "prefix", "set_request_headers"):
        assert f"{name} (line {workshop.line_of(name)})" in keys
    assert "policy" not in keys
    assert f"https://web.example.com (line {workshop.line_of('https://web')})" in web
    assert [str(route.authorities[0]) for route in config.routes] == ["a.example.com:1"]


@pytest.mark.parametrize(
    "text",
    [
        "downstream_mtls: {ca: x}\n" + EXAMPLE,
        "use_proxy_protocol: true\n" + EXAMPLE,
        EXAMPLE + "  policy: [{deny: {or: [{email: {is: x}}]}}]\n",
        EXAMPLE + "  rego: ['package x']\n",
        EXAMPLE + "  idp_client_id: another\n",
        EXAMPLE + "  tls_downstream_client_ca: x\n",
    ],
)
def test_a_key_that_would_narrow_access_is_never_ignored(workshop: Workshop, text: str) -> None:
    assert "dangerous" in workshop.error(text).hint


def test_the_environment_goes_before_the_file(workshop: Workshop) -> None:
    routes = base64.b64encode(ROUTE.partition("\n")[2].encode()).decode()
    environ = {"LOG_LEVEL": "debug", "ADDRESS": "127.0.0.1:9", "IDP_SCOPES": "openid,groups", "COOKIE_EXPIRE": ""}
    config = workshop.load(
        "log_level: error\ncookie_expire: 1h\nroutes: []\n" + OIDC,
        environ=environ | {"ROUTES": routes, "IDP_CLIENT_SECRET": "s"},
        people=False,
    )
    assert (config.log_level, config.address.port, config.cookie_expire) == ("debug", 9, 3600)
    assert config.idp_scopes == ("openid", "groups")
    assert config.idp_client_secret == "s"
    assert config.routes[0].authorities[0].host == "redis.example.com"


def test_an_error_in_a_variable_names_the_variable(workshop: Workshop) -> None:
    assert workshop.error(EXAMPLE, environ={"LOG_LEVEL": "loud"}).place == "environment variable LOG_LEVEL"
    assert workshop.error("", environ={"ROUTES": "!!"}).place == "environment variable ROUTES"
    assert "dangerous" in workshop.error(EXAMPLE, environ={"DOWNSTREAM_MTLS_CA": "x"}).hint


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a: [1, 2\nb: 3\n", 2, "YAML"),
        ("a: 1\n\tb: 2\n", 2, "YAML"),
        ("log_level: info\nlog_level: warn\n", 2, "twice"),
        ("- a\n- b\n", 1, "keys and values"),
        ("just words\n", 1, "keys and values"),
        ("? [a]\n: 1\n", 1, "word"),
        ("a: &x\n  b: *x\n", 1, "alias"),
        ("--- {}\n--- {}\n", 2, "YAML"),
    ],
)
def test_broken_yaml_is_an_error_with_its_line(workshop: Workshop, text: str, line: int, word: str) -> None:
    errors = workshop.errors(text, base=False, people=False)
    assert any(error.place == f"{workshop.path}:{line}" and word in str(error) for error in errors)


def test_an_alias_bomb_is_refused_quickly(workshop: Workshop) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "alias" in workshop.error("\n".join(lines), base=False, people=False).message


@pytest.mark.parametrize("text", ["- " * 100_000 + "x", "[" * 100_000, "a: " + "{a: " * 100_000])
def test_depth_costs_an_error_and_not_the_process(workshop: Workshop, text: str) -> None:
    error = workshop.error(text, base=False, people=False)
    assert error.place == f"{workshop.path}:1"
    assert "nested" in error.message


def test_without_libyaml_the_same_is_read(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = workshop.load(EXAMPLE)
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert workshop.load(EXAMPLE) == quick


def test_no_tag_constructs_an_object(workshop: Workshop) -> None:
    marker = workshop.folder / "marker"
    tagged = f"!!python/object/apply:os.system ['touch {marker}']"
    assert "groups_claim" in workshop.error(f"groups_claim: {tagged}\n{EXAMPLE}").message
    assert not marker.exists()


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00", b"a: \x00", b""])
def test_a_file_that_is_no_text_or_empty_is_an_error(workshop: Workshop, raw: bytes) -> None:
    workshop.path.write_bytes(raw)
    with pytest.raises(ConfigErrors) as caught:
        load_config(workshop.path, {})
    assert all(str(workshop.path) in error.place for error in caught.value.errors)


def test_a_file_that_is_missing_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="No such file") as caught:
        load_config(tmp_path / "absent.yaml", {})
    assert len(caught.value.errors) == 1


def test_merge_keys_work_and_own_keys_win(workshop: Workshop) -> None:
    config = workshop.load(
        """routes:
- &one {from: 'tcp+https://a.example.com:1', to: 'tcp://127.0.0.1:1', allow_any_authenticated_user: true}
- <<: *one
  from: tcp+https://b.example.com:1
"""
    )
    assert [route.authorities[0].host for route in config.routes] == ["a.example.com", "b.example.com"]
    assert config.routes[0].criteria == config.routes[1].criteria


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("14h", 50400), ("30m", 1800), ("1h30m", 5400), ("1.5s", 1.5), ("300ms", 0.3), ("0", 0), (".5m", 30)],
)
def test_durations_are_read_as_go_writes_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "14", "h", "-1h", "1d", "1h 30m", "1h30", "1e3s", "٣h", "999999999999h", "+1s"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


class TestListening:
    @pytest.mark.parametrize(
        "address",
        [":8080", "0.0.0.0:8080", "[::]:8080", "192.0.2.1:80", "proxy.example.com:80", "127.evil.example:80"],
    )
    def test_plain_http_is_for_the_loopback_unless_insisted(self, workshop: Workshop, address: str) -> None:
        text = f"address: '{address}'\ninsecure_server: true\n" + EXAMPLE
        assert "insecure_server_allow_remote" in workshop.error(text, base=False).hint
        config = workshop.load("insecure_server_allow_remote: true\n" + text, base=False)
        assert config.insecure_server

    @pytest.mark.parametrize("address", ["127.0.0.1:8080", "[::1]:8080", "localhost:8080", "8080"])
    def test_plain_http_on_the_loopback_needs_no_certificate(self, workshop: Workshop, address: str) -> None:
        config = workshop.load(f"address: '{address}'\ninsecure_server: true\n" + EXAMPLE, base=False)
        assert config.certificates == ()
        assert config.origin.startswith("http://")

    @pytest.mark.parametrize("address", ["nonsense", "a:b", "unix:/x", "-", "127.0.0.1:70000"])
    def test_an_address_that_is_none_is_an_error(self, workshop: Workshop, address: str) -> None:
        text = f"address: '{address}'\ncertificate_file: cert.pem\ncertificate_key_file: key.pem\n"
        assert workshop.error(text + EXAMPLE, base=False).message.startswith("address")

    def test_without_a_certificate_the_server_does_not_start(self, workshop: Workshop) -> None:
        assert "certificate" in workshop.error("address: ':8443'\n" + EXAMPLE, base=False).message

    def test_several_certificates(self, workshop: Workshop) -> None:
        text = "address: ':1'\ncertificates:\n- {cert: cert.pem, key: key.pem}\n- {cert: cert.pem, key: key.pem}\n"
        assert len(workshop.load(text + EXAMPLE, base=False).certificates) == 2

    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ("certificate_file: cert.pem\n", "certificate_key_file is missing"),
            ("certificates: [{cert: cert.pem}]\n", "key is missing"),
            ("certificates: [{cert: cert.pem, kee: key.pem}]\n", "unknown key"),
            ("certificates: [{cert: absent.pem, key: key.pem}]\n", "absent.pem"),
            ("certificates: [{cert: key.pem, key: key.pem}]\n", "key.pem"),
        ],
    )
    def test_a_certificate_that_can_not_be_used(self, workshop: Workshop, text: str, word: str) -> None:
        errors = workshop.errors(text + EXAMPLE, base=False)
        assert any(word in str(error) for error in errors)


class TestIdentity:
    def test_a_provider_is_needed(self, workshop: Workshop) -> None:
        assert "idp_provider" in workshop.error(EXAMPLE, people=False).message

    def test_public_routes_alone_need_no_provider(self, workshop: Workshop) -> None:
        text = ROUTE.replace("to:", "allow_public_unauthenticated_access: true, to:")
        assert workshop.load(text, people=False).idp_provider is None

    def test_oidc_needs_address_and_client(self, workshop: Workshop) -> None:
        messages = [str(error) for error in workshop.errors("idp_provider: oidc\n" + EXAMPLE, people=False)]
        for key in ("idp_provider_url", "idp_client_id", "idp_client_secret"):
            assert any(f"{key} " in message for message in messages)

    def test_the_client_secret_may_stand_in_a_file(self, workshop: Workshop) -> None:
        file = workshop.folder / "client"
        file.write_text("  s3cret\n")
        file.chmod(0o600)
        config = workshop.load(OIDC + "idp_client_secret_file: client\n" + EXAMPLE, people=False)
        assert config.idp_client_secret == "s3cret"
        assert "s3cret" not in repr(config)
        both = workshop.error(OIDC + "idp_client_secret: a\nidp_client_secret_file: client\n" + EXAMPLE, people=False)
        assert "Keep one" in both.hint

    @pytest.mark.parametrize(
        "url",
        [
            "http://idp.example.com",
            "idp.example.com",
            "ftp://idp.example.com",
            "https://",
            "https://u@idp.example.com",
            "https://idp.example.com#x",
            "https://idp.example.com:99999",
            "http://127.0.0.1.evil.example",
        ],
    )
    def test_an_issuer_is_https_or_on_this_machine(self, workshop: Workshop, url: str) -> None:
        text = f"idp_provider: oidc\nidp_client_id: a\nidp_client_secret: b\nidp_provider_url: '{url}'\n"
        assert workshop.error(text + EXAMPLE, people=False).message.startswith("idp_provider_url")

    @pytest.mark.parametrize("url", ["http://127.0.0.1:8080/realms/x", "http://[::1]:80", "https://idp.example.com/a"])
    def test_good_issuers(self, workshop: Workshop, url: str) -> None:
        text = f"idp_provider: oidc\nidp_client_id: a\nidp_client_secret: b\nidp_provider_url: '{url}'\n"
        assert workshop.load(text + EXAMPLE, people=False).idp_provider_url == url

    def test_a_named_provider_is_refused_with_the_way_to_write_it(self, workshop: Workshop) -> None:
        error = workshop.error("idp_provider: google\n" + EXAMPLE, people=False)
        assert "idp_provider_url: https://accounts.google.com" in error.hint

    def test_local_needs_people(self, workshop: Workshop) -> None:
        assert "local_users" in workshop.error("idp_provider: local\n" + EXAMPLE, people=False).message

    def test_local_users(self, workshop: Workshop) -> None:
        config = workshop.load(
            """idp_provider: local
local_users:
- {name: alice, email: Alice@Example.com, display_name: Alice, password_hash: 'HASH', groups: [staff]}
- {email: bob@example.com, password_hash: 'HASH'}
groups: {datascience@example.com: [Alice@EXAMPLE.com, id-7], empty: []}
"""
            + EXAMPLE,
            people=False,
        )
        alice, bob = config.local_users
        assert (alice.name, alice.email, alice.groups) == ("alice", "alice@example.com", frozenset({"staff"}))
        assert bob.name == bob.email == "bob@example.com"
        assert config.groups["datascience@example.com"] == {"alice@example.com", "id-7"}
        assert config.groups["empty"] == frozenset()
        assert "argon2" not in repr(config)

    @pytest.mark.parametrize(
        ("entry", "word"),
        [
            ("{email: a@example.com, password: hunter2}", "unknown key “password”"),
            ("{email: a@example.com, password_hash: hunter2}", "no argon2id password_hash"),
            ("{email: a@b@example.com, password_hash: 'HASH'}", "no e-mail address"),
            ("{password_hash: 'HASH'}", "needs a name"),
            ("alice", "no keys"),
        ],
    )
    def test_a_broken_person(self, workshop: Workshop, entry: str, word: str) -> None:
        errors = workshop.errors(f"idp_provider: local\nlocal_users:\n- {entry}\n" + EXAMPLE, people=False)
        assert any(word in str(error) for error in errors)
        assert not any("hunter2" in str(error) + error.hint for error in errors)

    def test_nobody_is_listed_twice(self, workshop: Workshop) -> None:
        people = "idp_provider: local\nlocal_users:\n" + "- {email: A@example.com, password_hash: 'HASH'}\n" * 2
        assert "already" in workshop.error(people + EXAMPLE, people=False).message

    @pytest.mark.parametrize(
        ("url", "good"),
        [
            ("https://auth.example.com", True),
            ("https://auth.example.com:8443/", True),
            ("http://127.0.0.1:8080", True),
            ("http://localhost:8080", True),
            ("http://auth.example.com", False),
            ("https://auth.example.com/path", False),
            ("https://auth.example.com?x", False),
            ("auth.example.com", False),
        ],
    )
    def test_the_sign_in_address(self, workshop: Workshop, url: str, good: bool) -> None:
        text = f"authenticate_service_url: {url}\n" + EXAMPLE
        if good:
            assert workshop.load(text).authenticate_url == url.rstrip("/")
        else:
            assert workshop.error(text).message.startswith("authenticate_service_url")

    @pytest.mark.parametrize(
        ("url", "origin"),
        [
            # What browsers send in Host and Origin: a page that never matches would redirect to itself for ever.
            ("https://auth.example.com:443", "https://auth.example.com"),
            ("https://Auth.Example.COM:8443", "https://auth.example.com:8443"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://[0:0:0:0:0:0:0:1]:8080", "http://[::1]:8080"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
        ],
    )
    def test_the_sign_in_address_is_compared_in_the_form_of_browsers(
        self, workshop: Workshop, url: str, origin: str
    ) -> None:
        assert workshop.load(f"authenticate_service_url: '{url}'\n" + EXAMPLE).authenticate_url == origin

    @pytest.mark.parametrize("host", ["a$b", "a_b.1", "2130706433", "*.example.com"])
    def test_a_sign_in_address_of_no_host_is_refused(self, workshop: Workshop, host: str) -> None:
        error = workshop.error(f"authenticate_service_url: 'https://{host}'\n" + EXAMPLE)
        assert error.message.startswith("authenticate_service_url")

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("name: bob@example.com", "{name: eve, email: bob@example.com"),
            ("name: eve, email: bob@example.com", "{name: Bob@Example.com"),
            ("name: Bob@Example.com", "{name: bob@example.com"),
        ],
    )
    def test_what_is_typed_leads_to_one_person(self, workshop: Workshop, first: str, second: str) -> None:
        people = "idp_provider: local\nlocal_users:\n"
        people += f"- {{{first}, password_hash: 'HASH'}}\n- {second}, password_hash: 'HASH'}}\n"
        assert "already" in workshop.error(people + EXAMPLE, people=False).message


class TestStorage:
    def test_memory(self, workshop: Workshop) -> None:
        assert workshop.load("databroker_storage_type: memory\n" + EXAMPLE).databroker_storage_type == "memory"

    @pytest.mark.parametrize(
        "text",
        ["databroker_storage_type: postgres\n", "databroker_storage_connection_string: 'postgres://u:p@h/d'\n"],
    )
    def test_what_is_not_supported_is_refused(self, workshop: Workshop, text: str) -> None:
        assert "databroker_storage" in workshop.error(text + EXAMPLE).message

    def test_a_path_starts_at_the_file(self, workshop: Workshop) -> None:
        config = workshop.load("databroker_storage_connection_string: db/s.sqlite\n" + EXAMPLE)
        assert config.databroker_storage_connection_string == str(workshop.folder / "db" / "s.sqlite")


class TestSecrets:
    def test_a_shared_secret_is_made_once_and_kept_privately(self, workshop: Workshop) -> None:
        first = workshop.load(EXAMPLE).shared_secret_bytes
        file = workshop.folder / "state" / "shared-secret"
        assert len(first) == 32
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert workshop.load(EXAMPLE).shared_secret_bytes == first
        assert [entry.name for entry in file.parent.iterdir()] == ["shared-secret"]
        assert repr(first) not in repr(workshop.load(EXAMPLE))

    def test_a_check_or_a_wrong_file_writes_nothing(self, workshop: Workshop) -> None:
        load_config(workshop.write(EXAMPLE), {}, make_secret=False)
        workshop.errors("log_level: loud\n" + EXAMPLE)
        assert not (workshop.folder / "state").exists()

    @pytest.mark.parametrize(("folder", "file"), [(0o755, 0o600), (0o700, 0o644), (0o700, 0o640)])
    def test_a_kept_secret_that_others_may_read_is_refused(self, workshop: Workshop, folder: int, file: int) -> None:
        workshop.load(EXAMPLE)
        state = workshop.folder / "state"
        (state / "shared-secret").chmod(file)
        state.chmod(folder)
        assert "chmod" in workshop.error(EXAMPLE).hint

    def test_a_link_in_the_place_of_the_secret_is_not_followed(self, workshop: Workshop) -> None:
        workshop.load(EXAMPLE)
        file = workshop.folder / "state" / "shared-secret"
        file.rename(workshop.folder / "elsewhere")
        file.symlink_to(workshop.folder / "elsewhere")
        assert "no file" in workshop.error(EXAMPLE).message

    @pytest.mark.parametrize("text", ["short", "!", base64.b64encode(bytes(16)).decode(), "AAAA" * 20])
    def test_a_given_secret_is_32_bytes_in_base64(self, workshop: Workshop, text: str) -> None:
        error = workshop.error(f"shared_secret: '{text}'\n" + EXAMPLE)
        assert "base64" in error.hint
        assert text == "!" or text not in str(error)

    def test_a_given_secret_is_taken(self, workshop: Workshop) -> None:
        raw = os.urandom(32)
        file = workshop.folder / "secret"
        file.write_bytes(base64.b64encode(raw) + b"\n")
        file.chmod(0o640)
        assert workshop.load("shared_secret_file: secret\n" + EXAMPLE).shared_secret_bytes == raw
        text = f"shared_secret: {base64.b64encode(raw).decode()}\n"
        assert workshop.load(text + EXAMPLE).shared_secret_bytes == raw
        assert "Keep one" in workshop.error(text + "shared_secret_file: secret\n" + EXAMPLE).hint

    def test_a_key_that_others_may_read_is_refused(self, workshop: Workshop) -> None:
        (workshop.folder / "key.pem").chmod(0o644)
        assert "chmod 600" in workshop.error(EXAMPLE).hint

    def test_a_key_that_belongs_to_a_stranger_is_refused(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = workshop.folder / "key.pem"
        check_private(key, place="", what="the key")
        if os.getuid() == 0:
            os.chown(key, 12345, -1)
        else:
            monkeypatch.setattr(os, "getuid", lambda: 12345)
        with pytest.raises(ConfigError, match="belongs to another user"):
            check_private(key, place="", what="the key")

    def test_a_secret_file_that_others_may_read_is_refused(self, workshop: Workshop) -> None:
        file = workshop.folder / "secret"
        file.write_bytes(base64.b64encode(bytes(32)))
        file.chmod(0o644)
        assert "chmod 600" in workshop.error("shared_secret_file: secret\n" + EXAMPLE).hint

    def test_a_configuration_with_secrets_in_it_is_nobody_elses_to_read(self, workshop: Workshop) -> None:
        secret = base64.b64encode(os.urandom(32)).decode()
        workshop.write(f"shared_secret: {secret}\n" + EXAMPLE, mode=0o644)
        with pytest.raises(ConfigErrors, match="shared_secret") as caught:
            load_config(workshop.path, {})
        assert "chmod 600" in caught.value.errors[0].hint
        assert secret not in str(caught.value)
        workshop.path.chmod(0o640)
        assert load_config(workshop.path, {}).routes

    def test_one_without_secrets_may_be_open_and_hashes_give_a_warning(self, workshop: Workshop) -> None:
        workshop.write(EXAMPLE, mode=0o644)
        (warning,) = load_config(workshop.path, {}).warnings
        assert "password hashes" in warning

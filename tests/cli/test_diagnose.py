"""``tunnelui diagnose`` and its archive."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.program import jwt
from tests.peers.process import free_port
from tests.support.connect_proxy import answer, greet_then, reset_at_once, send_raw
from tunnelui.cli.support_bundle import Redactor

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.program import Program
    from tests.support.connect_proxy import ConnectProxy
    from tests.support.pki import Pki

STAGES = ["dns", "tcp", "tls", "proxy", "token", "connect", "first_byte"]


def findings(program: Program, *arguments: str, code: int = 0) -> dict[str, dict[str, Any]]:
    done = program.run("diagnose", "--json", *arguments)
    assert done.returncode == code, (done.stdout, done.stderr)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["stage"] for one in found] == STAGES
    return {one["stage"]: one for one in found}


def outcomes(found: dict[str, dict[str, Any]]) -> str:
    return " ".join(f"{found[stage]['outcome']}" for stage in STAGES)


def test_a_way_that_works(program: Program, tls_proxy: ConnectProxy, pki: Pki) -> None:
    token = jwt(email="alice@example.com")
    tls_proxy.tokens = {token}
    program.env["TUNNELUI_ALTERNATE_CA_PATH"] = pki.ca_file
    program.sign_in(tls_proxy, token)
    found = findings(program, tls_proxy.destination())
    assert outcomes(found) == "ok ok ok ok ok ok ok"
    assert "TLSv1.3" in found["tls"]["message"]
    assert found["tls"]["facts"]["names"]
    assert found["tls"]["facts"]["valid_until"] > 0
    assert "alice@example.com" in found["token"]["message"]
    assert found["connect"]["seconds"] > 0
    assert "client to speak first" in found["first_byte"]["message"]
    assert token not in json.dumps(found)
    words = program.run("diagnose", tls_proxy.destination()).stdout.decode()
    assert "ok    connect" in words
    assert token not in words


def test_a_service_that_speaks_first(program: Program, proxy: ConnectProxy) -> None:
    proxy.default = greet_then(lambda peer: peer.write(b"220 hello\r\n"))
    assert "spoke first" in findings(program, proxy.destination())["first_byte"]["message"]


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (302, 3, "asks for a sign-in"),
        (401, 3, "asks for a sign-in"),
        (403, 4, "may not reach"),
        (503, 5, ""),
        (404, 5, "404"),
    ],
)
def test_what_the_proxy_answers(program: Program, proxy: ConnectProxy, status: int, code: int, words: str) -> None:
    proxy.default = answer(status)
    found = findings(program, proxy.destination(), code=code)
    assert found["connect"]["outcome"] == "fail"
    assert words in found["connect"]["message"]
    assert found["connect"]["hint"]
    assert found["first_byte"]["outcome"] == "skip"
    assert len(proxy.connects) == 1


def test_a_rejected_token_is_kept(program: Program, proxy: ConnectProxy) -> None:
    token = jwt(email="alice@example.com")
    program.sign_in(proxy, token)
    proxy.tokens = set()
    findings(program, proxy.destination(), code=3)
    assert program.tokens() == [token]


def test_a_refused_port_and_a_name_that_is_none(program: Program) -> None:
    found = findings(program, f"tcp+https://127.0.0.1:{free_port()}/db.example.com:1", code=5)
    assert outcomes(found) == "ok fail skip skip warning skip skip"
    assert "refused" in found["tcp"]["message"]
    found = findings(program, "tcp+https://nobody.invalid/db.example.com:1", code=5)
    assert outcomes(found) == "fail skip skip skip warning skip skip"


def test_an_untrusted_certificate(program: Program, tls_proxy: ConnectProxy) -> None:
    found = findings(program, tls_proxy.destination(), code=5)
    assert outcomes(found) == "ok ok fail skip warning skip skip"
    assert "--alternate-ca-path" in found["tls"]["hint"]


@pytest.mark.parametrize("behaviour", [reset_at_once, send_raw(b"junk\r\n\r\n")], ids=["reset", "junk"])
def test_a_proxy_that_misbehaves(program: Program, proxy: ConnectProxy, behaviour: Any) -> None:
    proxy.default = behaviour
    found = findings(program, proxy.destination(), code=5)
    assert found["connect"]["outcome"] == "fail"


def test_a_plain_proxy_is_a_warning(program: Program, proxy: ConnectProxy) -> None:
    assert findings(program, proxy.destination())["tls"]["outcome"] == "warning"


def test_a_saved_route_by_its_name(program: Program, proxy: ConnectProxy) -> None:
    program.run("routes", "add", "db", proxy.destination())
    assert findings(program, "db")["connect"]["outcome"] == "ok"
    assert program.run("diagnose", "nothing").returncode == 2


# The archive.

CANARIES = {
    "token": jwt(email="canary@person.example.com", n=1),
    "person": "canary@person.example.com",
    "host": "secret-host.corp.example.com",
    "short host": "bunker17",
    "address": "203.0.113.77",
    "six": "2001:db8::dead:beef",
    "route": "payroll-main",
    "password": "hunter2hunter2",
    "cookie": "c00kie-value-1234567890",
    "laptop": "karins-laptop",
    "folder": "karins-own",
    "server name": "inner-gate.corp.example.net",
    "way out": "wayout.corp.example.com",
}


def test_no_canary_gets_into_the_archive(program: Program, proxy: ConnectProxy, tmp_path: Path) -> None:
    host, person, token = CANARIES["host"], CANARIES["person"], CANARIES["token"]
    program.write_config(
        f'[profiles.canaryprofile]\nproxy_url = "https://{host}"\nservice_account = "{token}"\n'
        f'client_cert = "/srv/{CANARIES["folder"]}/{CANARIES["laptop"]}.p12"\n'
        f'client_cert_password_file = "/srv/{CANARIES["folder"]}/{CANARIES["laptop"]}.password"\n'
        f'server_name = "{CANARIES["server name"]}"\n'
        f"# ask {person}, password = {CANARIES['password']}\n"
    ).chmod(0o600)
    program.run(
        "routes", "add", CANARIES["route"], proxy.destination(f"{CANARIES['short host']}:5432"), "--tag", "canarytag"
    )
    command = f"psql postgresql://karin:{CANARIES['password']}@{{host}}:{{port}}/orders"
    program.run("routes", "add", "other", f"{host}:22", "--note", f"ask {person}", "--command", command)
    program.env["TUNNELUI_CLIENT_CERT_PASSWORD"] = CANARIES["password"]
    program.env["HTTPS_PROXY"] = f"http://karin:{CANARIES['password']}@{CANARIES['way out']}:3128"
    program.state.mkdir(parents=True, exist_ok=True)
    (program.state / "tunnelui.log").write_text(
        "2026-11-24 12:00:00,123 1 WARNING tunnelui.engine.local: what happened\n"
        + "".join(f"{name} {value} trailing\n" for name, value in CANARIES.items())
        + f"Cookie: _pomerium={CANARIES['cookie']}; Authorization: Pomerium {token}\n"
        f"http://127.0.0.1:1/x?pomerium_jwt={token}\n"
        f"the way out is http://karin:{CANARIES['password']}@{CANARIES['way out']}:3128/\n"
        f"/srv/{CANARIES['folder']}/{CANARIES['laptop']}.p12: the client certificate can't be opened\n"
        f"password={CANARIES['password']}\n{{'secret': '{CANARIES['password']}'}}\n"
    )
    bundle = tmp_path / "bundle.tar.gz"
    done = program.run("diagnose", CANARIES["route"], "--bundle", str(bundle))
    assert done.returncode == 0, done.stderr
    assert bundle.stat().st_mode & 0o777 == 0o600
    with tarfile.open(bundle) as archive:
        texts = {entry.name: archive.extractfile(entry).read().decode() for entry in archive}  # type: ignore[union-attr]
    assert len(texts) == 6
    whole = "\n".join(texts.values())
    for name, value in CANARIES.items():
        if name not in ("password", "cookie"):
            assert value not in whole, name
    # Where nothing says what it is, once, in the line of canaries.
    assert whole.count(CANARIES["password"]) == 1
    assert "karin:" not in whole
    assert CANARIES["cookie"] not in whole.replace(f"cookie {CANARIES['cookie']}", "")
    for word in ("canaryprofile", "canarytag", "person.example", "corp.example"):
        assert word not in whole
    log = texts["tunnelui-support/tunnelui.log"]
    assert "tunnelui.engine.local: what happened" in log
    assert "2026-11-24 12:00:00,123" in log
    assert json.loads(texts["tunnelui-support/findings.json"])[5]["outcome"] == "ok"
    again = program.run("diagnose", CANARIES["route"], "--bundle", str(bundle))
    assert again.returncode == 1
    assert b"is there already" in again.stderr


def test_the_same_name_has_the_same_stand_in() -> None:
    redactor = Redactor(["orders"])
    text = redactor.text("orders at a.example.com, then b.example.com and A.example.com; 127.0.0.1:5432 and 10.1.2.3")
    assert text == "[name 1] at [host 1], then [host 2] and [host 1]; 127.0.0.1:5432 and [address 1]"


@pytest.mark.parametrize(
    "text", ["tunnelui.cli.main", "routes.toml:3", "at 12:30:45", "version 3.11.7", "/usr/lib/python3.11/ssl.py", "::1"]
)
def test_what_names_nobody_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_a_company_s_proxy_is_named_by_its_address_alone(program: Program) -> None:
    program.env["HTTPS_PROXY"] = f"http://karin:secret@127.0.0.1:{(port := free_port())}"
    done = program.run("diagnose", "db.corp.example.com:5432")
    told = done.stdout.decode()
    assert done.returncode == 5
    assert f"db.corp.example.com is looked up by the outgoing proxy 127.0.0.1:{port}\n" in told
    assert "karin" not in told and "secret" not in told

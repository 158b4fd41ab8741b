"""`tunnelui login --device` against the bundled server, with a person at another machine's browser."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import httpx

from tests.e2e.harness import ALICE, password_of
from tests.peers.process import eventually
from tests.server.control.harness import hidden

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.harness import Client, Server


def answer(server: Server, code: str, choice: str) -> None:
    """Sign in at the page for codes, and answer there."""
    with httpx.Client(verify=server.pki.client_context(), trust_env=False, follow_redirects=True) as browser:
        page = browser.get(f"{server.url}/.pomerium/device", headers={"Accept": "text/html"})
        form = {name: hidden(page.text, name) for name in ("csrf", "request")}
        page = browser.post(
            f"{server.url}/.pomerium/sign_in", data=form | {"user": ALICE, "password": password_of(ALICE)}
        )
        page = browser.post(f"{server.url}/.pomerium/device", data={"csrf": hidden(page.text, "csrf"), "code": code})
        form = {name: hidden(page.text, name) for name in ("csrf", "code")}
        page = browser.post(f"{server.url}/.pomerium/device/answer", data=form | {"answer": choice})
        assert page.status_code == 200, page.text


def log_in(client: Client, server: Server, tmp_path: Path, choice: str) -> tuple[int, str]:
    told = tmp_path / "told"
    with told.open("wb") as stderr:
        process = subprocess.Popen(
            client.argv("login", "--device", server.url), env=client.env, stdin=subprocess.DEVNULL, stdout=stderr,
            stderr=stderr,
        )  # fmt: skip
    try:
        eventually(lambda: re.search(r"^  ([B-Z]{4}-[B-Z]{4})$", told.read_text(), re.M) is not None)
        match = re.search(r"^  ([B-Z]{4}-[B-Z]{4})$", told.read_text(), re.M)
        assert match is not None and f"{server.url}/.pomerium/device" in told.read_text()
        answer(server, match[1], choice)
        return process.wait(60), told.read_text()
    finally:
        process.kill()
        process.wait()


def test_a_code_entered_elsewhere_signs_this_machine_in(client: Client, server: Server, tmp_path: Path) -> None:
    code, told = log_in(client, server, tmp_path, "yes")
    assert code == 0, told
    assert f"as {ALICE}" in told and "eyJ" not in told


def test_a_program_reads_code_and_end(client: Client, server: Server) -> None:
    with client.spawn("login", "--device", "--json", server.url) as process:
        assert eventually(lambda: process.stdout.endswith("\n"))
        asked = json.loads(process.stdout)
        assert (asked["v"], asked["kind"]) == (1, "sign_in")
        assert asked["data"]["url"] == f"{server.url}/.pomerium/device"
        assert asked["data"]["deadline_at"] > asked["at"] + 60
        answer(server, asked["data"]["user_code"], "yes")
        assert process.wait(60) == 0
    ended = json.loads(process.stdout.splitlines()[-1])
    assert (ended["kind"], ended["data"]["name"]) == ("signed_in", ALICE)
    assert "eyJ" not in process.output


def test_a_no_in_the_browser_is_told(client: Client, server: Server, tmp_path: Path) -> None:
    code, told = log_in(client, server, tmp_path, "no")
    assert code == 3 and "refused in the browser" in told

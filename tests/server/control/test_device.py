"""A machine without a browser: codes, the pages where they are entered, and every way off that path."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.control.harness import Control, enter_password, hidden, run_control
from tunnelui_server.control import device as module
from tunnelui_server.identity.throttle import AttemptThrottle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

CODE, TOKEN, PAGE, ANSWER = (
    "/.pomerium/api/v1/device",
    "/.pomerium/api/v1/device/token",
    "/.pomerium/device",
    "/.pomerium/device/answer",
)


@pytest.fixture
async def hasty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Control]:
    """A control plane where no time passes between two attempts, however long a busy machine takes for them."""
    monkeypatch.setattr(module, "AttemptThrottle", functools.partial(AttemptThrottle, clock=lambda: 0.0))
    async with run_control(tmp_path) as control:
        yield control


async def begin(program: httpx.AsyncClient) -> dict[str, Any]:
    answer = await program.post(CODE, data={})
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


async def poll(program: httpx.AsyncClient, codes: dict[str, Any]) -> tuple[int, str]:
    answer = await program.post(TOKEN, data={"device_code": codes["device_code"]})
    value = answer.json()
    return answer.status_code, value.get("error") or value["access_token"]


async def enter(browser: httpx.AsyncClient, code: str) -> httpx.Response:
    page = await browser.get(PAGE)
    return await browser.post(PAGE, data={"csrf": hidden(page.text, "csrf"), "code": code})


async def answer_it(browser: httpx.AsyncClient, code: str, answer: str) -> httpx.Response:
    page = await enter(browser, code)
    assert page.status_code == 200, page.text
    form = {name: hidden(page.text, name) for name in ("csrf", "code")}
    return await browser.post(ANSWER, data=form | {"answer": answer})


async def test_a_code_becomes_a_token_of_the_person_once(control: Control) -> None:
    async with control.client() as program, control.browser() as browser:
        codes = await begin(program)
        assert codes["verification_uri"] == f"{control.origin}{PAGE}"
        assert "verification_uri_complete" not in codes
        assert await poll(program, codes) == (400, "authorization_pending")
        away = await browser.get(PAGE)
        assert away.status_code == 303
        back = await enter_password(browser, away.headers["location"])
        assert back.headers["location"] == PAGE
        done = await answer_it(browser, codes["user_code"].lower().replace("-", " "), "yes")
        assert done.status_code == 200 and "let in" in done.text
        status, token = await poll(program, codes)
        assert status == 200
        session = await control.store.get(control.signer.verify(token))
        assert session is not None and session.person.email == "alice@example.com"
        assert await poll(program, codes) == (400, "expired_token")


async def test_the_page_names_who_asks_and_what_a_yes_means(control: Control) -> None:
    async with control.client() as program, control.browser() as browser:
        codes = await begin(program)
        await enter_password(browser)
        page = await enter(browser, codes["user_code"])
        assert "203.0.113.7" in page.text and codes["user_code"] in page.text and "alice@example.com" in page.text
        assert "reach everything that you can" in page.text
        assert codes["device_code"] not in page.text


async def test_a_no_is_final(control: Control) -> None:
    async with control.client() as program, control.browser() as browser:
        codes = await begin(program)
        await enter_password(browser)
        done = await answer_it(browser, codes["user_code"], "no")
        assert "refused" in done.text
        assert await poll(program, codes) == (400, "access_denied")
        again = await enter(browser, codes["user_code"])
        assert again.status_code == 400


async def test_of_two_answers_the_first_counts(control: Control) -> None:
    async with control.client() as program, control.browser() as browser:
        codes = await begin(program)
        await enter_password(browser)
        page = await enter(browser, codes["user_code"])
        form = {name: hidden(page.text, name) for name in ("csrf", "code")}
        assert (await browser.post(ANSWER, data=form | {"answer": "no"})).status_code == 200
        assert (await browser.post(ANSWER, data=form | {"answer": "yes"})).status_code == 400
        assert await poll(program, codes) == (400, "access_denied")


async def test_codes_end_after_ten_minutes(control: Control) -> None:
    async with control.client() as program, control.browser() as browser:
        await enter_password(browser)
        codes = await begin(program)
        control.clock.ahead = 601
        assert (await enter(browser, codes["user_code"])).status_code == 400
        assert await poll(program, codes) == (400, "expired_token")


async def test_a_session_that_ended_meanwhile_gives_no_token(control: Control) -> None:
    async with control.client() as program, control.browser() as browser:
        codes = await begin(program)
        await enter_password(browser)
        await answer_it(browser, codes["user_code"], "yes")
        for session in await control.store.list():
            await control.store.revoke(session.id)
        assert await poll(program, codes) == (400, "expired_token")


@pytest.mark.parametrize("code", ["", "A", "BCDF-GHJK", "x" * 5000, "\u202e", "BCDFGHJKL"])
async def test_a_wrong_code_is_told(control: Control, code: str) -> None:
    async with control.browser() as browser:
        await enter_password(browser)
        answer = await enter(browser, code)
        assert answer.status_code == 400 and "no such code" in answer.text


async def test_guesses_are_slowed_down(hasty: Control) -> None:
    async with hasty.browser() as browser:
        await enter_password(browser)
        answers = [(await enter(browser, "BCDF-GHJK")).status_code for _ in range(6)]
        assert answers == [400] * 5 + [429]


async def test_the_page_of_one_code_answers_no_other(control: Control) -> None:
    async with control.client() as program, control.browser() as browser:
        mine, other = await begin(program), await begin(program)
        await enter_password(browser)
        page = await enter(browser, mine["user_code"])
        form = {"csrf": hidden(page.text, "csrf"), "code": other["user_code"], "answer": "yes"}
        assert (await browser.post(ANSWER, data=form)).status_code == 403
        assert await poll(program, other) == (400, "authorization_pending")


async def test_codes_are_rationed_by_address(hasty: Control) -> None:
    async with hasty.client() as program:
        answers = [await program.post(CODE, data={}) for _ in range(21)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429]
        assert int(answers[-1].headers["retry-after"]) >= 1


async def test_a_hasty_program_is_slowed_down(hasty: Control) -> None:
    async with hasty.client() as program:
        codes = await begin(program)
        assert [(await poll(program, codes))[1] for _ in range(5)] == ["authorization_pending"] * 4 + ["slow_down"]


@pytest.mark.parametrize("path", [PAGE, ANSWER])
async def test_a_foreign_form_answers_nothing(control: Control, path: str) -> None:
    async with control.client() as program, control.browser() as browser:
        codes = await begin(program)
        await enter_password(browser)
        page = await enter(browser, codes["user_code"])
        csrf = hidden(page.text, "csrf")
        form = {"code": codes["user_code"], "answer": "yes"}
        wrong: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
            ({"csrf": ""}, {}),
            ({"csrf": "x" * 24}, {}),
            ({"csrf": csrf}, {"Sec-Fetch-Site": "cross-site"}),
            ({"csrf": csrf}, {"Origin": "https://evil.example"}),
        )
        for fields, headers in wrong:
            assert (await browser.post(path, data=form | fields, headers=headers)).status_code == 403
        async with control.browser() as other:
            await enter_password(other, user="bob", password="builder")
            assert (await other.post(path, data=form | {"csrf": csrf})).status_code == 403
        assert await poll(program, codes) == (400, "authorization_pending")


async def test_a_foreign_device_code_is_over(control: Control) -> None:
    async with control.client() as program:
        for code in ("", "x", "x" * 5000):
            answer = await program.post(TOKEN, data={"device_code": code})
            assert (answer.status_code, answer.json()) == (400, {"error": "expired_token"})


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    async with run_control(tmp_path, device_login=False) as control, control.client() as program:
        assert (await program.post(CODE, data={})).status_code == 404
        assert (await program.get(PAGE)).status_code == 404
        assert (await program.post(TOKEN, data={"device_code": "x"})).json() == {"error": "expired_token"}

"""A name that is asked for before an event loop runs."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tunnelui.transport import resolver
from tunnelui.transport.resolver import AddrInfo, AnswerAhead

if TYPE_CHECKING:
    from collections.abc import Iterator


class System:
    """In the place of ``getaddrinfo``."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self, host: str, port: int) -> list[AddrInfo]:
        self.asked.append((host, port))
        number = len(self.asked)
        assert self.may_answer.wait(10)
        if host == "missing":
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return [AddrInfo(socket.AF_INET, (f"192.0.2.{number}", port))]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    system = System()
    monkeypatch.setattr(resolver, "_look_up", system)
    yield system
    system.may_answer.set()


def first(found: object) -> str:
    assert isinstance(found, list)
    return str(found[0].sockaddr[0])


def test_the_answer_is_there_before_the_loop_and_given_once(system: System) -> None:
    ahead = AnswerAhead("proxy", 443)

    async def ask() -> list[str]:
        return [first(await ahead("proxy", 443)), first(await ahead("proxy", 443))]

    assert asyncio.run(ask()) == ["192.0.2.1", "192.0.2.2"]
    assert system.asked == [("proxy", 443), ("proxy", 443)]


def test_another_question_goes_to_the_system(system: System) -> None:
    ahead = AnswerAhead("proxy", 443)

    async def ask() -> list[str]:
        return [first(await ahead("other", 443)), first(await ahead("proxy", 443))]

    assert asyncio.run(ask()) == ["192.0.2.2", "192.0.2.1"]


def test_a_failure_is_the_answer_too(system: System) -> None:
    ahead = AnswerAhead("missing", 443)

    async def ask() -> None:
        await ahead("missing", 443)

    with pytest.raises(socket.gaierror, match="not known"):
        asyncio.run(ask())


def test_who_waits_can_leave_and_a_late_answer_disturbs_nobody(system: System) -> None:
    system.may_answer.clear()
    ahead = AnswerAhead("proxy", 443)

    async def ask() -> str:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await ahead("proxy", 443)
        system.may_answer.set()
        return first(await ahead("proxy", 443))

    assert asyncio.run(ask()) == "192.0.2.2"

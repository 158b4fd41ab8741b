"""Reads the engine twice a second and says whether anything on the screen may look different now."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from tunnelui.engine.model import EngineSnapshot, IdentitySnapshot, IdentityStatus, TunnelSnapshot
from tunnelui.frozen import frozen
from tunnelui.tui.lines.steps import on_screen
from tunnelui.tui.lines.words import capital, reason, safe
from tunnelui.tui.rates import Rates
from tunnelui.tui.view import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunnelui.engine.interface import Engine

__all__ = ["Feed", "News", "Severity", "sign_in_news", "trouble_news"]

Severity: TypeAlias = Literal["information", "warning", "error"]


class Feed:
    """The last snapshot with its time and rates.

    :param now: Unix time, to show; *monotonic* measures the rates.
    """

    def __init__(self, engine: Engine, *, now: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._engine = engine
        self._now = now
        self._monotonic = monotonic
        self._rates = Rates()
        self._second = 0
        self._read = False
        self.view = View(rates=self._rates)

    def poll(self) -> bool:
        """Read the engine; return whether `view` is new. An engine that fails shows in ``view.trouble``."""
        before = self.view
        trouble, snapshot = "", before.snapshot
        try:
            snapshot = _kept(before.snapshot, self._engine.snapshot())
        except Exception as error:  # whatever it is, the person reads it and the screens go on
            trouble = f"the tunnels can't be asked: {reason(error)}"
        now = self._now()
        second = int(now)
        was_quiet = self._rates.quiet
        self._rates.feed(self._monotonic(), snapshot)
        changed = (
            not self._read
            or snapshot.version != before.snapshot.version
            or trouble != before.trouble
            or not (was_quiet and self._rates.quiet)
            or (second != self._second and before.counts_down)
        )
        if changed:
            self._read = True
            self._second = second
            states = before.states
            if snapshot.tunnels is not before.snapshot.tunnels:
                states = Counter(tunnel.state for tunnel in snapshot.tunnels)
            people = before.people
            if snapshot.identities is not before.snapshot.identities:
                people = {(one.profile, one.proxy): one for one in snapshot.identities}
            self.view = View(snapshot, now, self._rates, trouble, states, people)
        return changed


def _kept(old: EngineSnapshot, new: EngineSnapshot) -> EngineSnapshot:
    """Return *new*, its tunnels as the objects of *old* where they are equal: then what changed is seen at a glance."""
    if new.tunnels is old.tunnels or len(new.tunnels) != len(old.tunnels):
        return new
    tunnels: tuple[TunnelSnapshot, ...] = tuple(
        before if before is after or before == after else after
        for before, after in zip(old.tunnels, new.tunnels, strict=True)
    )
    if all(before is after for before, after in zip(old.tunnels, tunnels, strict=True)):
        tunnels = old.tunnels
    return replace(new, tunnels=tunnels)


@frozen
class News:
    """A sentence for a toast. *about* is the matter: news of it take the place of older ones."""

    words: str
    severity: Severity = "information"
    about: str = ""


def sign_in_news(old: EngineSnapshot, new: EngineSnapshot, key: str) -> list[News]:
    """Return what is worth a toast between two snapshots: sign-ins that began or ended.

    *key* is the key that shows the sign-in.
    """
    before = {(each.profile, each.proxy): each for each in old.identities}
    news: list[News] = []
    for identity in new.identities:
        last = before.get((identity.profile, identity.proxy))
        was = last is not None and last.sign_in is not None
        if identity.sign_in is not None and not was:
            words = f"Sign-in needed at {safe(identity.proxy)}. {key} shows the address."
            news.append(News(words, "warning", _matter(identity)))
        elif identity.sign_in is None and was:
            news.append(_ended(identity, last))
    return news


def trouble_news(trouble: str) -> tuple[str, Severity]:
    """Return the words and the severity of a toast when *trouble* with the engine began or, empty, is over."""
    if trouble:
        return f"{trouble[:1].upper()}{trouble[1:]}. The screen shows what was known last.", "error"
    return "The tunnels can be asked again.", "information"


def _ended(identity: IdentitySnapshot, last: IdentitySnapshot | None) -> News:
    stays = last is not None and last.status is identity.status and last.signed_in_at == identity.signed_in_at
    if stays and identity.status is IdentityStatus.SIGNED_IN and identity.problem is None:
        return News("The sign-in was cancelled; the session that you have stays.", about=_matter(identity))
    if identity.status in (IdentityStatus.SIGNED_IN, IdentityStatus.SERVICE_ACCOUNT):
        name = safe(identity.name)
        return News(f"Signed in as {name}." if name else "Signed in.", about=_matter(identity))
    if identity.problem is not None:
        problem = on_screen(identity.problem, identity)
        return News(f"{safe(capital(problem.message))}. {safe(problem.hint)}".strip(), "error", _matter(identity))
    return News("The sign-in was cancelled; nobody is signed in.", "warning", _matter(identity))


def _matter(identity: IdentitySnapshot) -> str:
    return f"sign-in {identity.profile} {identity.proxy}"

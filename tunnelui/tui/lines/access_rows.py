"""Who we are where: one row for each profile at each proxy, and the lines that tell more of the selected one."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from tunnelui.config.route import DEFAULT_PROFILE
from tunnelui.engine.model import IdentityStatus, State
from tunnelui.errors import TunnelError
from tunnelui.frozen import frozen
from tunnelui.tui.lines.facts import identity_words
from tunnelui.tui.lines.format import clock, duration
from tunnelui.tui.lines.key_hints import hints
from tunnelui.tui.lines.steps import LOCKED, browser_words, on_screen
from tunnelui.tui.lines.words import capital, cut, cut_middle, line, pad, safe, wrap, wrap_hard
from tunnelui.wire.destination import parse_proxy_url

if TYPE_CHECKING:
    from textual.content import Content

    from tunnelui.engine.model import EngineSnapshot, IdentitySnapshot, ProfileSnapshot
    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["AccessRow", "about_lines", "access_rows", "expiry_words", "pending_lines", "sign_of"]

_LABEL: Final = 13
_SOON: Final = 600.0
_LONGEST_URL: Final = 16_384
_NOT_SIGNED_IN: Final = (IdentityStatus.SIGNED_OUT, IdentityStatus.EXPIRED)


@frozen
class AccessRow:
    """A profile at a proxy. ``proxy`` is an origin, or empty where none is known yet; ``routes`` are names.

    :param locked: something could not be done for want of the password of its client certificate.
    """

    profile: str
    proxy: str = ""
    identity: IdentitySnapshot | None = None
    settings: ProfileSnapshot | None = None
    routes: tuple[str, ...] = ()
    locked: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.profile, self.proxy


def access_rows(snapshot: EngineSnapshot) -> tuple[AccessRow, ...]:
    """Return every pair that is configured, used by a route, or signed in at, in the order of the configuration."""
    profiles = {profile.name: profile for profile in snapshot.profiles}
    identities = {(one.profile, one.proxy): one for one in snapshot.identities}
    routes: dict[tuple[str, str], list[str]] = {}
    for tunnel in snapshot.tunnels:
        if tunnel.proxy:
            routes.setdefault((tunnel.route.profile, tunnel.proxy), []).append(tunnel.route.name)
    configured = [(name, _origin(profile.proxy_url)) for name, profile in profiles.items() if profile.proxy_url]
    pairs = dict.fromkeys([*configured, *routes, *identities])
    names = {name for name, _ in pairs}
    locked = {one.route.profile for one in snapshot.tunnels if one.problem and one.problem.code == LOCKED}
    locked |= {one.profile for one in snapshot.identities if one.problem and one.problem.code == LOCKED}
    pairs |= dict.fromkeys((name, "") for name in profiles if name not in names and name != DEFAULT_PROFILE)
    order = {name: place for place, name in enumerate(profiles)}
    return tuple(
        AccessRow(*pair, identities.get(pair), profiles.get(pair[0]), tuple(routes.get(pair, ())), pair[0] in locked)
        for pair in sorted(pairs, key=lambda pair: order.get(pair[0], len(order)))
    )


def _origin(url: str) -> str:
    try:
        return str(parse_proxy_url(url))
    except TunnelError:
        return url


def sign_of(row: AccessRow) -> State:
    """Return the state whose sign and colour the row carries."""
    identity = row.identity
    if identity is not None and identity.sign_in is not None:
        return State.AUTH
    if identity is None or identity.status is IdentityStatus.SIGNED_OUT:
        return State.OFF
    return State.AUTH if identity.status is IdentityStatus.EXPIRED else State.LIVE


def expiry_words(row: AccessRow, now: float) -> tuple[str, str]:
    """Return what stands in the column of expiries, and its colour."""
    identity = row.identity
    if identity is None:
        return "", "$muted"
    if identity.sign_in is not None:
        return f"{duration(math.ceil(identity.sign_in.deadline_at - now))} left", "$auth"
    if identity.status is IdentityStatus.EXPIRED:
        return "expired", "$auth"
    if identity.expires_at is None or identity.status is IdentityStatus.SIGNED_OUT:
        return "", "$muted"
    left = identity.expires_at - now
    return duration(left), "$auth" if left < _SOON else "$ink"


def about_lines(row: AccessRow, now: float, width: int, glyphs: Glyphs) -> list[Content]:
    """Signed in, Expires, TLS, Routes: what is known of *row*, each at most two lines."""
    room = max(10, width - _LABEL - 4)
    facts = [
        ("Signed in", _signed_in_words(row, now)),
        ("Expires", _expires_words(row, now)),
        ("CA", _ca_words(row)),
        ("Client cert", _certificate_words(row)),
        ("Routes", ", ".join(safe(name, 64) for name in row.routes[:50]) or "none leads there yet"),
    ]
    rows: list[Content] = []
    for label, words in facts:
        first, *more = wrap(safe(words, 600), room, 2 if label == "Signed in" else 1) or [""]
        rows.append(line("  ", (pad(label, _LABEL), "$muted"), (cut(first, room, glyphs.ellipsis), "$ink")))
        rows += [line("  ", " " * _LABEL, (more_words, "$ink")) for more_words in more]
    return rows


def _signed_in_words(row: AccessRow, now: float) -> str:
    identity = row.identity
    if row.settings is not None and row.settings.service_account:
        return f"as a service account; its token comes from {row.settings.service_account}"
    if identity is None or identity.status is IdentityStatus.SIGNED_OUT:
        return "nobody"
    if identity.status is IdentityStatus.SERVICE_ACCOUNT:
        return f"as a service account {safe(identity.name)}".rstrip()
    who = identity_words(identity)
    kept = f"; token in {identity.store}" if identity.store else ""
    if identity.signed_in_at is None:
        return f"{who}, earlier{kept}"
    way = f" by {identity.signed_in_by}" if identity.signed_in_by else ""
    return f"{who}, {_moment(identity.signed_in_at, now)}{way}{kept}"


def _expires_words(row: AccessRow, now: float) -> str:
    identity = row.identity
    if identity is None or identity.status is IdentityStatus.SIGNED_OUT:
        return "-"
    if identity.status is IdentityStatus.EXPIRED:
        return "it has expired; the next connection asks for a sign-in"
    if identity.expires_at is None:
        return "the token does not tell; the proxy asks again when it is over"
    left = identity.expires_at - now
    words = f"{_moment(identity.expires_at, now)} ({duration(left)})"
    return f"{words}. A reminder comes 10 minutes before." if left > _SOON else words


def _ca_words(row: AccessRow) -> str:
    settings = row.settings
    if settings is None:
        return "of the system"
    if not settings.verify:
        return "none: the certificate of the proxy is NOT checked (verify = false)"
    words = f"of the system, and {settings.ca}" if settings.ca else "of the system"
    return f"{words}; the certificate is for {settings.server_name}" if settings.server_name else words


def _certificate_words(row: AccessRow) -> str:
    if row.settings is None or not row.settings.client_cert:
        return "none"
    return f"{row.settings.client_cert}{', waits for its password' if row.locked else ''}"


def _moment(at: float, now: float) -> str:
    day, today = time.localtime(at), time.localtime(now)
    same = day[:3] == today[:3]
    return clock(at, seconds=False) if same else time.strftime("%Y-%m-%d %H:%M", day)


def pending_lines(
    row: AccessRow, now: float, width: int, glyphs: Glyphs, keys: dict[str, str], *, most_url: int = 3
) -> list[Content]:
    """Return the sign-in under way with all the routes that wait for it, or why the last one failed; or nothing.

    :param keys: the names of the keys ``copy``, ``browser``, ``paste``, ``cancel``, ``again`` and ``unlock``.
    """
    identity = row.identity
    room = max(10, width - 6)
    if row.locked and (identity is None or identity.sign_in is None):
        words = "The client certificate can't be used without its password."
        rows = [line("  ", (each, "$denied")) for each in wrap(words, room, 2)]
        return [*rows, line("  ") + hints((keys["unlock"], "asks for it", "screen.unlock"))]
    if identity is None:
        return []
    if identity.sign_in is None:
        if identity.problem is None:
            return []
        problem = on_screen(identity.problem)
        rows = [line("  ", (each, "$denied")) for each in wrap(safe(capital(problem.message), 600), room, 2)]
        rows += [line("  ", (each, "$ink")) for each in wrap(safe(problem.hint, 400), room, 2)]
        return [*rows, line("  ") + hints((keys["again"], "starts a sign-in", "screen.sign_in"))]
    sign_in = identity.sign_in
    left = duration(math.ceil(sign_in.deadline_at - now))
    count = len(sign_in.waiting)
    names = ", ".join(safe(name, 64) for name in sign_in.waiting[:50])
    waits = f"   for {'1 route' if count == 1 else f'{count} routes'} ({names})" if count else ""
    head = line("  ", ("Waiting for your sign-in", "bold $ink"), "  ", (f"{left} left", "$auth"))
    rows = [head + line((cut(waits, max(0, width - head.cell_length - 2), glyphs.ellipsis), "$muted"))]
    if not sign_in.url:
        return [*rows, line("  ", ("Asking the proxy for the address.", "$muted"))]
    note = browser_words(sign_in.note, row.settings)
    if not sign_in.note:
        opens = row.settings is None or row.settings.opens_browser
        note += " No browser here? Open on any machine:" if opens else " Open on any machine:"
    rows += [line("  ", (each, "$auth" if sign_in.note else "$muted")) for each in wrap(safe(note, 400), room, 2)]
    url = wrap_hard(safe(sign_in.url, _LONGEST_URL), room)
    if len(url) > most_url:
        url = [*url[: most_url - 1], cut_middle("".join(url[most_url - 1 :]), room, glyphs.ellipsis)]
    rows += [line("  ", (each, "$brand"), limit=_LONGEST_URL) for each in url]
    acts = (
        hints((keys["copy"], "copies it   ", "screen.copy_url")),
        hints((keys["browser"], "opens a browser   ", "screen.open_browser")),
        hints((keys["paste"], "pastes the answer back   ", "screen.paste")),
        hints((keys["cancel"], "cancels   ", "screen.cancel")),
    )
    return [*rows, line("  ") + line("").join(acts)]

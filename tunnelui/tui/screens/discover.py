"""The routes that a proxy offers, against the saved ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tunnelui.config.discovery import plan_discovery
from tunnelui.config.route import DEFAULT_PROFILE
from tunnelui.engine.model import IdentityStatus
from tunnelui.errors import SignInNeeded
from tunnelui.tui.edits.proposals import of_discovery
from tunnelui.tui.keys.bindings import DISCOVER
from tunnelui.tui.lines.access_rows import access_rows
from tunnelui.tui.screens.review import ReviewScreen
from tunnelui.wire.destination import DestinationError, parse_proxy_url

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.widgets import Input

    from tunnelui.errors import TunnelError

__all__ = ["DiscoverScreen"]


class DiscoverScreen(ReviewScreen):
    """Asks the proxy at once if one is known, and again after a sign-in that it led to.

    :param profile: who asks, and *proxy* (an origin) who is asked; empty: the first that is known.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*DISCOVER]
    HELP_TITLE: ClassVar[str] = "Discover"
    TITLE_WORDS: ClassVar[str] = "Discover"
    LABEL: ClassVar[str] = "Proxy"
    PLACEHOLDER: ClassVar[str] = "https://pomerium.corp.example.com, then enter"

    def __init__(self, profile: str = "", proxy: str = "") -> None:
        super().__init__()
        self._pair = (profile, proxy)
        self._wants_sign_in = False

    @property
    def source(self) -> str:
        profile, proxy = self._pair
        return f"{profile} at {proxy}" if proxy else "no proxy yet"

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every profile and proxy that is known, the present one among them."""
        known = [row.key for row in access_rows(self.tunnels.view.snapshot) if row.proxy]
        return known if self._pair in known or not self._pair[1] else [self._pair, *known]

    def on_mount(self) -> None:
        if not self._pair[1] and self.pairs:
            self._pair = self.pairs[0]
        self.query_one("#where-row").display = not self._pair[1]
        if self._pair[1]:
            self.action_again()
        else:
            self.where.focus()
            self.show_words(
                ("Which proxy? Type its address; enter asks it which routes it lets you use.", "$ink"),
                ("A profile in config.toml (proxy_url) saves typing it.", "$muted"),
            )

    def on_screen_resume(self) -> None:
        identity = self.tunnels.view.identity_at(*self._pair)
        if self._wants_sign_in and identity is not None and identity.status is IdentityStatus.SIGNED_IN:
            self.action_again()
        self._wants_sign_in = False

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            proxy = str(parse_proxy_url(event.value.strip()))
        except DestinationError as error:
            self.show_words((f"{error.message}. {error.hint}".strip(), "$denied"))
            return
        self._pair = self._pair[0] or DEFAULT_PROFILE, proxy
        self.action_again()

    async def load(self) -> None:
        profile, proxy = self._pair
        offer = await self.tunnels.engine.offer(profile, proxy)
        snapshot = self.tunnels.view.snapshot
        saved = [tunnel.route for tunnel in snapshot.tunnels]
        plan = plan_discovery(saved, offer.routes, parse_proxy_url(proxy), profile=profile)
        if plan.is_empty:
            count = len(offer.routes)
            words = f"It offers {count} TCP routes, and all of them are saved." if count else "It offers no TCP routes."
            self.show_words(
                ("Nothing to do.", "bold $ink"), (words, "$ink"), *((note, "$muted") for note in offer.notes[:5])
            )
        else:
            self.propose(of_discovery(plan, snapshot), offer.notes)

    def failed(self, error: TunnelError) -> None:
        if isinstance(error, SignInNeeded):
            self.set_focus(None)  # out of the field: the key is no letter to type
            key = self.tunnels.key_name("access.sign_in")
            self.show_words(
                (f"{error.message[:1].upper()}{error.message[1:]}.", "$auth"),
                (f"{key} signs in; the list comes by itself afterwards.", "$ink"),
            )
        else:
            super().failed(error)

    def action_again(self) -> None:
        if self._pair[1]:
            self.begin_loading("Asking the proxy which routes it offers.")

    def action_next_source(self) -> None:
        pairs = self.pairs
        if len(pairs) < 2:
            self.tunnels.say(f"No other proxy is known. {self.tunnels.key_name('review.other')} asks one.", "warning")
            return
        self._pair = pairs[(pairs.index(self._pair) + 1) % len(pairs)]
        self.action_again()

    def action_sign_in(self) -> None:
        if self._pair[1]:
            self._wants_sign_in = True
            self.tunnels.verbs.sign_in_at(*self._pair)

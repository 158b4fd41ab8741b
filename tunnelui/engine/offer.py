"""Asking a proxy which routes it offers to whoever is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.auth.portal import fetch_portal
from tunnelui.config.discovery import Offer, read_portal
from tunnelui.errors import SignInNeeded

if TYPE_CHECKING:
    from tunnelui.auth.credentials import Credentials
    from tunnelui.config.profile import Profile
    from tunnelui.engine.identities import Contexts
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["fetch_offer"]


async def fetch_offer(profile: Profile, proxy: ProxyOrigin, credentials: Credentials, contexts: Contexts) -> Offer:
    """Return what *proxy* offers. Nobody is asked to sign in.

    :raises SignInNeeded: nobody is signed in there, or the proxy does not take the token any more.
    :raises tunnelui.errors.ProxyError: there is no answer, or another one.
    :raises tunnelui.errors.ConfigError: what came is no list of routes; the profile's files can't be read.
    """
    token = await credentials.current()
    if token is None:
        raise SignInNeeded(f"nobody is signed in at {proxy}", hint=f"Run: tunnelui login {proxy}")
    answer = await fetch_portal(proxy, token, ssl_context=lambda: contexts.make(profile))
    return Offer(*read_portal(answer, proxy, profile))

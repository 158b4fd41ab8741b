"""Who is signing in: the `Person`, the provider interface, local users and OpenID Connect."""

from tunnelui_server.identity.person import Person, normalise_email

__all__ = ["Person", "normalise_email"]

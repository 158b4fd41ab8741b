"""Trouble in the words of the screens: keys and settings where a command line would name its flags."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tunnelui.engine.model import IdentityStatus
from tunnelui.tui.lines.words import capital, safe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tunnelui.engine.model import IdentitySnapshot, Problem, ProfileSnapshot
    from tunnelui.errors import TunnelError

__all__ = ["LOCKED", "browser_words", "in_screen_words", "next_step", "on_screen", "told"]

LOCKED: Final = "client_certificate_locked"
"""The code of an error: the client certificate of the profile needs a password."""
_STEPS: Final[Mapping[str, str]] = {
    "callback": "Close other programs that hold ports of this machine, then try again; or use a service account.",
    LOCKED: "Give the password in the profiles.",
    "login_answer": "Is this an identity-aware proxy? Check the proxy of the route and of its profile.",
    "no_stdio": "Give HOST:PORT, or leave it empty for any free port.",
    "port_busy": "Stop the other program, or choose another local port.",
}
"""By the code of an error."""
_FLAGS: Final = (
    (re.compile(r", or sign in beforehand: tunnelui login\b"), ""),
    (re.compile(r"\(--alternate-ca-path FILE\)"), "(ca_file of the profile, config.toml)"),
    (re.compile(r"\s*\(--[a-z][a-z-]*(?: [^)]*)?\)"), ""),
    (re.compile(r"--token-store file(?: \(or [^)]* in config\.toml\))?"), 'token_store = "file" in config.toml'),
    (re.compile(r"Run: tunnelui login\b.*--profile.*"), "Sign in first."),
    (re.compile(r"--profile\b"), "for the profile"),
    (re.compile(r"--proxy-url\b"), "the proxy URL"),
    (re.compile(r"--service-account(-file)?\b"), "the service account"),
    (re.compile(r"--([a-z]+)-([a-z]+)\b"), r"\1_\2"),
)
"""What stands for a flag; the last one is the setting of the same name."""
_UNNAMED: Final = "this identity "
_SERVICE_ACCOUNT_DENIED: Final = "Ask the proxy's administrator for access for the service account."


def in_screen_words(text: str) -> str:
    """Return *text* without command-line flags."""
    if "--" in text:
        for flag, words in _FLAGS:
            text = flag.sub(words, text)
    return text


def browser_words(note: str, profile: ProfileSnapshot | None) -> str:
    """Return what has become of the browser of a sign-in: its *note*, or else what *profile* says of browsers."""
    if note:
        return f"{capital(in_screen_words(note)).rstrip('.')}."
    if profile is not None and not profile.opens_browser:
        return "No browser is opened for this profile (open_browser in config.toml)."
    return "A browser window should have opened."


def next_step(code: str, hint: str) -> str:
    """Return what to do about an error with this *code*, whose own *hint* may be for the command line."""
    return in_screen_words(_STEPS.get(code, hint))


def on_screen(problem: Problem, identity: IdentitySnapshot | None = None) -> Problem:
    """Return *problem* as a screen tells it. A refusal (403) names the person, as far as *identity* knows who it is."""
    message, hint = in_screen_words(problem.message), next_step(problem.code, problem.hint)
    if problem.code == "denied" and identity is not None:
        if identity.name and message.startswith(_UNNAMED):
            message = f"{identity.name} {message.removeprefix(_UNNAMED)}"
        if identity.status is IdentityStatus.SERVICE_ACCOUNT:
            hint = _SERVICE_ACCOUNT_DENIED
    return replace(problem, message=message, hint=hint)


def told(error: TunnelError) -> str:
    """Return the sentence of an error and its next step."""
    sentence = safe(in_screen_words(str(error)), 600).rstrip(".")
    if sentence.partition(" ")[0].isalpha():  # no name of a file, a host or a route
        sentence = capital(sentence)
    return f"{sentence}. {safe(next_step(error.code, error.hint), 400)}".rstrip()

"""A diagnosis as lines of the screen, and as text for somebody else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from tunnelui.engine.findings import STAGES, Outcome
from tunnelui.engine.model import State
from tunnelui.tui.lines.format import milliseconds
from tunnelui.tui.lines.steps import in_screen_words
from tunnelui.tui.lines.words import line, pad, safe, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.content import Content

    from tunnelui.engine.findings import Finding
    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["diagnosis_lines", "diagnosis_text", "hint_of", "needs_sign_in", "verdict"]

_COLOURS: Final = {Outcome.OK: "$live", Outcome.WARNING: "$auth", Outcome.FAIL: "$denied", Outcome.SKIP: "$off"}
_LEAD: Final = 33
"""Cells before the message: sign, outcome, stage, time."""
_NARROW: Final = 64
"""Below this width, in cells, the message has lines of its own."""
_LONGEST: Final = 1200


def needs_sign_in(finding: Finding) -> bool:
    """Whether a sign-in is what would help."""
    if finding.facts.get("status") == "service account":
        return False
    without_token = finding.stage == "token" and finding.outcome is Outcome.WARNING
    return without_token or finding.facts.get("needs") == "sign-in"


def hint_of(finding: Finding, sign_in_key: str) -> str:
    """Return the next step in the words of the screen."""
    if needs_sign_in(finding) and sign_in_key:
        return f"{sign_in_key} signs in."
    return in_screen_words(finding.hint)


def verdict(findings: Sequence[Finding]) -> tuple[Outcome, str]:
    """Return the whole in one sentence, once all stages are over."""
    failed = next((one for one in findings if one.outcome is Outcome.FAIL), None)
    if failed is not None:
        return Outcome.FAIL, f"The way ends at {_name(failed.stage)}."
    warned = [_name(one.stage) for one in findings if one.outcome is Outcome.WARNING]
    if warned:
        return Outcome.WARNING, f"The way is open. Have a look at {', '.join(warned)}."
    return Outcome.OK, "The way is open, from this machine to the service."


def diagnosis_lines(
    findings: Sequence[Finding], width: int, glyphs: Glyphs, sign_in_key: str, *, running: bool
) -> list[Content]:
    """Return every stage: those that are over with their finding, the one under way, and those to come."""
    found = {finding.stage: finding for finding in findings}
    now = next((stage for stage in STAGES if stage not in found), "") if running else ""
    signs = {
        Outcome.OK: glyphs.good,
        Outcome.WARNING: glyphs.state(State.PORT_BUSY),
        Outcome.FAIL: glyphs.bad,
        Outcome.SKIP: glyphs.state(State.OFF),
    }
    rows: list[Content] = []
    for stage in STAGES:
        finding = found.get(stage)
        name = pad(_name(stage), 11)
        if finding is None:
            words, style = ("now", "$auth") if stage == now else ("", "$off")
            sign = glyphs.state(State.AUTH) if stage == now else ""
            rows.append(line("  ", (pad(sign, 3) + pad(words, 8), style), (name, "$ink" if words else "$off")))
            continue
        colour = _COLOURS[finding.outcome]
        took = milliseconds(finding.seconds) if finding.seconds is not None else ""
        narrow = width < _NARROW
        lead = 5 if narrow else _LEAD
        room = max(10, width - lead - 2)
        message = wrap(safe(in_screen_words(finding.message), _LONGEST), room, 6) or [""]
        first, more = ("", message) if narrow else (message[0], message[1:])
        quiet = finding.outcome is Outcome.SKIP
        rows.append(
            line(
                "  ",
                (pad(signs[finding.outcome], 3) + pad(finding.outcome.value, 8), colour),
                (name, "$muted" if quiet else "bold $ink"),
                (pad(took, 7, right=True), "$muted"),
                "  ",
                (first, "$muted" if quiet else "$ink"),
            )
        )
        rows += [line(" " * lead, (row, "$ink")) for row in more]
        hints = wrap(safe(hint_of(finding, sign_in_key), _LONGEST), room, 4)
        rows += [line(" " * lead, (row, "$auth")) for row in hints]
        if number := finding.facts.get("request_id"):
            rows.append(line(" " * lead, (f"request {safe(str(number), 80)}", "$muted")))
    return rows


def diagnosis_text(title: str, findings: Sequence[Finding], at: float) -> str:
    """Return the whole as plain text, for a ticket or a chat: no colours, no signs that only a terminal draws."""
    rows = [safe(title, 600), time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(at))]
    for finding in findings:
        took = milliseconds(finding.seconds) if finding.seconds is not None else ""
        message = safe(finding.message, _LONGEST)
        rows.append(f"{finding.outcome.value:8} {_name(finding.stage):11} {took:>8}  {message}".rstrip())
        if finding.hint:
            rows.append(f"{'':31}{safe(finding.hint, _LONGEST)}")
        if number := finding.facts.get("request_id"):
            rows.append(f"{'':31}request {safe(str(number), 80)}")
    return "\n".join(rows) + "\n"


def _name(stage: str) -> str:
    return safe(stage.replace("_", " "), 11)

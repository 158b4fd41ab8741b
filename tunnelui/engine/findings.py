"""What a diagnosis comes to, stage by stage: values, for screens and commands."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import Any, Final

from tunnelui.frozen import frozen

__all__ = ["STAGES", "Finding", "Outcome"]

STAGES: Final = ("dns", "tcp", "tls", "proxy", "token", "connect", "first_byte")


class Outcome(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAIL = "fail"
    SKIP = "skip"


@frozen
class Finding:
    """What one stage came to.

    :param seconds: how long it took; ``None`` where that says nothing.
    :param hint: the next step, or empty.
    :param facts: JSON types only; never a token.
    """

    stage: str
    outcome: Outcome
    message: str
    hint: str = ""
    seconds: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)

"""What a person does on the list of routes, and reads there."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from tests.peers.process import eventually

if TYPE_CHECKING:
    from tests.e2e.terminal import Terminal

__all__ = ["select", "sign_in_address", "start"]


def select(terminal: Terminal, name: str) -> None:
    """Move to the row of *name*."""
    rows = [line for line in terminal.lines if re.match(r"[▌ ]\S \S+ ", line)]
    number = next(number for number, line in enumerate(rows) if re.match(rf"[▌ ]\S {name}\S* ", line))
    terminal.keys("g", *["Down"] * number)
    terminal.wait_for(rf"^▌\S {name}")
    # The keys may be on their way still: the row has to stay.
    time.sleep(0.3)
    terminal.wait_for(rf"^▌\S {name}")


def start(terminal: Terminal, name: str) -> int:
    """Start the tunnel of the selected row and return its local port."""
    select(terminal, name)
    terminal.keys("Space")
    return int(terminal.wait_for(rf"{name} +ready .*127\.0\.0\.1:(\d+)").group(1))


def sign_in_address(terminal: Terminal) -> str:
    """Return the address on the sign-in screen, its lines put together, once the screen is painted to its end."""
    seen = ""

    def address() -> str:
        nonlocal seen
        before, seen = seen, ""
        found = re.search(
            r"^ +(https?://\S+/\.pomerium/sign_in\S*$(?:\n +\S+$)*)\n\s*\n.*Answer ", terminal.text, re.M | re.S
        )
        seen = re.sub(r"\s+", "", found.group(1)) if found else ""
        return seen if seen == before else ""

    return eventually(address, 15, "the address on the sign-in screen")

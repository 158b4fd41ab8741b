"""What no screen of this framework does without: an application of one list and one line, drawn until it is ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App
from textual.widgets import OptionList, Static

if TYPE_CHECKING:
    from textual.app import ComposeResult

_ROWS = 20


class Bare(App[None]):
    """The line comes last, so that the list is drawn once the line is."""

    CSS = "OptionList { height: 1fr; }"

    def compose(self) -> ComposeResult:
        yield OptionList(*(f"route-{number:05}" for number in range(_ROWS)))
        yield Static("NAME")


if __name__ == "__main__":
    Bare().run()

"""A bar that is out of sight at first, and whose parts the first picture does not wait for."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from textual.containers import Horizontal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.widget import Widget

__all__ = ["LateBar"]


class LateBar(Horizontal):
    """Has no parts until the first picture is drawn or `complete` is called, whichever is first."""

    def on_mount(self) -> None:
        self.call_after_refresh(self.complete)

    @abstractmethod
    def parts(self) -> Iterator[Widget]:
        """Yield what stands on the bar."""

    def complete(self) -> None:
        """Put the parts on the bar where they are not yet."""
        if not self.children:
            self.mount(*self.parts())

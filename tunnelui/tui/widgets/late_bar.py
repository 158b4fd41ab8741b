"""A bar that is out of sight until it is used: made then, and filled at once, so that the next key finds it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from textual.containers import Horizontal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.widget import Widget

__all__ = ["LateBar"]


class LateBar(Horizontal):
    """Has no parts until `complete` is called."""

    @abstractmethod
    def parts(self) -> Iterator[Widget]:
        """Yield what stands on the bar."""

    def complete(self) -> None:
        """Put the parts on the bar where they are not yet."""
        if not self.children:
            self.mount(*self.parts())

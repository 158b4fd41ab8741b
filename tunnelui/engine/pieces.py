"""Much work of one kind, done piece by piece, so that nobody's bytes wait for the end of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

__all__ = ["PIECE", "in_pieces"]

T = TypeVar("T")

PIECE: Final = 32
"""Routes, or what stands for one: checking, making or encoding as many takes a millisecond or two."""


async def in_pieces(items: Iterable[T], size: int = PIECE) -> AsyncIterator[T]:
    """Yield *items*; after each *size* of them the event loop does what else is ready."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % size:
            await asyncio.sleep(0)

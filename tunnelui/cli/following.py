"""Commands that go on telling: they end when nobody reads them any more, as behind ``| head -1``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.cli.output import is_reader_gone
from tunnelui.errors import TunnelError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["while_read"]

_LOOK: Final = 0.5


async def while_read(work: Callable[[], Awaitable[None]]) -> None:
    """Carry out *work* until it ends, or until standard output has lost its reader.

    A `TunnelError` of *work* comes out as it is, never in a group.
    """
    failure: TunnelError | None = None
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            while True:
                await anyio.sleep(_LOOK)
                if is_reader_gone():
                    tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        try:
            await work()
        except TunnelError as error:
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure

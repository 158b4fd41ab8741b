"""Opens a tunnel to see whether there is one to be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.engine.model import StageTimings

if TYPE_CHECKING:
    from tunnelui.engine.connector import Connector
    from tunnelui.errors import PeerError

__all__ = ["QuietObserver", "probe"]


async def probe(connector: Connector) -> StageTimings:
    """Return how long each stage of a new tunnel took; it is closed before a byte is sent.

    :raises tunnelui.errors.TunnelError: why there is none.
    """
    observer = QuietObserver()
    opened = await connector.open(observer)
    opened.far.close()
    return observer.timings


class QuietObserver:
    """Keeps the times and tells nobody (`tunnelui.engine.connector.Observer`)."""

    def __init__(self) -> None:
        self.timings = StageTimings()
        self.tls = ""
        self.request_id: str | None = None

    def on_try(self) -> None:
        pass

    def on_sign_in(self) -> None:
        pass

    def on_retry(self, error: PeerError, delay: float) -> None:
        pass

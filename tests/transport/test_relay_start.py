"""The first moment of a relay: what is there already, on either side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from tests.support.sockets import read_exactly
from tests.transport.conftest import in_thread
from tests.transport.test_relay import Stubborn
from tunnelui.transport.relay import Relay

if TYPE_CHECKING:
    from tests.transport.conftest import Wiring


async def test_output_kept_before_the_start_is_sent_though_the_other_side_is_silent(wiring: Wiring) -> None:
    (one, app), (far, service) = await wiring.connect("plain"), await wiring.connect("plain")
    near = Stubborn(one.sock)
    near.keep(b"updated")
    async with anyio.create_task_group() as group:
        group.start_soon(Relay(near, far).run)
        assert await in_thread(read_exactly, app, 7) == b"updated"
        group.cancel_scope.cancel()
    app.close()
    service.close()

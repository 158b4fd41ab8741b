"""Opens and closes connections at a steady rate, as a program: ``python -m tests.e2e.visits PORT COUNT RATE``.

Each says a few bytes, hears the same and goes. At the end it prints how many were served, and for how long it took.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

__all__ = ["SAID", "visit_often"]

SAID = b"hello\n"
_PATIENCE = 60.0
_AT_ONCE = 40
"""On a slow machine visits wait for their turn here, and not in a proxy that gives up on those who say nothing."""


async def _visit(port: int, turns: asyncio.Semaphore) -> bool:
    try:
        async with turns, asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(SAID)
                return await reader.readexactly(len(SAID)) == SAID
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError):
        return False


async def visit_often(port: int, count: int, rate: float) -> tuple[int, float]:
    """Make *count* visits, *rate* a second where that many are served; return how many were served, and the seconds
    from the first to the end of the last."""
    begun, turns = time.monotonic(), asyncio.Semaphore(_AT_ONCE)
    async with asyncio.TaskGroup() as tasks:
        visits = []
        for number in range(count):
            await asyncio.sleep(begun + number / rate - time.monotonic())
            visits.append(tasks.create_task(_visit(port, turns)))
    return sum(visit.result() for visit in visits), time.monotonic() - begun


def main() -> None:
    port, count, rate = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    served, seconds = asyncio.run(visit_often(port, count, rate))
    sys.stdout.write(json.dumps({"served": served, "seconds": seconds}) + "\n")


if __name__ == "__main__":
    main()

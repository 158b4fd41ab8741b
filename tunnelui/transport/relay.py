"""The byte path of a tunnel: two endpoints, both directions, on plain event-loop callbacks.

Each direction waits for one thing at a time: its source to become readable, or its target to become writable.

* What is read is written at once from a buffer that all tunnels of the loop share. What the target does not take is
  kept by the target (at most one chunk), and the source is not read until that has drained: so a slow peer slows the
  other one, and a tunnel's memory is bounded.
* An event moves a bounded number of bytes, and directions that carry a stream take turns (`tunnelui.transport.turns`):
  a keystroke in one tunnel does not wait for the streams of all others.
* The end of one direction is passed on when all before it has been delivered; the other direction runs on.
* A stream that breaks (reset, TLS cut short) ends the tunnel with a reset on both sides. A broken stream never looks
  like a complete one.
* A tunnel has no task of its own (`Relay.start`) and, unless a limit on silence is asked for, no timer.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from tunnelui.errors import PeerError
from tunnelui.transport.endpoint import WOULD_BLOCK, scratch
from tunnelui.transport.relay_result import RelayCause, RelayResult
from tunnelui.transport.turns import turns_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunnelui.transport.endpoint import Endpoint
    from tunnelui.transport.turns import Turns

__all__ = ["Relay", "RelayCause", "RelayResult"]

TURN: Final = 1 << 17
"""Bytes after which a direction lets others go first."""

LONG_TURN: Final = 2 * TURN
"""The same where no other direction waits: each pass of the loop costs as much as some 10 KiB."""

_STREAM: Final = 1 << 14
"""A direction that moved this much in its last turn carries a stream, and waits for its turn the next time."""

_CLOCK_SLACK: Final = 0.001
"""Timers may fire this much early."""


class _Wait(Enum):
    NOTHING = auto()
    READABLE = auto()
    WRITABLE = auto()
    TURN = auto()


class _Direction:
    """From *source* to *target*. ``moved`` counts the bytes that the target's system has taken."""

    opposite: _Direction

    __slots__ = (
        "_fd",
        "_held",
        "_streams",
        "_wait",
        "done",
        "ended",
        "moved",
        "opposite",
        "over",
        "passes_eof",
        "relay",
        "source",
        "target",
        "told",
    )

    def __init__(self, relay: Relay, source: Endpoint, target: Endpoint, *, passes_eof: bool) -> None:
        self.relay = relay
        self.source = source
        self.target = target
        self.passes_eof = passes_eof
        self.moved = 0
        self.ended = False  # the source has ended
        self.told = False  # the target was told so
        self.done = False  # nothing is left to do here
        self.over = False  # the tunnel has ended
        self._held = 0  # bytes read that the target's system has not taken
        self._wait = _Wait.NOTHING
        self._fd = -1  # what is registered with the loop
        self._streams = False  # it moved much the last time

    def take_turn(self) -> None:  # it has come
        self._wait = _Wait.NOTHING
        self.pump(mine=True)

    def pump(self, *, mine: bool = False) -> None:
        """Move what can be moved now, and wait for what is missing. *mine*: nobody else has to be asked."""
        if self.over:
            return
        relay, source, target = self.relay, self.source, self.target
        side = target
        try:
            if target.pending and not self._flush():
                self.wait_for(_Wait.WRITABLE)
                return
            if self.ended:
                self._finish()
                return
            if self._streams and not relay.turns.claim() and not mine:
                self.wait_for(_Wait.TURN)
                return
            limit = TURN if relay.turns.crowded else LONG_TURN
            buffer, total = scratch.plain[:limit], 0
            while total < limit:
                side = source
                size = source.read_into(buffer)
                if source.pending:  # TLS answers some messages by itself; the other direction sends them on
                    self.opposite.wait_for(_Wait.WRITABLE)
                side = target
                if size == WOULD_BLOCK:
                    break
                if size == 0:
                    self._pass_end()
                    return
                total += size
                relay.last_moved = now = relay.loop.time()
                if relay.first_byte_at is None:
                    relay.spoke(self, now)
                if not target.write(buffer[:size]):
                    self._held = size
                    self._account()
                    self._streams = total >= _STREAM
                    self.wait_for(_Wait.WRITABLE)
                    return
                self.moved += size
                if source.drained:
                    break
            self._streams = total >= _STREAM
            # The system announces the rest again, as a rule. Among many streams all would register for it every time.
            more = total >= limit and (source.buffered or (relay.turns.crowded and not source.drained))
            if more or self._wait is not _Wait.READABLE:
                self.wait_for(_Wait.TURN if more else _Wait.READABLE)
        except PeerError as error:
            relay.fail(side, error)
        except Exception as error:  # a fault of ours must not leave a tunnel behind that nobody serves
            relay.crash(error)

    def wait_for(self, what: _Wait) -> None:
        """Wait for *what* from now on, and for nothing else."""
        fd = -1
        if what is _Wait.READABLE:
            fd = self.source.read_fd
        elif what is _Wait.WRITABLE:
            fd = self.target.write_fd
        if fd < 0 and what is not _Wait.NOTHING:  # always ready
            what = _Wait.TURN
        if what is self._wait:
            return
        loop = self.relay.loop
        if self._wait is _Wait.READABLE:
            self.source.unwatch()
        elif self._wait is _Wait.WRITABLE:
            loop.remove_writer(self._fd)
        elif self._wait is _Wait.TURN:
            self.relay.turns.leave(self)
        self._wait, self._fd = what, fd
        if what is _Wait.READABLE:
            self.source.watch(self.pump)
        elif what is _Wait.WRITABLE:
            loop.add_writer(fd, self.pump)
        elif what is _Wait.TURN:
            self.relay.turns.wait(self)

    def leave(self) -> None:
        """The tunnel has ended. Without circles OpenSSL's memory is free at once, and the next tunnel takes it."""
        self.over = True
        del self.relay, self.opposite

    def _flush(self) -> bool:
        drained = self.target.flush()
        self._account()
        return drained

    def _account(self) -> None:
        # What a TLS target keeps is encrypted, and so a little longer than what it was made from.
        held = min(self._held, self.target.pending)
        if held < self._held:
            self.moved += self._held - held
            self._held = held
            self.relay.last_moved = self.relay.loop.time()

    def _pass_end(self) -> None:
        self.ended = True
        self.relay.last_moved = self.relay.loop.time()
        if self.passes_eof:
            self.told = True
            self.wait_for(_Wait.NOTHING)  # the target may close its descriptor now
            drained = self.target.send_eof()
            if not drained:
                self.wait_for(_Wait.WRITABLE)
                return
        self._finish()

    def _finish(self) -> None:
        self.wait_for(_Wait.NOTHING)
        if not self.done:
            self.done = True
            self.relay.direction_done(self)


class Relay:
    """Carries the bytes between *near*, the side that was accepted, and *far*, the side that was dialled.

    :param half_close_near: tell *near* at once when *far* has ended.
    :param half_close_far: tell *far* at once when *near* has ended; otherwise *far* learns it when the tunnel closes.
    :param linger: where an end is not passed on: how many seconds the other side may then be silent.
    :param idle_timeout: seconds without a byte in either direction; ``None`` means no limit.

    ``bytes_in`` (far to near) and ``bytes_out`` (near to far) count what the receiving side's system has taken. They
    and ``first_byte_at`` (monotonic clock, the first byte from *far*) may be read at any time.
    """

    loop: asyncio.AbstractEventLoop
    turns: Turns

    def __init__(
        self,
        near: Endpoint,
        far: Endpoint,
        *,
        half_close_near: bool = True,
        half_close_far: bool = True,
        linger: float = 30.0,
        idle_timeout: float | None = None,
    ) -> None:
        self.near = near
        self.far = far
        self.first_byte_at: float | None = None
        self.last_moved = 0.0
        self.closed = False
        self._linger = linger
        self._idle_timeout = idle_timeout
        self._outward = _Direction(self, near, far, passes_eof=half_close_far)
        self._inward = _Direction(self, far, near, passes_eof=half_close_near)
        self._outward.opposite, self._inward.opposite = self._inward, self._outward
        self._first: _Direction | None = None  # the direction that ended first
        self._on_end: Callable[[RelayResult | Exception], object] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def bytes_in(self) -> int:
        return self._inward.moved

    @property
    def bytes_out(self) -> int:
        return self._outward.moved

    @property
    def near_eof(self) -> bool:
        """Whether *near* has ended its direction; so for *far*."""
        return self._outward.ended

    @property
    def far_eof(self) -> bool:
        return self._inward.ended

    def start(self, on_end: Callable[[RelayResult | Exception], object]) -> None:
        """Carry bytes from now on, on the callbacks of the running loop, until both sides have ended or one breaks.

        :param on_end: called once, from the loop, when both endpoints are closed; with an exception only after a fault
            of ours. Not called when the caller of `run` is cancelled.
        """
        self.loop = asyncio.get_running_loop()
        self._on_end = on_end
        if self.closed:
            self._tell(RelayResult(RelayCause.ABORTED, "cut before it began"))
            return
        self.turns = turns_of(self.loop)
        self.near.stage = self.far.stage = "relay"
        self.last_moved = self.loop.time()
        self._arm()
        self._outward.pump()
        if self.far.buffered or self.near.pending:
            self._inward.pump()
        elif not self._inward.over:  # it has just answered or been dialled: the loop tells when there is something
            self._inward.wait_for(_Wait.READABLE)

    async def run(self) -> RelayResult:
        """`start`, and wait for the end. Both endpoints are closed when it returns.

        Cancellation resets both sides.
        """
        done: asyncio.Future[RelayResult] = asyncio.get_running_loop().create_future()

        def end(result: RelayResult | Exception) -> None:
            if done.done():  # cancelled
                return
            if isinstance(result, RelayResult):
                done.set_result(result)
            else:
                done.set_exception(result)

        try:
            self.start(end)
            return await done
        finally:
            self._close(orderly=False)

    def abort(self) -> None:
        """Cut now: both peers see a reset."""
        self._end(RelayResult(RelayCause.ABORTED, "cut from this side"), orderly=False)

    def spoke(self, direction: _Direction, now: float) -> None:
        """A direction has read something, and nothing had come from *far*."""
        if direction is self._inward:
            self.first_byte_at = now

    def direction_done(self, direction: _Direction) -> None:
        """A direction has ended; so does the tunnel when both have."""
        if self._first is None:
            self._first = direction
            self._arm()
            return
        side = "near" if self._first is self._outward else "far"
        self._end(RelayResult(RelayCause.FINISHED, f"both sides ended, {side} first"), orderly=True)

    def fail(self, endpoint: Endpoint, error: PeerError) -> None:
        """A side broke."""
        side = "near" if endpoint is self.near else "far"
        kind = error.code if error.code in ("reset", "truncated") else "failed"
        self._end(RelayResult(RelayCause(f"{side}_{kind}"), error.detail or error.code, error), orderly=False)

    def crash(self, error: Exception) -> None:
        """Something went wrong that should not: it is what *on_end* gets and `run` raises."""
        self._close(orderly=False)
        self._tell(error)

    def _end(self, result: RelayResult, *, orderly: bool) -> None:
        self._close(orderly=orderly)
        self._tell(result)

    def _tell(self, result: RelayResult | Exception) -> None:
        # In a pass of its own: whoever is told may do anything, and we are in the middle of something.
        if self._on_end is not None:
            on_end, self._on_end = self._on_end, None
            self.loop.call_soon(on_end, result)

    def _close(self, *, orderly: bool) -> None:
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for direction in (self._outward, self._inward):
            direction.wait_for(_Wait.NOTHING)
            if orderly and not direction.told:
                # Best effort: there is nothing more to wait for.
                with contextlib.suppress(PeerError):
                    direction.target.send_eof()
        self._outward.leave()
        self._inward.leave()
        for endpoint in (self.near, self.far):
            if orderly:
                endpoint.close()
            else:
                endpoint.abort()

    # Limits on silence: one timer, which looks at the time of the last byte when it fires and is armed anew if need be.

    @property
    def _lingering(self) -> bool:
        return self._first is not None and not self._first.told

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        limit = math.inf if self._idle_timeout is None else self._idle_timeout
        if self._lingering:
            limit = min(limit, self._linger)
        if limit < math.inf:
            self._timer = self.loop.call_at(self.last_moved + limit, self._look_for_silence)

    def _look_for_silence(self) -> None:
        silent = self.loop.time() - self.last_moved + _CLOCK_SLACK
        if self._lingering and silent >= self._linger:
            # Orderly only if all that came was delivered.
            kept = self.near.pending or self.far.pending
            detail = f"nothing came for {self._linger:g} s after the other side's end"
            self._end(RelayResult(RelayCause.LINGER, detail), orderly=not kept)
        elif self._idle_timeout is not None and silent >= self._idle_timeout:
            self._end(RelayResult(RelayCause.IDLE, f"no byte for {self._idle_timeout:g} s"), orderly=False)
        else:
            self._arm()

"""Keys one after the other: each goes to what has the focus once the one before has done its work.

Textual hands a key to the widget that has the focus when the key arrives. Keys that arrive together (typed ahead over a
slow line, pasted without brackets, sent by a program) would so all go to the same widget, though the first of them
opens a bar or a dialog that the others are meant for.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from textual.app import App
from textual.events import Event, Key, Paste
from textual.message import Message
from textual.widgets import Input

from tunnelui.tui.keys.continued import once_at_a_time
from tunnelui.tui.keys.terminal_input import WORD_KEYS, read_by_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.dom import DOMNode
    from textual.driver import Driver
    from textual.timer import Timer

__all__ = ["KeysInTurn"]

_ROUNDS: Final = 2
"""How often a marker goes the way of the key before its turn is over: what a handler has put off (the focus, say) is
done one round later."""
_MOST_ROUNDS: Final = 8
_LOOK: Final = 0.05
"""Seconds between two looks whether the marker was lost, while keys wait."""
_LONGEST: Final = 1.0
"""Seconds after which a turn that doesn't end holds nobody up any more."""

Result = TypeVar("Result")


class KeysInTurn(App[Result], Generic[Result]):
    """Mixed into the application: keys and pasted text wait while the one before is under way.

    A key bubbles from the widget with the focus up to the application, where its binding is run; a widget may stop it
    on the way. So a marker is sent after it, which nobody stops: when it arrives, the key is done. A key that is held
    down, and what is typed into a field, goes along without waiting: the screen need not be drawn for each.
    """

    class Done(Message):
        """Everything that was posted to this widget earlier has been handled, here and in all above."""

        def __init__(self, turn: int) -> None:
            super().__init__()
            self.turn = turn

    _turn = 0
    """The number of the turn under way, counted from 1; the last one's, negative, between two turns."""
    _rounds = 0
    _goal: DOMNode | None = None
    _begun: tuple[Event | None, DOMNode | None] = (None, None)
    """What the last turn began with, and what had the focus then."""
    _watch: Timer | None = None
    _looks = 0
    """How often was looked after the turn under way."""
    _held: tuple[Event, ...] = ()
    """Keys that wait, oldest first."""

    def get_driver_class(self) -> type[Driver]:
        return once_at_a_time(read_by_us(super().get_driver_class()))

    @property
    def keys_wait(self) -> bool:
        """Whether keys wait for the one that is under way."""
        return bool(self._held)

    async def on_event(self, event: Event) -> None:
        if not isinstance(event, (Key, Paste)) or event.is_forwarded:
            await super().on_event(event)
            return
        for one in self._as_typed(event):
            await self._take(one)

    def _as_typed(self, event: Key | Paste) -> tuple[Event, ...]:
        """Escape and a letter soon after it look the same as the letter with alt to a terminal. What nothing is bound
        to was the former."""
        if not isinstance(event, Key) or not event.key.startswith("alt+") or not event.is_printable:
            return (event,)
        if event.key in self.active_bindings or event.character is None:
            return (event,)
        if event.key in WORD_KEYS and isinstance(self.focused, Input):
            return (Key(WORD_KEYS[event.key], None),)
        return Key("escape", "\x1b"), Key(event.character, event.character)

    async def _take(self, event: Event) -> None:
        if self._turn > 0:
            self._hold((*self._held, event))
            self._seek()
        else:
            await self._begin([event])

    async def _begin(self, together: Sequence[Event]) -> None:
        self._turn = abs(self._turn) + 1
        self._rounds = self._looks = 0
        goal = self.focused or self.screen
        self._begun = together[0], goal
        try:
            for event in together:
                await super().on_event(event)
        finally:
            self._send_marker(goal)

    def _send_marker(self, goal: DOMNode) -> None:
        self._rounds += 1
        self._goal = goal
        if not goal.post_message(self.Done(self._turn)):  # it is being removed
            self.post_message(self.Done(self._turn))

    async def on_keys_in_turn_done(self, message: Done) -> None:
        message.stop()
        if message.turn != self._turn:
            return
        goal = self.focused or self.screen
        waits = any(one.message_queue_size for one in goal.ancestors_with_self)
        unsettled = waits or self._rounds < _ROUNDS or goal is not self._goal
        if unsettled and self._rounds < _MOST_ROUNDS:
            self._send_marker(goal)
        else:
            await self._end()

    async def _end(self) -> None:
        self._turn = -abs(self._turn)
        if self._held:
            count = max(1, sum(1 for _ in takewhile(self._goes_along, self._held)))
            together = self._held[:count]
            self._hold(self._held[count:])
            await self._begin(together)

    def _goes_along(self, event: Event) -> bool:
        """Whether *event* can't lead elsewhere than the one before: text into a field, or the same key as before that
        left the focus where it was."""
        if not isinstance(event, Key):
            return False
        goal = self.focused or self.screen
        if isinstance(goal, Input):
            return event.is_printable
        before, begun = self._begun
        return isinstance(before, Key) and before.key == event.key and begun is goal

    def _hold(self, keys: tuple[Event, ...]) -> None:
        self._held = keys
        if self._watch is not None and not keys:
            self._watch.stop()
            self._watch = None
        elif self._watch is None and keys:
            self._watch = self.set_interval(_LOOK, self._look_after)

    async def _look_after(self) -> None:
        self._looks += 1
        if self._looks * _LOOK < _LONGEST:
            self._seek()
            return
        self._turn = -abs(self._turn)
        held = self._held
        self._hold(())
        for event in held:
            await super().on_event(event)

    def _seek(self) -> None:
        """Send the marker once more where it was lost: it went to a screen that has been closed meanwhile."""
        goal = self._goal
        if goal is not None and not (goal.is_attached and goal.screen in self.screen_stack):
            self._send_marker(self.focused or self.screen)

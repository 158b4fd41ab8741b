"""A fault of the application itself in words, for people and for whoever mends it. Loaded with the first fault."""

from __future__ import annotations

import platform
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tunnelui.frozen import frozen
from tunnelui.tui.lines.words import reason, safe

__all__ = ["Fault", "fault_of"]

_HERE: Final = Path(__file__).parent.parent
_LONGEST: Final = 20_000


@frozen
class Fault:
    """What went wrong. ``place`` is ``FILE:LINE in FUNCTION``; ``report`` is the whole, for whoever mends it."""

    words: str
    place: str
    report: str


def fault_of(error: BaseException) -> Fault:
    """Return *error* as words; the report has no values of variables, which may be secret."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_HERE)]
    place = ""
    if last := (ours or list(frames))[-1:]:
        (last_frame,) = last
        name = Path(last_frame.filename)
        shown = name.relative_to(_HERE.parent) if name.is_relative_to(_HERE) else name.name
        place = f"{shown}:{last_frame.lineno} in {last_frame.name}"
    words = f"{type(error).__name__}: {reason(error)}" if isinstance(error, Exception) else type(error).__name__
    lines = "".join(traceback.format_exception(error)).splitlines()
    programs = f"tunnelui {version('tunnelui')}, textual {version('textual')}"
    about = f"{programs}, Python {platform.python_version()}, {platform.system()}"
    report = "\n".join([about, *(safe(each, 2000) for each in lines)])
    return Fault(words, place, report[-_LONGEST:] if len(report) > _LONGEST else report + "\n")

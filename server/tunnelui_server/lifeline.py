"""Children end with their parent, also when it is killed without a chance to say so.

Each child holds the reading end of a pipe as its standard input; nobody but the parent has the writing end. When the
parent is gone, the pipe ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["follow_parent"]

_HURRY_AFTER: Final = 0.3
_GIVE_UP_AFTER: Final = 5.0


def follow_parent(runtime: Path | None) -> None:
    """Watch standard input in a thread; at its end, remove the folder *runtime* and stop this process.

    :param runtime: the folder that the parent made for this run; None where there is none that may be removed.

    Twice SIGTERM means: at once, without waiting for tunnels. Who then still runs is ended by force.
    """
    threading.Thread(target=_follow, args=(runtime,), name="lifeline", daemon=True).start()


def _follow(runtime: Path | None) -> None:
    try:
        while os.read(0, 64):
            pass
    except OSError:
        pass
    if runtime is not None:
        # The parent would have done this.
        shutil.rmtree(runtime, ignore_errors=True)
    for pause in (_HURRY_AFTER, _GIVE_UP_AFTER):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(pause)
    os._exit(1)

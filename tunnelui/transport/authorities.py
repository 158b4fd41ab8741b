"""The system's certificate authorities. Where they are one large file, OpenSSL needs some 30 ms to read them, without
Python's lock: a process that starts can load its modules meanwhile.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from typing import Final

from tunnelui.transport.resumption import ResumingContext

__all__ = ["context_with_authorities", "load_ahead"]

_lock: Final = threading.Lock()
_loading: threading.Thread | None = None
_loaded: list[ResumingContext] = []


def load_ahead() -> None:
    """Begin to load them for the next `context_with_authorities`. No effect while that was begun already."""
    global _loading
    with _lock:
        if _loading is None and not _loaded:
            # No daemon: OpenSSL must not be in use when the interpreter ends.
            _loading = threading.Thread(target=_load, name="tunnelui authorities")
            _loading.start()


def context_with_authorities() -> ResumingContext:
    """Return a client context of the caller's own that trusts the system's authorities, checks names and chains."""
    global _loading
    with _lock:
        if _loading is not None:
            _loading.join()
            _loading = None
        if _loaded:
            return _loaded.pop()
    return _make()


def _load() -> None:
    with contextlib.suppress(ssl.SSLError, OSError):  # whoever needs them meets the same error
        _loaded.append(_make())


def _make() -> ResumingContext:
    context = ResumingContext()
    context.load_default_certs()
    return context

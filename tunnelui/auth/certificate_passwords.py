"""Passwords of client certificates in the system's keyring, where somebody has asked for that.

Contexts are made in worker threads, so these calls block; each has a time limit all the same, since a keyring may wait
for a dialog that nobody sees.
"""

from __future__ import annotations

import queue
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from tunnelui.auth.keyring_store import delete_entry, find_backend
from tunnelui.errors import LocalError
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyring.backend import KeyringBackend

__all__ = ["forget_password", "keep_password", "kept_password"]

T = TypeVar("T")

_SERVICE: Final = "tunnelui client certificate"
_TIMEOUT: Final = 10.0  # seconds


def kept_password(path: str) -> str:
    """Return the password that is kept for the file *path*; empty when there is none, or the keyring can't be used."""
    try:
        return _with_backend(lambda backend: backend.get_password(_SERVICE, _entry(path))) or ""
    except LocalError:
        return ""


def keep_password(path: str, password: str) -> None:
    """Keep the password of the file *path*.

    :raises LocalError: the keyring can't be used.
    """
    _with_backend(lambda backend: backend.set_password(_SERVICE, _entry(path), password))


def forget_password(path: str) -> bool:
    """Forget the password of the file *path*; return whether there was one.

    :raises LocalError: the keyring can't be used.
    """

    def forget(backend: KeyringBackend) -> bool:
        had = backend.get_password(_SERVICE, _entry(path)) is not None
        if had:
            delete_entry(backend, _SERVICE, _entry(path))
        return had

    return _with_backend(forget)


def _entry(path: str) -> str:
    return str(Path(path).absolute())


def _with_backend(use: Callable[[KeyringBackend], T]) -> T:
    results: queue.SimpleQueue[T | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            backend = find_backend()
            results.put(LocalError(backend, code="keyring") if isinstance(backend, str) else use(backend))
        except Exception as error:  # backends raise what they like
            results.put(error)

    # A daemon: one that hangs keeps no process from ending.
    threading.Thread(target=work, name="tunnelui keyring", daemon=True).start()
    try:
        result = results.get(timeout=_TIMEOUT)
    except queue.Empty:
        raise LocalError(f"the keyring did not answer within {_TIMEOUT:g} s; is it locked?", code="keyring") from None
    if isinstance(result, LocalError):
        raise result
    if isinstance(result, Exception):
        raise LocalError(f"the keyring failed: {clean(str(result), 120) or type(result).__name__}", code="keyring")
    return result

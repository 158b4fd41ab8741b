"""Tokens in files: mode 0600 in a folder of mode 0700, for machines without a keyring and only when asked for.

One file per key, named by a hash, so that neither profile nor proxy shows in the folder. The file repeats both and
they are checked when it is read. Links are not followed, and what others can read or own is refused.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunnelui.atomic_file import make_private_folder, replace_file
from tunnelui.auth.blocking import BlockingCalls
from tunnelui.auth.token_store import StoreError, TokenKey
from tunnelui.auth.tokens import MAX_TOKEN, Token
from tunnelui.errors import SignInFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["FileStore", "default_folder"]

_TIMEOUT: Final = 10.0  # a home folder on a network may hang
_LARGEST: Final = 4 * MAX_TOKEN
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


def default_folder() -> Path:
    """Return ``tokens`` in the state folder; the same as `tunnelui.config.paths.tokens_dir`."""
    override = os.environ.get("TUNNELUI_STATE_DIR")
    if override:
        return Path(override).expanduser().absolute() / "tokens"
    import platformdirs

    return platformdirs.user_state_path("tunnelui", appauthor=False) / "tokens"


class FileStore:
    """One file per token in *folder*, which is made when the first token is saved."""

    kind = "file"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._calls = BlockingCalls("token files")

    @property
    def description(self) -> str:
        return f"files in {self.folder}"

    def path_of(self, key: TokenKey) -> Path:
        """Return where the token of *key* is kept."""
        return self.folder / f"{hashlib.sha256(str(key).encode()).hexdigest()}.json"

    async def load(self, key: TokenKey) -> Token | None:
        return await self._call(functools.partial(self._load, key))

    async def save(self, key: TokenKey, token: Token) -> None:
        await self._call(functools.partial(self._save, key, token))

    async def delete(self, key: TokenKey) -> None:
        await self._call(functools.partial(self._delete, key))

    async def _call(self, function: Callable[[], T]) -> T:
        try:
            return await self._calls.run(function, timeout=_TIMEOUT)
        except TimeoutError:
            raise StoreError(f"{self.folder} did not answer within {_TIMEOUT:g} s") from None
        except OSError as error:
            raise StoreError(f"the token file failed: {error.strerror or error} ({self.folder})") from error

    def _load(self, key: TokenKey) -> Token | None:
        path = self.path_of(key)
        try:
            self._check_folder()
            descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise StoreError(f"{path} is a link; token files are not followed through links") from None
            raise
        with os.fdopen(descriptor, "rb") as stream:
            _check_private(path, os.fstat(descriptor), stat.S_ISREG, 0o600)
            data = stream.read(_LARGEST)
        return _read(path, data, key)

    def _save(self, key: TokenKey, token: Token) -> None:
        make_private_folder(self.folder)
        self._check_folder()
        content = {"profile": key.profile, "proxy": str(key.proxy), "token": token.value}
        replace_file(self.path_of(key), json.dumps(content, indent=1).encode())

    def _delete(self, key: TokenKey) -> None:
        try:
            self._check_folder()
        except FileNotFoundError:
            return
        self.path_of(key).unlink(missing_ok=True)

    def _check_folder(self) -> None:
        # The folder itself, not what a link in its place points to.
        _check_private(self.folder, self.folder.lstat(), stat.S_ISDIR, 0o700)


def _check_private(path: Path, status: os.stat_result, is_kind: Callable[[int], bool], mode: int) -> None:
    """
    :raises StoreError: it is no plain file or folder, somebody else's, or open to others.
    """
    if not is_kind(status.st_mode):
        raise StoreError(f"{path} is not what it should be (a link, or another kind of file)")
    if not hasattr(os, "getuid"):  # Windows: the profile folder is private by its access list
        return
    if status.st_uid != os.getuid():
        raise StoreError(f"{path} belongs to somebody else", hint="Remove it, or choose another store.")
    if status.st_mode & 0o077:
        raise StoreError(
            f"{path} can be reached by others (mode {stat.S_IMODE(status.st_mode):04o}), so it is not used",
            hint=f"If nobody has read it: chmod {mode:o} {path}. Otherwise sign out and in again.",
        )


def _read(path: Path, data: bytes, key: TokenKey) -> Token | None:
    try:
        content = json.loads(data)
        if (content["profile"], content["proxy"]) != (key.profile, str(key.proxy)):
            raise StoreError(f"{path} belongs to another profile or proxy")
        return Token(content["token"])
    except (ValueError, KeyError, TypeError, RecursionError, SignInFailed):
        raise StoreError(f"{path} is damaged", hint="Sign in again to replace it.") from None

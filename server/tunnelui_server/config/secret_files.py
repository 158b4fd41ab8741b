"""Files that hold secrets: who may read them, and the shared secret that the server makes for itself."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from typing import TYPE_CHECKING, Final

from tunnelui.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SECRET_BYTES", "check_private", "decode_secret", "keep_shared_secret", "private_folder", "read_secret_file"]

SECRET_BYTES: Final = 32
_MAX_SECRET_FILE: Final = 64 * 1024
_HOW_TO_MAKE: Final = "Make one with: head -c32 /dev/urandom | base64"


def check_private(path: Path, *, place: str, what: str) -> None:
    """Refuse a file with a secret that just anybody may read, or that a stranger owns.

    The group may read it (a key for the ``ssl-cert`` group is usual); what a link points to is what counts.

    :raises ConfigError: it is missing or not private.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise ConfigError(f"{what} {path} can't be read: {error.strerror}", place=place) from None
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{what} {path} is no file", place=place)
    if found.st_mode & 0o027:
        raise ConfigError(
            f"{what} {path} is open to others (mode {stat.S_IMODE(found.st_mode):04o})",
            place=place,
            hint=f"Run: chmod 600 {path}",
        )
    if found.st_uid not in (0, os.getuid()):
        raise ConfigError(
            f"{what} {path} belongs to another user", place=place, hint=f"Run: chown {os.getuid()} {path}"
        )


def read_secret_file(path: Path, *, place: str, what: str) -> str:
    """The text of a file with a secret, without the white space around it.

    :raises ConfigError: it is missing, not private, empty, or no text.
    """
    check_private(path, place=place, what=what)
    try:
        with path.open("rb") as stream:
            text = stream.read(_MAX_SECRET_FILE).decode("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{what} {path} can't be read: {error.strerror}", place=place) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{what} {path} is no text", place=place) from None
    if not text:
        raise ConfigError(f"{what} {path} is empty", place=place)
    return text


def decode_secret(text: str, *, place: str) -> bytes:
    """The 32 bytes of a ``shared_secret``.

    :raises ConfigError: it is no base64, or of another length.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError("shared_secret is no base64", place=place, hint=_HOW_TO_MAKE) from None
    if len(raw) != SECRET_BYTES:
        raise ConfigError(
            f"shared_secret has {len(raw)} bytes and needs {SECRET_BYTES}", place=place, hint=_HOW_TO_MAKE
        )
    return raw


def private_folder(path: Path) -> None:
    """Make a folder that is ours alone (0700), or check that it is.

    :raises ConfigError: it can't be made, or others may look into it.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise ConfigError(f"the state folder {path} can't be made: {error.strerror}", place="state_dir") from None
    if found.st_uid != os.getuid():
        raise ConfigError(
            f"the state folder {path} belongs to another user",
            place="state_dir",
            hint="Run this as the user that the server runs as.",
        )
    if found.st_mode & 0o077:
        raise ConfigError(
            f"the state folder {path} is open to others (mode {stat.S_IMODE(found.st_mode):04o})",
            place="state_dir",
            hint=f"Run: chmod 700 {path}",
        )


def keep_shared_secret(folder: Path) -> bytes:
    """The secret of this installation, made at the first start and kept in the state folder with mode 0600.

    Several processes may come here at once: the file appears whole or not at all, and the first one wins.

    :raises ConfigError: the folder or the file can't be used, or others may read it.
    """
    private_folder(folder)
    path = folder / "shared-secret"
    place = "state_dir"
    try:
        if not path.exists():
            _make_secret(path)
        found = path.lstat()
    except OSError as error:
        raise ConfigError(f"the shared secret {path} can't be made: {error.strerror}", place=place) from None
    if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077:
        raise ConfigError(
            f"the shared secret {path} is open to others or is no file", place=place, hint=f"Run: chmod 600 {path}"
        )
    return decode_secret(read_secret_file(path, place=place, what="the shared secret"), place=str(path))


def _make_secret(path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(base64.b64encode(secrets.token_bytes(SECRET_BYTES)) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        # A link never replaces a file that is there already; a rename would.
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink(missing_ok=True)

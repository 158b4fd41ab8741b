"""The password of a client certificate: from a file that the profile names, or from whoever asked a person for it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunnelui.errors import ConfigError
from tunnelui.text import clean

if TYPE_CHECKING:
    from tunnelui.config.profile import Profile

__all__ = ["certificate_password"]

_LARGEST: Final = 4096


def certificate_password(profile: Profile) -> str:
    """Return the password of *profile*'s client certificate, or ``""``. Its file is read now; one line end is no part.

    :raises ConfigError: the file can't be read, or others can read it.
    """
    path = profile.client_cert_password_file
    if profile.client_cert_password or not path:
        return profile.client_cert_password
    try:
        with Path(path).open("rb") as stream:
            if os.name == "posix" and os.fstat(stream.fileno()).st_mode & (stat.S_IROTH | stat.S_IWOTH):
                raise ConfigError(
                    "holds a password and can be read by everybody on this machine",
                    place=path,
                    hint=f"Run: chmod 600 {path}",
                )
            data = stream.read(_LARGEST)
    except OSError as error:
        raise ConfigError(
            f"the password of the client certificate can't be read: {clean(error.strerror or str(error))}", place=path
        ) from None
    return data.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")

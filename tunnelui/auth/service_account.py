"""A token without a person: given, used before any other, never stored."""

from __future__ import annotations

import os
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunnelui.auth.tokens import MAX_TOKEN, Token
from tunnelui.errors import ConfigError, SignInFailed
from tunnelui.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ServiceAccount"]

_TIMEOUT: Final = 10.0


@frozen
class ServiceAccount:
    """Either *value* or *file* is set. A file is read again when its token is refused: such files are rotated.

    :param place: who gave it, for messages: ``--service-account-file``.
    """

    value: str = field(default="", repr=False)
    file: Path | None = None
    place: str = "--service-account"

    @classmethod
    def choose(
        cls,
        value: str | None = None,
        file: str | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        profile_value: str = "",
        profile_file: str = "",
    ) -> ServiceAccount | None:
        """Return the first given: by flag, environment (``TUNNELUI_SERVICE_ACCOUNT``, ``…_FILE``), or profile."""
        environ = os.environ if environ is None else environ
        name = "TUNNELUI_SERVICE_ACCOUNT"
        for text, path, place in (
            (value, file, "--service-account"),
            (environ.get(name), environ.get(f"{name}_FILE"), name),
            (profile_value, profile_file, "service_account"),
        ):
            if text:
                return cls(value=text, place=place)
            if path:
                suffix = "-file" if place.startswith("--") else "_FILE" if place == name else "_file"
                return cls(file=Path(path).expanduser(), place=f"{place}{suffix}")
        return None

    async def token(self) -> Token:
        """Return the token; a file is read now.

        :raises ConfigError: the file can't be read, or it holds no token.
        """
        place = f"{self.place} {self.file}" if self.file else self.place
        if self.file is None:
            text = self.value
        else:
            from tunnelui.auth.blocking import BlockingCalls

            try:
                text = await BlockingCalls("service account").run(self._read, timeout=_TIMEOUT)
            except TimeoutError:
                raise ConfigError(f"can't be read within {_TIMEOUT:g} s", place=place) from None
            except OSError as error:
                raise ConfigError(f"can't be read: {error.strerror or error}", place=place) from error
        try:
            return Token(text.strip())
        except SignInFailed as error:
            raise ConfigError(error.message, place=place, code="service_account") from None

    def _read(self) -> str:
        if self.file is None:
            raise AssertionError("only called with a file")
        with self.file.open("rb") as stream:
            return stream.read(2 * MAX_TOKEN).decode("utf-8", "replace")

"""Lending ``config.toml`` to the user's editor. tunnelui itself writes it once: a template that somebody saved."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunnelui.atomic_file import make_private_folder, replace_file
from tunnelui.errors import LocalError
from tunnelui.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TEMPLATE", "Draft", "editor_command"]

TEMPLATE: Final = """\
# Settings of tunnelui. Take away the # before a line to make it count; docs/commands.md says more.

# token_store = "keyring"         # or "file", "memory"
# notifications = false           # tell on the desktop what needs a person
# theme = "dark"                  # of the screen: light, dusk, sand, contrast, ansi
# warm = 1                        # connections kept ready for each proxy in use; 0: none

# [profiles.corp]
# proxy_url = "https://pomerium.corp.example.com"
# ca_file = "corp-ca.pem"         # relative to this file; ~ is the home folder
# client_cert = "me.pem"
# client_key = "me.key"

# [keys]                          # of the screen: an action's id, and its key
# "copy.as" = "ctrl+o"
"""


@frozen
class Draft:
    """What the editor opens for *target*: that file, or a template elsewhere while there is none. All calls block."""

    target: Path
    path: Path
    before: tuple[int, bytes]

    @classmethod
    def of(cls, target: Path) -> Draft:
        """
        :raises LocalError: there is no room for a template.
        """
        path = target
        try:
            if not target.exists():
                path = Path(tempfile.mkdtemp(prefix="tunnelui-")) / target.name
                path.write_text(TEMPLATE, "utf-8")
            return cls(target, path, _state(path))
        except OSError as error:
            raise LocalError(f"{path} can't be opened: {error.strerror or error}", code="config_file") from None

    def close(self) -> bool:
        """Keep what was saved, and return whether anything was; a template that nobody saved leaves nothing behind.

        :raises LocalError: it can't be written; what was typed stays where the message says.
        """
        try:
            saved = _state(self.path) != self.before
            if self.path != self.target:
                if saved:
                    make_private_folder(self.target.parent)
                    replace_file(self.target, self.path.read_bytes())
                shutil.rmtree(self.path.parent, ignore_errors=True)
            return saved
        except OSError as error:
            raise LocalError(
                f"{self.target} can't be written: {error.strerror or error}",
                code="config_file",
                hint=f"What you typed is in {self.path}.",
            ) from None


def editor_command(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the program of ``VISUAL`` or ``EDITOR`` with its arguments, or the first usual one that is installed.

    :raises LocalError: there is none.
    """
    for name in ("VISUAL", "EDITOR"):
        try:
            words = shlex.split(environ.get(name, ""))
        except ValueError:
            raise LocalError(f"{name} can't be read as a command", code="no_editor", hint="Mend its quotes.") from None
        if words:
            return words
    for program in ("editor", "nano", "vim", "vi"):
        if found := shutil.which(program):
            return [found]
    raise LocalError("no editor is known", code="no_editor", hint="Set EDITOR, for example: export EDITOR=vi")


def _state(path: Path) -> tuple[int, bytes]:
    """The time of the last write, and what is there: saving the same again counts as saving."""
    try:
        return path.stat().st_mtime_ns, path.read_bytes()
    except FileNotFoundError:
        return 0, b""

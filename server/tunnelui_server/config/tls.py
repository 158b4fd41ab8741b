"""``certificate_file`` with ``certificate_key_file``, and the list ``certificates``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.errors import ConfigError
from tunnelui.text import clean
from tunnelui.transport.tls import server_context
from tunnelui_server.config.keys import nearest
from tunnelui_server.config.model import Certificate
from tunnelui_server.config.secret_files import check_private

if TYPE_CHECKING:
    from pathlib import Path

    from tunnelui_server.config.reader import Section

__all__ = ["read_certificates"]


def read_certificates(top: Section, folder: Path) -> tuple[Certificate, ...]:
    """Every pair that is named, each tried out; relative paths start from *folder*."""
    found: list[Certificate] = []
    _read_pair(top, folder, "certificate_file", "certificate_key_file", found)
    keys = frozenset({"cert", "key"})
    for section in top.sections("certificates"):
        for key in section:
            if key not in keys:
                guess = nearest(key, keys)
                hint = f"Did you mean “{guess}”?" if guess else "An entry has cert and key."
                section.problems.add(section.place_of(key), f"unknown key “{clean(key)}” in certificates", hint)
        _read_pair(section, folder, "cert", "key", found)
    if not any(key in top for key in ("certificate_file", "certificate_key_file", "certificates")):
        top.problems.add(
            top.place,
            "there is no certificate",
            "Write certificate_file and certificate_key_file (PEM), or, for plain HTTP on the loopback, "
            "insecure_server: true.",
        )
    return tuple(found)


def _read_pair(section: Section, folder: Path, cert_key: str, key_key: str, found: list[Certificate]) -> None:
    cert, key = section.text(cert_key), section.text(key_key)
    if not cert and not key:
        return
    if not cert or not key:
        missing, given = (cert_key, key_key) if not cert else (key_key, cert_key)
        section.wrong(given, f"{missing} is missing", "A certificate and its key come together.")
        return
    pair = Certificate(folder / cert, folder / key)
    try:
        check_private(pair.key, place="", what="the key")
        server_context([(str(pair.cert), str(pair.key))])
    except ConfigError as error:
        # What transport says names the file; here the line that names it comes first.
        section.problems.add(section.place_of(cert_key), f"{cert_key}: {error}", error.hint)
        return
    found.append(pair)

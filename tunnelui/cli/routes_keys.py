"""Certificates and keys of Pomerium Desktop's export: files in a folder, and the profiles that name them.

``config.toml`` belongs to the person: what it needs is printed, and nothing is written into it.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import tomli_w

from tunnelui.atomic_file import make_private_folder, replace_file
from tunnelui.cli.output import print_line, print_note
from tunnelui.config.route_rules import free_name, way_of
from tunnelui.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tunnelui.config.desktop_json import DesktopTls
    from tunnelui.config.route import Route

__all__ = ["write_keys"]


def write_keys(
    folder: str, tls: Sequence[DesktopTls], imported: Sequence[Route], saved: Sequence[Route], taken: Collection[str]
) -> None:
    """Write the files of *tls*, each with mode 0600, and print the profiles that name them.

    :param imported: the routes as the export names them.
    :param saved: all routes, as they are called here.
    :param taken: the names of profiles that are there.
    :raises LocalError: a file can't be written.
    """
    names = set(taken)
    settings: dict[tuple[bool, bytes, bytes, bytes], tuple[str, list[str]]] = {}
    for one in tls:
        way = next(way_of(route)[:2] for route in imported if route.name == one.name)
        here = [route.name for route in saved if way_of(route)[:2] == way]
        same = (one.verify, one.ca, one.cert, one.key)
        if same not in settings:
            settings[same] = free_name("desktop", names), []
            names.add(settings[same][0])
        settings[same][1].extend(here)
    profiles = {name: _write(Path(folder).absolute(), name, *same) for same, (name, _) in settings.items()}
    if not profiles:
        print_note("There are no TLS settings in it.")
        return
    print_line(tomli_w.dumps({"profiles": profiles}).rstrip("\n"))
    print_note("Put these lines into config.toml, then:")
    for name, routes in settings.values():
        for route in dict.fromkeys(routes):
            print_note(f"  tunnelui routes edit {shlex.quote(route)} --profile {name}")


def _write(folder: Path, name: str, verify: bool, ca: bytes, cert: bytes, key: bytes) -> dict[str, str | bool]:
    profile: dict[str, str | bool] = {} if verify else {"verify": False}
    for field, what, data in (("ca_file", "ca", ca), ("client_cert", "cert", cert), ("client_key", "key", key)):
        if data:
            path = folder / f"{name}-{what}.pem"
            try:
                make_private_folder(folder)
                replace_file(path, data)
            except OSError as error:
                raise LocalError(f"{path} can't be written: {error.strerror}", code="import") from None
            profile[field] = str(path)
    return profile

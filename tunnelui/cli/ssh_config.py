"""``tunnelui ssh-config``: the lines that send ssh through a tunnel."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tunnelui.atomic_file import make_private_folder, replace_file
from tunnelui.cli.context import saved_routes
from tunnelui.cli.output import Exit, print_line, print_note
from tunnelui.config.paths import config_file
from tunnelui.config.settings import load_settings
from tunnelui.config.ssh_block import put_block, remove_block, render_block
from tunnelui.engine.destinations import resolve_destination
from tunnelui.errors import ConfigError, LocalError

if TYPE_CHECKING:
    import argparse

    from tunnelui.cli.options import Parser

__all__ = ["add_arguments", "program_path", "run"]

_SSH = 22


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "patterns",
        nargs="*",
        metavar="PATTERN",
        help="hosts, *.corp.example.com; by default those of saved routes to port 22",
    )
    parser.add_switch("--write", help="put it into the file, between markers; again and again gives the same")
    parser.add_switch("--remove", help="take it out of the file")
    parser.add_flag("--file", metavar="FILE", help="the file, ~/.ssh/config by default")
    parser.add_flag("--profile", metavar="NAME", help="the profile of config.toml to use")
    parser.add_flag("--proxy-url", metavar="URL", help="the proxy, where it does not follow from the host")


def run(arguments: argparse.Namespace) -> int:
    file = Path(arguments.file or "~/.ssh/config").expanduser()
    if arguments.remove:
        _change(file, remove=True)
        return Exit.DONE
    command = [*program_path(), "tcp", "--listen", "-"]
    for flag, value in (("--profile", arguments.profile), ("--proxy-url", arguments.proxy_url)):
        command += [flag, value] if value else []
    block = render_block(arguments.patterns or _hosts(), command)
    if arguments.write:
        _change(file, block)
    else:
        print_line(block.rstrip("\n"))
    return Exit.DONE


def program_path() -> list[str]:
    """Return how this program is started from anywhere: its absolute path, or the interpreter with the module."""
    found = shutil.which(sys.argv[0]) if Path(sys.argv[0]).name == "tunnelui" else None
    return [str(Path(found).absolute())] if found else [sys.executable, "-m", "tunnelui"]


def _hosts() -> list[str]:
    """The hosts of saved routes to port 22."""
    settings = load_settings(config_file())
    targets = [resolve_destination(route, settings.profile(route.profile)).authority for route in saved_routes().load()]
    hosts = list(dict.fromkeys(target.host for target in targets if target.port == _SSH))
    if not hosts:
        raise ConfigError(
            "no saved route leads to port 22",
            code="no_hosts",
            hint="Name the hosts: tunnelui ssh-config '*.corp.example.com'",
        )
    return hosts


def _change(file: Path, block: str = "", *, remove: bool = False) -> None:
    """Write the file anew, atomically, with the mode that it has. A link stays a link.

    :raises LocalError: it can't be read or written.
    """
    target = file.resolve()
    try:
        try:
            with target.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
                text = stream.read()
            mode = target.stat().st_mode & 0o777
        except FileNotFoundError:
            text, mode = "", 0o600
        new = remove_block(text, str(file)) if remove else put_block(text, block, str(file))
        if new == text:
            print_note(f"{file} is as it should be.")
            return
        make_private_folder(target.parent)
        replace_file(target, new.encode("utf-8", "surrogateescape"))
        target.chmod(mode)
    except OSError as error:
        raise LocalError(f"{file}: {error.strerror or error}", code="ssh_config") from None
    print_note(f"{'Removed it from' if remove else 'Wrote'} {file}.")

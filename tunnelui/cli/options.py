"""The argument parser, and the flags that several subcommands share.

Every flag has an environment variable: ``--proxy-url`` is ``TUNNELUI_PROXY_URL``. A flag on the command line wins over
its variable, the variable over ``config.toml``. Exempt are the fields of a route in ``routes add`` and ``routes edit``:
a variable that is set for tunnels must not change what is saved.
"""

from __future__ import annotations

import argparse
import math
import os
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from tunnelui.cli.output import Exit, print_line, print_note
from tunnelui.errors import ConfigError
from tunnelui.frozen import frozen
from tunnelui.text import clean
from tunnelui.version import VERSION
from tunnelui.wire.address import parse_listen
from tunnelui.wire.destination import parse_proxy_url

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

__all__ = [
    "Parser",
    "add_identity_flags",
    "add_json_flag",
    "add_proxy_flags",
    "nearest",
    "read_listen",
    "read_seconds",
]

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"", "0", "false", "no", "off"})
_OFF: Final = "=false"


@frozen
class _Flag:
    """How a flag is read once it is known whether the command line or the environment gives it."""

    name: str
    dest: str
    variable: str
    read: Callable[[str], Any]
    repeatable: bool


class _Version(argparse.Action):
    """Prints the version."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> NoReturn:
        print_line(f"tunnelui {VERSION}")
        raise SystemExit(Exit.DONE)


class Parser(argparse.ArgumentParser):
    """Says what is wrong and where help is, without the whole usage text.

    Flags and positional arguments may be mixed. Switches may have a value, as in Go: ``--json=true``.
    """

    def __init__(self, prog: str, description: str = "", epilog: str = "") -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
        )
        self._flags: list[_Flag] = []
        self._has_actions = False
        self._keeps_rest = False
        self.commands: Collection[str] = ()
        """What has to stand first, and is told so where it stands elsewhere."""

    def add_flag(
        self,
        *names: str,
        help: str,
        metavar: str,
        read: Callable[[str], Any] = str,
        repeatable: bool = False,
        group: argparse._ArgumentGroup | None = None,
    ) -> None:
        """Add a flag that takes a value; its variable is made from the first name.

        :param read: turns each text into the value; raises `ConfigError` where it is wrong.
        :param repeatable: the value is a list; its variable separates with commas.
        """
        variable = _variable(names[0])
        action = (group or self).add_argument(
            *names, action="append" if repeatable else "store", metavar=metavar, help=f"{help} [{variable}]"
        )
        self._flags.append(_Flag(names[0], action.dest, variable, read, repeatable))

    def add_switch(self, name: str, *, help: str, group: argparse._ArgumentGroup | None = None) -> None:
        """Add a flag that is on or off."""
        variable, target = _variable(name), group or self
        action = target.add_argument(name, action="store_true", default=None, help=f"{help} [{variable}]")
        target.add_argument(name + _OFF, action="store_false", default=None, dest=action.dest, help=argparse.SUPPRESS)
        self._flags.append(_Flag(name, action.dest, variable, _read_switch, repeatable=False))

    def add_version(self) -> None:
        """Add ``--version``."""
        self.add_argument("--version", action=_Version, nargs=0, help="show the version")

    def add_actions(self, metavar: str) -> argparse._SubParsersAction[Parser]:
        """Take one of several words as the first argument, each with a parser of its own."""
        self._has_actions = True
        return self.add_subparsers(dest="action", metavar=metavar)

    def keep_rest(self) -> None:
        """Leave what stands behind ``--`` alone: it is ``rest`` in the result, and ``None`` without a ``--``."""
        self._keeps_rest = True

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse *arguments* and the environment; wrong usage ends the process with exit code 2.

        ``given`` in the result holds the names of the flags that the command line gave, not the environment.

        :raises ConfigError: a value is wrong; ``place`` names the flag or the variable.
        """
        rest: list[str] | None = None
        if self._keeps_rest and "--" in arguments:
            at = list(arguments).index("--")
            arguments, rest = arguments[:at], list(arguments[at + 1 :])
        given = list(self._spell_switches(arguments))
        if not {"-h", "--help"} & set(given):
            self.usage = self.prog  # argparse would lay it all out first, for messages that we don't print
        parse = self.parse_known_args if self._has_actions else self.parse_known_intermixed_args
        namespace, unknown = parse(given)
        if unknown:
            if late := next((word for word in unknown if word in self.commands), ""):
                self.error(f"the command comes first: {self.prog} {late} …")
            self._in_charge(namespace).error(self._unknown(unknown[0], namespace))
        namespace.rest = rest
        namespace.given = {flag.dest for flag in self._flags if getattr(namespace, flag.dest) is not None}
        for flag in self._flags:
            setattr(namespace, flag.dest, _value(flag, getattr(namespace, flag.dest)))
        return namespace

    def _get_formatter(self) -> argparse.HelpFormatter:
        # argparse makes one with every argument, and without a width each of them has shutil measure the terminal.
        return argparse.RawDescriptionHelpFormatter(self.prog, width=_width())

    def error(self, message: str) -> NoReturn:
        print_note(f"{self.prog}: {clean(message, 400)}")
        print_note(f"  {self.prog} --help shows how it is used.")
        raise SystemExit(Exit.USAGE)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            text = f"“{clean(str(value), 60)}” is not one of {', '.join(known)}{nearest(str(value), known)}"
            if not action.option_strings:
                self.error(text)  # whose name would be a list of the same words
            raise argparse.ArgumentError(action, text)

    def _spell_switches(self, arguments: Sequence[str]) -> Iterator[str]:
        """Turn ``--switch=VALUE`` into one of the two spellings that are known."""
        literal = False
        for argument in arguments:
            literal = literal or argument == "--"
            name, equals, value = argument.partition("=")
            action = self._option_string_actions.get(name)
            if literal or not equals or action is None or action.nargs != 0:
                yield argument
                continue
            try:
                yield name if _read_switch(value) else name + _OFF
            except ConfigError as error:
                self.error(f"argument {name}: {error}")

    def _in_charge(self, namespace: argparse.Namespace) -> argparse.ArgumentParser:
        """The parser of the action that was named, or this one."""
        for action in self._actions:
            parsers = action.choices if self._has_actions and action.dest == "action" else None
            if isinstance(parsers, dict) and namespace.action in parsers:
                return cast("argparse.ArgumentParser", parsers[namespace.action])
        return self

    def _unknown(self, argument: str, namespace: argparse.Namespace) -> str:
        if not argument.startswith("-"):
            return "there is one argument too many"
        name = argument.partition("=")[0]
        known = {*self._option_string_actions, *self._in_charge(namespace)._option_string_actions}
        return f"there is no flag “{clean(name, 60)}”{nearest(name, (flag for flag in known if _OFF not in flag))}"


def add_json_flag(parser: Parser) -> None:
    parser.add_switch("--json", help="print one JSON object a line")


def add_proxy_flags(parser: Parser) -> None:
    """Add what says how to reach the proxy and whether to trust it."""
    group = parser.add_argument_group("the proxy")
    parser.add_flag("--profile", metavar="NAME", help="the profile of config.toml to use", group=group)
    parser.add_flag(
        "--proxy-url",
        "--pomerium-url",
        metavar="URL",
        read=_read_proxy_url,
        help="the proxy, https://HOST[:PORT], where it does not follow from the destination",
        group=group,
    )
    parser.add_flag(
        "--alternate-ca-path", metavar="FILE", help="PEM file with CAs to trust beside the system's", group=group
    )
    parser.add_flag("--ca-cert", metavar="BASE64", help="the same as base64 of the PEM text", group=group)
    parser.add_flag(
        "--client-cert", metavar="FILE", help="PEM file with the client certificate, or PKCS#12 file", group=group
    )
    parser.add_flag("--client-key", metavar="FILE", help="PEM file with its key", group=group)
    parser.add_flag(
        "--client-cert-password-file",
        metavar="FILE",
        help="file with the password of the certificate; the variable TUNNELUI_CLIENT_CERT_PASSWORD may hold it, too",
        group=group,
    )
    parser.add_switch("--disable-tls-verification", help="trust any certificate (never on a real network)", group=group)


def add_identity_flags(parser: Parser) -> None:
    """Add what says who signs in, and how."""
    group = parser.add_argument_group("signing in")
    parser.add_flag(
        "--token-store",
        metavar="keyring|file|memory",
        read=_read_store,
        help="where the token is kept",
        group=group,
    )
    parser.add_flag("--browser-cmd", metavar="PROGRAM", help="program that opens the sign-in address", group=group)
    parser.add_switch("--no-browser", help="print the sign-in address and open nothing", group=group)
    parser.add_flag("--service-account", metavar="TOKEN", help="token of a service account, never stored", group=group)
    parser.add_flag("--service-account-file", metavar="FILE", help="file with that token", group=group)


def read_listen(text: str) -> str:
    """Check a listen address.

    :raises ConfigError: it is none.
    """
    parse_listen(text)
    return text


def read_seconds(text: str) -> float:
    """Return a duration.

    :raises ConfigError: it is no number from 0 to a day.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 86400:
        raise ConfigError(f"“{clean(text, 40)}” is no number of seconds", hint="Write a number from 0 to 86400.")
    return value


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean “…”?`` for the known word nearest to *name*, or nothing."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean “{near[0]}”?" if near else ""


def _value(flag: _Flag, given: Any) -> Any:
    """Return the value of *flag*: from the command line, else from the environment, else nothing."""
    if flag.read is _read_switch and given is not None:
        return given
    texts = given if isinstance(given, list) else [] if given is None else [given]
    place = flag.name
    if given is None:
        place = flag.variable
        text = os.environ.get(flag.variable, "")
        texts = [part.strip() for part in text.split(",")] if flag.repeatable and text else [text] if text else []
    try:
        values = [flag.read(text) for text in texts]
    except ConfigError as error:
        raise ConfigError(error.message, place=place, code=error.code, hint=error.hint) from None
    if flag.repeatable:
        return values
    return values[0] if values else (False if flag.read is _read_switch else None)


def _width() -> int:
    """How wide the help may be: the terminal's width, which ``COLUMNS`` may say, less a margin."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns) - 2
    try:
        return (os.get_terminal_size().columns or 80) - 2
    except OSError:
        return 78


def _variable(flag: str) -> str:
    return "TUNNELUI_" + flag.lstrip("-").replace("-", "_").upper()


def _read_switch(text: str) -> bool:
    value = text.strip().lower()
    if value not in _TRUE | _FALSE:
        raise ConfigError(f"“{clean(text, 40)}” is neither true nor false", hint="Write true or false.")
    return value in _TRUE


def _read_proxy_url(text: str) -> str:
    if text:
        parse_proxy_url(text)
    return text


def _read_store(text: str) -> str:
    from tunnelui.auth.stores import STORE_KINDS

    if text not in STORE_KINDS:
        raise ConfigError(
            f"“{clean(text, 40)}” is no token store{nearest(text, STORE_KINDS)}",
            hint=f"Choose one of: {', '.join(STORE_KINDS)}.",
        )
    return text

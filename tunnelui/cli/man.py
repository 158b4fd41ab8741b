"""``tunnelui man``: manual pages, made from the same definitions as ``--help`` and completion."""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING, Any

from tunnelui.cli.options import Parser
from tunnelui.cli.output import Exit, print_line
from tunnelui.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["add_arguments", "page", "run"]

_EXITS = (
    ("0", "Done."),
    ("1", "Failed: a local port is taken, a file can't be written, a signal ended the work."),
    ("2", "Wrong usage or configuration."),
    ("3", "A sign-in is needed, or it failed."),
    ("4", "Denied: signed in, and not allowed."),
    ("5", "The proxy or the service behind it is unavailable."),
)
_FILES = (
    (
        "~/.config/tunnelui/config.toml",
        "Settings and profiles; read, never written. TUNNELUI_CONFIG_DIR is another folder.",
    ),
    ("~/.config/tunnelui/routes.toml", "The saved routes."),
    (
        "~/.local/state/tunnelui/tunnelui.log",
        "Warnings and faults, without tokens. TUNNELUI_STATE_DIR is another folder.",
    ),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("subject", nargs="?", default="", metavar="COMMAND", help="which command; by default all of it")


def run(arguments: argparse.Namespace) -> int:
    from tunnelui.cli.main import ACTIONS, COMMANDS

    if arguments.subject and arguments.subject not in COMMANDS:
        Parser("tunnelui man").error(f"there is no command “{arguments.subject}”")
    print_line(page(arguments.subject, COMMANDS, ACTIONS))
    return Exit.DONE


def page(command: str, commands: dict[str, str], actions: Mapping[tuple[str, str], str] | None = None) -> str:
    """Return the roff of the page of *command*, or of the whole program (empty).

    :param actions: those actions of commands that have a module of their own.
    """
    modules = {action: module for (name, action), module in (actions or {}).items() if name == command}
    name = f"tunnelui-{command}" if command else "tunnelui"
    purpose = commands.get(command, "private TCP services behind an identity-aware proxy")
    lines = [
        f'.TH "{_text(name.upper())}" 1 "" "tunnelui {VERSION}" "User Commands"',
        ".SH NAME",
        f"{_text(name)} \\- {_text(purpose)}",
        ".SH SYNOPSIS",
    ]
    if command:
        parser = _parser(command)
        lines += [f".B tunnelui {_text(command)}", _text(_usage(parser)), *_options(parser, modules)]
    else:
        lines += [".B tunnelui", "[flags]", ".br", ".B tunnelui", ".I command", "[arguments]", ".SH COMMANDS"]
        for each, text in commands.items():
            lines += [".TP", f".B {_text(each)}", _text(text[0].upper() + text[1:] + ".")]
        lines += _options(_parser(""))
    lines.append(".SH EXIT STATUS")
    for code, text in _EXITS:
        lines += [".TP", f".B {code}", _text(text)]
    lines += [
        ".SH ENVIRONMENT",
        "A flag has the variable that is named beside it, and wins over it.",
        ".SH FILES",
    ]
    for file, text in _FILES:
        lines += [".TP", f".I {_text(file)}", _text(text)]
    others = [each for each in commands if each != command]
    lines += [".SH SEE ALSO", _text(", ".join(f"tunnelui-{each}(1)" for each in others))]
    return "\n".join(lines)


def _parser(command: str, module: str = "") -> Parser:
    parser = Parser(f"tunnelui {command}".strip())
    importlib.import_module(f"tunnelui.cli.{module or command.replace('-', '_') or 'ui'}").add_arguments(parser)
    return parser


def _usage(parser: Parser) -> str:
    words = " ".join(parser.format_usage().split())
    return words.removeprefix("usage: ").removeprefix(parser.prog).strip()


def _options(parser: Parser, modules: Mapping[str, str] | None = None) -> list[str]:
    """Return the entries of all arguments and flags.

    :param modules: which actions have a module of their own.
    """
    lines: list[str] = []
    actions = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    for title, wanted in (("ARGUMENTS", False), ("OPTIONS", True)):
        chosen = [action for action in actions if bool(action.option_strings) is wanted]
        if chosen:
            lines.append(f".SH {title}")
        for action in chosen:
            if isinstance(action.choices, dict):
                for name, inner in action.choices.items():
                    own = (modules or {}).get(name)
                    lines += _action(
                        name, _help_of(action, name), _parser(f"{parser.prog} {name}", own) if own else inner
                    )
            else:
                lines += _entry(action)
    return lines


def _action(name: str, help: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """An action of a command with its arguments, and below it its flags."""
    known = [action for action in parser._actions if action.help != argparse.SUPPRESS and action.dest != "help"]
    words = [name, *(_positional(action) for action in known if not action.option_strings)]
    flags = [action for action in known if action.option_strings]
    yield ".TP"
    yield f".B {_text(' '.join([*words, *['[flags]'] * bool(flags)]))}"
    yield _text(help)
    if flags:
        yield ".RS"
        for action in flags:
            yield from _entry(action)
        yield ".RE"


def _positional(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest)
    return {"?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} ..."}.get(str(action.nargs), name)


def _entry(action: Any) -> Iterator[str]:
    names: Sequence[str] = action.option_strings or [str(action.metavar or action.dest)]
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
    value = f" {value}" if action.option_strings and value and action.nargs != 0 else ""
    yield ".TP"
    yield f".B {_text(', '.join(names) + value)}"
    yield _text(str(action.help or "").replace("%%", "%"))


def _help_of(action: Any, name: str) -> str:
    return next((str(each.help or "") for each in action._choices_actions if each.dest == name), "")


def _text(text: str) -> str:
    """Return *text* as roff shows it: backslash, hyphen and a leading dot mean something there."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("“", "\\(lq").replace("”", "\\(rq")
    escaped = escaped.replace("…", "...").replace("→", "\\(->")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped

"""``tunnelui completion``: scripts for bash, zsh and fish. They ask this program what may follow, so that they know the
routes that are saved now and every flag that there is.
"""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING, Any, Final

from tunnelui.cli.context import saved_routes
from tunnelui.cli.options import Parser
from tunnelui.cli.output import Exit, print_line
from tunnelui.config.paths import config_file
from tunnelui.config.settings import TOKEN_STORES, load_settings
from tunnelui.errors import TunnelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["add_arguments", "candidates", "run"]

_BASH: Final = r"""# tunnelui completion for bash: eval "$(tunnelui completion bash)"
_tunnelui() {
    local line word last= quote= count=0 IFS=$'\n' words=() current="${COMP_WORDS[COMP_CWORD]}"
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        # As bash will read it, without its quotes; and it has taken --flag=value apart.
        quote=
        [[ $word == [\'\"]* ]] && quote="${word:0:1}" && word="${word:1}" && word="${word%"$quote"}"
        [[ -z $quote ]] && word="${word//\\/}"
        if (( count )) && [[ $word == = && ${words[count-1]} == --* || $last == = && ${words[count-1]} == --*= ]]; then
            words[count-1]+="$word"
        else
            words[count]="$word"
            count=$((count + 1))
        fi
        last="$word"
    done
    word="${words[count-1]}"
    COMPREPLY=()
    while read -r line; do
        line="${line%%$'\t'*}"
        [[ $line == "$word"* ]] || continue
        [[ $word == --*=* && $current != --* ]] && line="${line#*=}"
        [[ -z $quote ]] && line="$(printf %q "$line")"
        COMPREPLY+=("$line")
    done < <(tunnelui completion words -- "${words[@]}" 2>/dev/null)
}
complete -o default -F _tunnelui tunnelui
"""
_ZSH: Final = r"""#compdef tunnelui
# tunnelui completion for zsh: eval "$(tunnelui completion zsh)"
_tunnelui() {
    local line value
    local -a found described
    for line in "${(@f)$(tunnelui completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ -z $line ]] && continue
        value="${line%%$'\t'*}"
        found+=("$value")
        line="${line#*$'\t'}"
        described+=("$value${line:+  -- $line}")
    done
    if (( $#found )); then
        compadd -l -d described -a found
    else
        _files
    fi
}
if [[ $funcstack[1] == _tunnelui ]]; then _tunnelui "$@"; else compdef _tunnelui tunnelui; fi
"""
_FISH: Final = r"""# tunnelui completion for fish: tunnelui completion fish | source
function __tunnelui
    set -l words (commandline -opc) (commandline -ct)
    tunnelui completion words -- $words[2..] 2>/dev/null
end
complete -c tunnelui -f -a '(__tunnelui)'
"""
_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_ROUTES: Final = frozenset({"up", "down", "status", "logs", "wait", "exec", "diagnose", "login", "logout", "whoami"})
_TAGS: Final = frozenset({"up", "down", "status"})
_ROUTE_ACTIONS: Final = frozenset({"show", "edit", "clone", "remove", "export", "discover"})


def add_arguments(parser: Parser) -> None:
    parser.keep_rest()
    parser.add_argument(
        "shell", choices=(*_SCRIPTS, "words"), help="whose script to print; the scripts themselves use words"
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.shell == "words":
        from tunnelui.cli.main import ACTIONS, COMMANDS

        for word, text in candidates(arguments.rest or [""], COMMANDS, ACTIONS):
            print_line(f"{word}\t{text}")
    else:
        print_line(_SCRIPTS[arguments.shell].rstrip("\n"))
    return Exit.DONE


def candidates(
    words: Sequence[str], commands: Mapping[str, str], actions: Mapping[tuple[str, str], str] | None = None
) -> list[tuple[str, str]]:
    """Return what the last of *words* may become, each with what it means; the others stand before it.

    :param commands: the subcommands and what they do.
    :param actions: those of their actions that have a module of their own.
    """
    *before, current = words
    if not before:
        general = [("--help", "show help"), ("--version", "show the version")]
        return _starting(current, general if current.startswith("-") else list(commands.items()))
    if before[0] not in commands or "--" in before:
        return []
    own = (actions or {}).get((before[0], before[1])) if len(before) > 1 else None
    parser = Parser(before[0])
    importlib.import_module(f"tunnelui.cli.{own or before[0].replace('-', '_')}").add_arguments(parser)
    action, parser = (before[1], parser) if own else _chosen(parser, before[1:])
    flags = _flags(parser)
    name, equals, _ = current.partition("=")
    if equals and (flag := flags.get(name)) is not None and flag.nargs != 0:
        return _starting(current, [(f"{name}={value}", text) for value, text in _values(name, flag)])
    if len(before) > 1 and (last := flags.get(before[-1])) is not None and last.nargs != 0:
        return _starting(current, _values(before[-1], last))
    if current.startswith("-"):
        return _starting(current, [(name, _words(flag)) for name, flag in flags.items() if name.startswith("--")])
    if before[0] == "man":
        return _starting(current, list(commands.items()) if len(before) == 1 else [])
    return _starting(current, list(_arguments(before[0], action, parser, before[1:])))


def _chosen(parser: Parser, words: Sequence[str]) -> tuple[str, Any]:
    """Return the action that *words* name, if the command has actions, and the parser that is in charge then."""
    for choices in _actions(parser):
        for word in words:
            if word in choices:
                return word, choices[word]
    return "", parser


def _actions(parser: Parser) -> Iterator[dict[str, Any]]:
    for argument in parser._actions:
        if isinstance(argument.choices, dict):
            yield argument.choices


def _flags(parser: Any) -> dict[str, Any]:
    known = parser._option_string_actions.items()
    return {name: flag for name, flag in known if "=" not in name and flag.help != argparse.SUPPRESS}


def _words(flag: Any) -> str:
    return str(flag.help or "").replace("%%", "%").partition(" [TUNNELUI_")[0]


def _values(name: str, flag: Any) -> list[tuple[str, str]]:
    if flag.choices:
        return [(str(choice), "") for choice in flag.choices]
    if name == "--token-store":
        return [(store, "") for store in TOKEN_STORES]
    if name == "--profile":
        return [(profile, "profile") for profile in _profiles()]
    if name == "--tag":
        return sorted({(tag, "tag") for route in _saved() for tag in route.tags})
    return []


def _arguments(command: str, action: str, parser: Any, before: Sequence[str]) -> Iterator[tuple[str, str]]:
    if not action:
        for choices in _actions(parser):
            yield from ((name, "") for name in choices)
    for argument in parser._actions:
        if not argument.option_strings and argument.choices and not isinstance(argument.choices, dict):
            yield from ((str(choice), "") for choice in argument.choices if str(choice) not in before)
    if command == "profiles" and before:
        yield from ((profile, "profile") for profile in _profiles() if profile not in before)
    if command in _ROUTES or action in _ROUTE_ACTIONS:
        for route in _saved():
            if route.name not in before:
                yield route.name, route.destination
    if command in _TAGS or action == "export":
        for tag in sorted({tag for route in _saved() for tag in route.tags}):
            yield f"#{tag}", "routes with this tag"


def _saved() -> Sequence[Any]:
    try:
        return saved_routes().load()
    except TunnelError:
        return ()


def _profiles() -> Sequence[str]:
    try:
        return load_settings(config_file()).profile_names
    except TunnelError:
        return ()


def _starting(current: str, found: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(word, text) for word, text in found if word.startswith(current)]

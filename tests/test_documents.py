"""What the documents say of commands, flags, keys and places is what the program knows."""

from __future__ import annotations

import argparse
import importlib
import re
import textwrap
import tomllib
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.pki import Pki
from tunnelui.cli.main import ACTIONS, COMMANDS
from tunnelui.cli.options import Parser
from tunnelui.config.profile import Profile
from tunnelui_server.config import Limits, load_config
from tunnelui_server.config.keys import GLOBAL_KEYS, ROUTE_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
COMMANDS_TEXT = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
SERVER_TEXT = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")


def flags(command: str) -> Iterator[str]:
    """The long flags of *command* and of its actions."""
    modules = [command.replace("-", "_"), *(module for (name, _), module in ACTIONS.items() if name == command)]
    for module in modules:
        parser = Parser(command)
        importlib.import_module(f"tunnelui.cli.{module}").add_arguments(parser)
        yield from _flags(parser)


def _flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for inner in action.choices.values():
                yield from _flags(inner)
        elif action.help != argparse.SUPPRESS and action.dest not in ("help", "version"):
            yield from (flag for flag in action.option_strings if flag.startswith("--"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_flag_is_documented(command: str) -> None:
    assert re.search(rf"`tunnelui {command}\b|`{command}`", TEXT)
    assert {flag for flag in flags(command) if not re.search(rf"{flag}(?![a-z-])", TEXT)} == set()


def test_every_flag_in_the_documents_is_one() -> None:
    ours = {flag for command in [*COMMANDS, "ui"] for flag in flags(command)} | {"--help", "--version"}
    commands = "|".join(COMMANDS)
    wrong = {
        line
        for line in re.findall(rf"tunnelui (?:{commands})\b[^\n`|#]*", TEXT)
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]+", line.partition(" -- ")[0])
        if flag not in ours
    }
    assert wrong == set()


def test_every_key_of_a_profile_is_documented() -> None:
    names = {field.name for field in fields(Profile)} - {"name", "client_cert_password"}
    section = COMMANDS_TEXT.partition("# config.toml")[2]
    assert {name for name in names if not re.search(rf"\b{name}\b", section)} == set()


def test_the_configuration_in_the_documents_is_read(tmp_path: Path) -> None:
    from tunnelui.config.settings import load_settings

    blocks = [block for block in re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL) if "token_store" in block]
    assert blocks
    for block in blocks:
        file = tmp_path / "config.toml"
        file.write_text(block, encoding="utf-8")
        file.chmod(0o600)
        assert load_settings(file).profile_names


def test_every_key_of_the_server_is_documented_and_every_documented_one_is_known() -> None:
    rows = re.findall(r"^\| (`[a-z_\[\]]+`[^|]*)\|", SERVER_TEXT, re.MULTILINE)
    names = {name for row in rows for name in re.findall(r"`([a-z_\[\]]+)`", row)}  # a[_file] is a and a_file
    documented = {name.partition("[")[0] for name in names} | {re.sub(r"[\[\]]", "", name) for name in names}
    assert (GLOBAL_KEYS | ROUTE_KEYS) - documented == {"routes", "policy"}  # a chapter of their own
    assert documented - (GLOBAL_KEYS | ROUTE_KEYS) == set()


def test_the_limits_in_the_documents_are_those_of_the_server() -> None:
    section = SERVER_TEXT.partition("### Limits")[2].partition("###")[0]
    told = dict(re.findall(r"^\| `([a-z_]+)` \| `?([0-9]+)s?`? \|", section, re.MULTILINE))
    assert {name: float(value) for name, value in told.items()} == asdict(Limits())


def test_the_servers_of_the_documents_could_run(tmp_path: Path) -> None:
    files = Pki(tmp_path).issue("proxy.corp.example.com")
    (tmp_path / "client-secret").write_text("secret")
    for name in (files.key_file, tmp_path / "client-secret"):
        Path(name).chmod(0o600)
    places = {
        "/etc/tunnelui/fullchain.pem": files.cert_file,
        "/etc/tunnelui/privkey.pem": files.key_file,
        "/etc/tunnelui/client-secret": str(tmp_path / "client-secret"),
        "/var/lib/tunnelui-server": str(tmp_path / "state"),
    }
    blocks = [textwrap.dedent(block) for block in re.findall(r"^ *```yaml\n(.*?)```", TEXT, re.MULTILINE | re.DOTALL)]
    assert len(blocks) >= 3
    for block in blocks:
        for there, here in places.items():
            block = block.replace(there, here)
        file = tmp_path / "server.yaml"
        file.write_text(block, encoding="utf-8")
        file.chmod(0o600)
        config = load_config(file, {}, make_secret=False)
        assert config.routes
        assert not config.warnings


def test_places_that_links_lead_to_exist() -> None:
    dead = []
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            file, _, place = target.partition("#")
            if place and "://" not in target and place not in places(path.parent / file if file else path):
                dead.append(f"{path.relative_to(ROOT)}: {target}")
    assert not dead


def places(path: Path) -> set[str]:
    """The anchors that a forge gives to the headings of *path*."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#{1,6} (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_the_licence_travels_with_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "LICENSE" in project["license-files"]
    for name in project["license-files"]:
        assert (ROOT / name).is_file()

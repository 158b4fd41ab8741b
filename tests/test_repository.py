"""Rules for the files of the repository itself."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST_MODULE = 400
# Addresses and places that mean something on one machine only, or tie the project to one way of fetching packages.
# Written in pieces, so that this file does not hold what it looks for.
FORBIDDEN = {
    "a package registry's host": r"(registry\.npmjs|files\.pythonhosted|(?<![a-z])pypi)\.org|static\.crates\.io",
    "a package mirror": r"index-url|extra-index|\"resolved\":",
    "somebody's home folder": r"/(?:home|Users)/[a-z]|/roo" + r"t/",
    "a folder of one machine": r"(?<![\w.-])/wor" + r"k/|/tm" + r"p/w/",
    "left-over of a merge": r"^(?:<{7}|>{7}) ",
}
TEXT_SUFFIXES = {
    *{".py", ".md", ".toml", ".txt", ".cfg", ".yaml", ".yml", ".json", ".sh", ".mjs", ".html", ".css", ".tcss", ""},
}


def files() -> list[Path]:
    """Every text file that is, or would be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=20,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.suffix in TEXT_SUFFIXES and path.is_file() and path != Path(__file__)]


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md"])
def test_what_every_visitor_looks_for_is_there(name: str) -> None:
    assert len((ROOT / name).read_text(encoding="utf-8")) > 300


def test_no_module_is_longer_than_its_limit() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in ("tunnelui", "server")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_MODULE
    }
    assert not long


def test_no_package_is_a_drawer_for_everything() -> None:
    assert not [path for path in files() if path.stem in ("utils", "util", "helpers", "common", "misc")]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_points_outside_the_project(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.MULTILINE)
    found = {
        str(path.relative_to(ROOT)): match.group()
        for path in files()
        if (match := pattern.search(path.read_text(encoding="utf-8", errors="replace")))
    }
    assert not found


def test_every_package_says_what_lives_in_it() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in files()
        if path.name == "__init__.py"
        if not path.read_text(encoding="utf-8").lstrip().startswith('"""')
    ]
    assert not silent


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for path in files():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists():
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert not broken

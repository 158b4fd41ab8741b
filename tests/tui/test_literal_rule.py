"""Text reaches widgets through `tunnelui.tui.lines.words` only, so that nothing is ever parsed as markup."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tunnelui.tui

ROOT = Path(str(tunnelui.tui.__file__)).parent
MODULES = sorted(ROOT.rglob("*.py"))
CHECKED = {"Label", "Static", "Button", "Checkbox", "OptionList", "notify", "from_markup", "tooltip"}
MAKERS = {"line", "literal", "safe"}


def _offences(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in CHECKED and node.args and not _made(node.args[0]):
                found.append(f"line {node.lineno}: {name}() with unprepared text")
            if name == "from_markup":
                found.append(f"line {node.lineno}: markup")
            if name == "notify" and not any(
                keyword.arg == "markup" and getattr(keyword.value, "value", None) is False for keyword in node.keywords
            ):
                found.append(f"line {node.lineno}: notify() without markup=False")
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and target.attr in ("border_title", "border_subtitle", "tooltip"):
                    found.append(f"line {node.lineno}: {target.attr}")
    return found


def _made(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") in MAKERS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_widget_gets_plain_text(path: Path) -> None:
    assert _offences(ast.parse(path.read_text())) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize(
    "source",
    [
        'Static(f"{x}")',
        'Label("a")',
        "self.notify(text, markup=False)",
        "notify(safe(x))",
        'w.border_title = "x"',
        "Button(name)",
    ],
)
def test_the_rule_finds_offences(source: str) -> None:
    assert _offences(ast.parse(source))

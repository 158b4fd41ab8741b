"""What the headless path costs: heavy packages are imported only where they are needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("textual", "rich", "httpx", "keyring", "tomli_w")


@pytest.mark.parametrize("module", ["tunnelui.engine", "tunnelui.engine.local", "tunnelui.engine.stdio"])
def test_engine_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"

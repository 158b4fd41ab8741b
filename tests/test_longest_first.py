"""Long files of tests are begun first, so that no worker goes on alone at the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.longest_first import LONG, seconds

ROOT = Path(__file__).parent.parent


def test_the_long_ones_are_there() -> None:
    assert [file for file in LONG if not (ROOT / file).is_file()] == []


def test_a_file_is_as_long_as_its_tests() -> None:
    assert (
        seconds("tests/e2e/test_git.py", 10) > seconds("tests/cli/test_man.py", 10) > seconds("tests/test_text.py", 10)
    )


@pytest.mark.timeout(400)
def test_workers_take_the_longest_first(tmp_path: Path) -> None:
    """A run of its own, with this order and files of one to three tests."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    for folder, tests in (("wire", 3), ("cli", 2), ("e2e", 1)):
        file = tmp_path / "tests" / folder / f"test_{folder}.py"
        file.parent.mkdir(parents=True)
        file.write_text("".join(f"def test_{number}(): pass\n" for number in range(tests)))
    command = [sys.executable, "-m", "pytest", "-v", "-n", "1", "--dist", "loadfile", "--import-mode=importlib"]
    command += ["-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-o", f"pythonpath={ROOT}", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    order = [line.rpartition("/")[2].partition("::")[0] for line in done.stdout.splitlines() if "PASSED" in line]
    assert list(dict.fromkeys(order)) == ["test_e2e.py", "test_cli.py", "test_wire.py"]

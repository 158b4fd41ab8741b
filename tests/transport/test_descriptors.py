"""The limit on descriptors, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from tunnelui.transport.descriptors import allow_descriptors
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(allow_descriptors(wanted), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "then"),
    [
        (64, 200, 100, "100 100 200"),
        (64, 200, 500, "200 200 200"),
        (128, 200, 100, "128 128 200"),
    ],
)
def test_the_limit_is_raised_as_far_as_it_may_and_never_lowered(soft: int, hard: int, wanted: int, then: str) -> None:
    command = [sys.executable, "-c", PROGRAM, str(soft), str(hard), str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == then

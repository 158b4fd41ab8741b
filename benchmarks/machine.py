"""Where a run took place: the machine and the versions of everything that took part."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.halves import envoy
from benchmarks.halves.half import Missing, program
from benchmarks.lab import PEERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["describe"]

_PYTHON: Final = (
    "import json, platform, ssl; "
    "print(json.dumps(f'{platform.python_implementation()} {platform.python_version()}, {ssl.OPENSSL_VERSION}'))"
)
_ASYNCSSH: Final = "import asyncssh; print(asyncssh.__version__)"


def describe(pythons: Iterable[str], cores: Iterable[int]) -> dict[str, str]:
    """Return facts by name, ready to print."""
    facts = {
        "processor": _processor(),
        "cores": f"{os.cpu_count()}, used {', '.join(map(str, sorted(cores)))}",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load before": " ".join(f"{value:.2f}" for value in os.getloadavg()),
    }
    for number, python in enumerate(pythons):
        facts["python" if not number else f"python {number + 1}"] = str(json.loads(_said([python, "-c", _PYTHON])))
    peers: dict[str, Callable[[], list[str]]] = {
        "Envoy": lambda: [envoy.find(), "--version"],
        "HAProxy": lambda: [program("haproxy"), "-v"],
        "OpenSSH": lambda: [program("ssh"), "-V"],
        "asyncssh": lambda: [program(PEERS / "bench-venv" / "bin" / "python"), "-c", _ASYNCSSH],
    }
    for name, command in peers.items():
        try:
            facts[name] = _version(_said(command()))
        except (Missing, OSError, subprocess.SubprocessError):
            facts[name] = "missing"
    return facts


def _said(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return (done.stdout or done.stderr).strip()


def _version(text: str) -> str:
    found = re.search(r"\d+\.\d+[\w.]*", text)
    return found.group() if found else text[:40]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()

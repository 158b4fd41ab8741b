"""The C programs of the benchmark, built on the spot: ``load`` and ``endpoint`` (with TLS where OpenSSL's headers are
installed), and ``delay``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["BuildError", "Programs", "build"]

_SOURCES: Final = Path(__file__).parent
_FLAGS: Final = ("-std=gnu11", "-O2", "-Wall", "-Wextra")


class BuildError(Exception):
    """There is no compiler, or it refuses; the text holds what it says."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of the programs. ``tls``: the load generator can be the other half of a tunnel itself."""

    load: Path
    endpoint: Path
    delay: Path
    tls: bool


def build(folder: Path, *, tls: bool = True) -> Programs:
    """Compile into *folder*.

    :param tls: use OpenSSL where its headers are; without it nothing beyond libc is needed.
    :raises BuildError: ``cc`` is missing or fails.
    """
    compiler = os.environ.get("CC") or shutil.which("cc")
    if compiler is None:
        raise BuildError("there is no C compiler (cc)")
    tls = tls and _has_openssl(compiler, folder)
    extra = ["-DWITH_TLS"] if tls else []
    libraries = ["-lssl", "-lcrypto"] if tls else []
    commands = [
        [
            *(compiler, *_FLAGS, *extra, "-o", str(folder / name)),
            *(str(_SOURCES / f"{name}.c"), str(_SOURCES / "ground.c"), *libraries, "-lpthread"),
        ]
        for name in ("load", "endpoint", "delay")
    ]
    with ThreadPoolExecutor() as threads:
        list(threads.map(_compile, commands))
    return Programs(folder / "load", folder / "endpoint", folder / "delay", tls)


def _has_openssl(compiler: str, folder: Path) -> bool:
    probe = folder / "probe.c"
    probe.write_text("#include <openssl/ssl.h>\nint main(void) { return SSL_CTX_new(TLS_method()) == 0; }\n")
    try:
        _compile([compiler, "-o", str(folder / "probe"), str(probe), "-lssl", "-lcrypto"])
    except BuildError:
        return False
    return True


def _compile(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command)}\n{done.stderr}")

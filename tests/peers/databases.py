"""Redis, PostgreSQL and MariaDB on loopback ports, with data in folders of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers.parts import require, system_user
from tests.peers.process import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.pki import CertificateFiles

__all__ = ["own_folder", "run_mariadb", "run_postgres", "run_redis"]


@contextmanager
def own_folder(name: str, user: str | None) -> Iterator[Path]:
    """Make a folder that belongs to *user*: pytest's own can't be entered by other users."""
    folder = Path(tempfile.mkdtemp(prefix=f"tunnelui-{name}-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _set_up(argv: list[str], user: str | None, cwd: Path) -> None:
    done = subprocess.run(
        argv,
        user=user,
        extra_groups=[] if user else None,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{argv[0]}: {done.stdout[-1000:]}{done.stderr[-2000:]}"


@contextmanager
def run_redis(folder: Path) -> Iterator[int]:
    """Run Redis without files and yield its port."""
    (server,) = require("redis-server")
    port = free_port()
    argv = [server, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with Process("redis", [*argv, "--dir", folder], folder) as redis:
        redis.wait_port(port)
        yield port


@contextmanager
def run_postgres(folder: Path, files: CertificateFiles) -> Iterator[int]:
    """Run PostgreSQL, which speaks TLS with the certificate *files* to whoever asks, and yield its port.

    The user ``app`` needs no password.
    """
    initdb, postgres = require("initdb", "postgres")
    user = system_user("postgres")
    port = free_port()
    with own_folder("pg", user) as data:
        _set_up([initdb, "-D", str(data), "-A", "trust", "-U", "app", "-N", "-E", "UTF8", "--locale=C"], user, data)
        argv = [postgres, "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(data), "-F", "-c", "ssl=on"]
        for name, file in (("ssl_cert_file", files.cert_file), ("ssl_key_file", files.key_file)):
            own = shutil.copyfile(file, data / name)
            own.chmod(0o600)
            if user is not None:
                shutil.chown(own, user)
            argv += ["-c", f"{name}={own}"]
        with Process("postgres", argv, folder, user=user, cwd=data, env={"LC_ALL": "C"}) as server:
            server.wait_for("database system is ready to accept connections", 30)
            try:
                yield port
            finally:
                # "Fast shutdown": open connections are not waited for.
                server.stop(signal.SIGINT)


@contextmanager
def run_mariadb(folder: Path) -> Iterator[int]:
    """Run MariaDB and yield its port; the user ``app`` has the password ``secret``."""
    install, mariadbd = require("mariadb-install-db", "mariadbd")
    user = system_user("mysql")
    port = free_port()
    with own_folder("my", user) as data:
        common = ["--no-defaults", f"--datadir={data}/data"]
        _set_up([install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"], user, data)
        start = data / "start.sql"
        statements = (
            "CREATE DATABASE app;",
            "CREATE USER app@'127.0.0.1' IDENTIFIED BY 'secret';",
            "GRANT ALL ON app.* TO app@'127.0.0.1';",
        )
        start.write_text("".join(f"{statement}\n" for statement in statements))
        start.chmod(0o644)
        argv = [
            mariadbd,
            *common,
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--socket={data}/socket",
            f"--pid-file={data}/pid",
            f"--init-file={start}",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=0",
        ]
        with Process("mariadb", argv, folder, user=user, cwd=data) as server:
            server.wait_for("ready for connections", 30)
            yield port

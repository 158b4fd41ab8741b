"""The keyring of a real desktop: gnome-keyring on a D-Bus session of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import anyio, sys
from tunnelui.auth.stores import open_store
from tunnelui.auth.token_store import StoreError, TokenKey
from tunnelui.auth.tokens import Token
from tunnelui.wire.destination import ProxyOrigin

KEY = TokenKey("default", ProxyOrigin("https", "proxy.example.com", 443))
LONG = Token("a" * 8192)

async def main():
    store, note = await open_store("keyring", timeout=float(sys.argv[2]), probe=sys.argv[1] != "locked")
    print(store.kind, "note" if note else "-", "Secret" in store.description or "libsecret" in store.description)
    if sys.argv[1] == "save":
        print(await store.load(KEY))
        await store.save(KEY, LONG)
    elif sys.argv[1] == "read":
        print(await store.load(KEY) == LONG)
        await store.delete(KEY)
        await store.delete(KEY)
        print(await store.load(KEY))
    elif sys.argv[1] == "locked":
        try:
            print(await store.load(KEY))
        except StoreError as error:
            print(error.code, error)

anyio.run(main)
"""
PEERS_REQUIRED = os.environ.get("TUNNELUI_REQUIRE_PEERS") == "1"
NEEDED = ("gnome-keyring-daemon", "dbus-run-session")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        not PEERS_REQUIRED and not all(map(shutil.which, NEEDED)), reason="no gnome-keyring or D-Bus here"
    ),
]


# A bus that can start no service by itself.
BARE_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
"""


def run_in_session(folder: Path, shell: str, *options: str) -> str:
    """Run *shell* inside a D-Bus session of its own with folders of its own; return its standard output."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("DBUS_", "XDG_", "PYTHON_KEYRING"))
    } | {
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PROGRAM": PROGRAM,
        "PYTHON": sys.executable,
    }
    environ.pop("DISPLAY", None)
    (folder / "run").mkdir(mode=0o700, exist_ok=True)
    done = subprocess.run(
        ["dbus-run-session", *options, "--", "sh", "-c", shell],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


UNLOCK = "printf 'pw\\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; "


def test_a_token_of_the_largest_size_outlives_the_process_that_saved_it(tmp_path: Path) -> None:
    out = run_in_session(
        tmp_path, f'{UNLOCK} "$PYTHON" -c "$PROGRAM" save 10 && "$PYTHON" -c "$PROGRAM" read 10'
    ).splitlines()
    assert out == ["keyring - True", "None", "keyring - True", "True", "None"]


def test_a_locked_keyring_without_a_screen_ends_within_the_time_limit(tmp_path: Path) -> None:
    # A first session makes the default collection; the second one starts the daemon without the password.
    run_in_session(tmp_path, f'{UNLOCK} "$PYTHON" -c "$PROGRAM" save 10')
    out = run_in_session(
        tmp_path, 'gnome-keyring-daemon --start --components=secrets >/dev/null 2>&1; "$PYTHON" -c "$PROGRAM" locked 3'
    )
    assert out.splitlines()[1].startswith(("keyring_timeout", "keyring_failed")), out


def test_a_session_without_a_secret_service_falls_back_to_memory(tmp_path: Path) -> None:
    config = tmp_path / "bus.xml"
    config.write_text(BARE_BUS)
    out = run_in_session(tmp_path, '"$PYTHON" -c "$PROGRAM" probe 5', f"--config-file={config}")
    assert out == "memory note False\n"

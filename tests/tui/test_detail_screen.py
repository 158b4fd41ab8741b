"""One route in full."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.screens import LARGE, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, NOW, every_state
from tunnelui.engine.model import ConnectionSnapshot, ConnectionState, State
from tunnelui.tui.screens.log import LogScreen
from tunnelui.tui.screens.route_form import RouteForm
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.screens.sign_in import SignInScreen
from tunnelui.tui.widgets.detail_panel import DetailPanel

ORDERS = ["j", "j", "j", "j", "enter"]


async def test_the_detail_cell_by_cell() -> None:
    async with drive() as driven:
        await driven.press(*ORDERS)
        assert driven.lines == [
            " ‹ orders-db                                  ● live · 2 connections · up 2h14m ",
            "─" * 80,
            "  Local        127.0.0.1:15432  pinned                                          ",
            "  Destination  db.corp.example:5432                                             ",
            "  Proxy        https://pomerium.corp.example:443  TLS 1.3                       ",
            "  Session      alice@corp.example, expires 23:25 (9h12m)                        ",
            "  Tags         db, prod   autostart yes                                         ",
            " " * 80,
            "  In           1.8 MB       0 B/s  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁                           ",
            "  Out          314 KB       0 B/s  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁                           ",
            "┤ Connections 2, 1 closed ├─────────────────────────────────────────────────────",
            "   PEER               OPENED         IN      OUT  HANDSHAKE  STATE              ",
            " ▌ 127.0.0.1:51220    13:36:50   1.7 MB   300 KB     184 ms  open               ",
            "   127.0.0.1:51388    14:12:39    92 KB    12 KB     184 ms  half-closed        ",
            "   127.0.0.1:50911    13:31:20   4.1 KB   2.0 KB     184 ms  closed by peer     ",
            " " * 80,
            " " * 80,
            "┤ Stages of 127.0.0.1:51220 ├───────────────────────────────────────────────────",
            "  queue 0.4 ms   dns 2.1 ms   tcp 11 ms   tls 24 ms   connect 147 ms            ",
            "  first byte 12 ms                                                              ",
            "  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━      ",
            "  TLS 1.3                                                                       ",
            "─" * 80,
            " esc back  space start/stop  r restart  y copy  e edit  i sign in        ? help ",
        ]


async def test_the_selected_connection_decides_the_stages() -> None:
    async with drive() as driven:
        await driven.press(*ORDERS, "G")
        assert "Stages of 127.0.0.1:50911" in driven.text
        assert "closed by peer, TLS 1.3, request 3f1c9d20" in driven.text


async def test_a_problem_shows_its_hint_and_request() -> None:
    async with drive() as driven:
        await driven.press("enter")
        assert "┤ Problem ├" in driven.text
        assert "alice@corp.example may not use billing.corp:5432" in driven.text
        assert "Ask the owner of the route for access." in driven.text
        assert "request 9a8c0f2d" in driven.text
        assert "No connection yet." in driven.text


async def test_the_verbs_work_from_the_detail() -> None:
    async with drive() as driven:
        await driven.press(*ORDERS, "r", "space")
        assert driven.engine.requests == [("restart", "orders-db"), ("stop", "orders-db")]
        await driven.press("y")
        assert driven.app.clipboard == "127.0.0.1:15432"
        for key, kind in (("e", RouteForm), ("i", SignInScreen), ("l", LogScreen)):
            await driven.press(key)
            assert driven.shows(kind)
            await driven.press("w" if kind is SignInScreen else "escape")


async def test_it_follows_a_rename() -> None:
    async with drive() as driven:
        await driven.press(*ORDERS, "e", "tab")
        await driven.enter_text("new-orders")
        await driven.press("ctrl+s")
        assert driven.engine.requests == [("update_route", "orders-db", "new-orders")]
        assert driven.lines[0].startswith(" ‹ new-orders")


async def test_it_closes_when_the_route_is_gone() -> None:
    async with drive() as driven:
        await driven.press(*ORDERS)
        driven.engine.set(*every_state()[1:])
        await driven.settle()
        assert driven.shows(RoutesScreen)


async def test_connections_come_and_go_under_the_cursor() -> None:
    async with drive() as driven:
        await driven.press(*ORDERS, "j")
        fresh = ConnectionSnapshot(9, "127.0.0.1:60000", ConnectionState.CONNECTING, NOW)
        driven.engine.change("orders-db", connections=(fresh, *every_state()[0].connections), live=2)
        await driven.settle()
        assert "127.0.0.1:60000" in driven.text
        assert "Stages of 127.0.0.1:51388" in driven.text
        driven.engine.change("orders-db", connections=(fresh,), live=0, state=State.READY)
        await driven.settle()
        assert "connecting" in driven.text
        assert "queue -" in driven.text
        driven.engine.change("orders-db", connections=())
        await driven.settle()
        assert "No connection selected." in driven.text


async def test_a_thousand_connections_scroll() -> None:
    connections = tuple(
        replace(every_state()[0].connections[0], id=number, peer=f"127.0.0.1:{20_000 + number}")
        for number in range(1000)
    )
    tunnel = replace(every_state()[0], connections=connections, live=1000)
    async with drive(ScriptedEngine([tunnel], [IDENTITY]), size=LARGE) as driven:
        await driven.press("enter", "G")
        assert "127.0.0.1:20999" in driven.text
        assert "live · 1000 connections" in driven.lines[0]


async def test_the_graph_carries_its_peak() -> None:
    async with drive() as driven:
        await driven.press(*ORDERS)
        total = 1_880_985
        for step in (1024 * 1000, 0, 512 * 1000, 0):
            total += step
            driven.engine.change("orders-db", bytes_in=total)
            await driven.wait(1)
        line = next(line for line in driven.lines if line.startswith("  In"))
        assert "█▁▅▁" in line
        assert "peak 1000 KB/s" in line or "peak 1.0 MB/s" in line


async def test_a_request_id_stays_whole_in_the_pane() -> None:
    request = "6d9dace0-7fa3-4a30-8cb1-5d0f1b2a9c77"
    tunnel = every_state()[5]
    assert tunnel.problem
    tunnel = replace(tunnel, problem=replace(tunnel.problem, request_id=request))
    async with drive(ScriptedEngine([tunnel], [IDENTITY]), size=LARGE) as driven:
        assert f"request {request}" in driven.text


async def test_the_pane_shows_the_newest_connection_until_somebody_chooses() -> None:
    async with drive(size=LARGE) as driven:
        await driven.press("j", "j", "j", "j")
        assert "Stages of 127.0.0.1:51220" in driven.text
        fresh = ConnectionSnapshot(9, "127.0.0.1:60000", ConnectionState.OPEN, NOW)
        driven.engine.change("orders-db", connections=(fresh, *every_state()[0].connections), live=3)
        await driven.settle()
        assert "Stages of 127.0.0.1:60000" in driven.text
        await driven.press("tab", "j")
        newer = replace(fresh, id=10, peer="127.0.0.1:60001")
        driven.engine.change("orders-db", connections=(newer, fresh, *every_state()[0].connections), live=4)
        await driven.settle()
        assert "Stages of 127.0.0.1:51220" in driven.text


@pytest.mark.parametrize("size", [(80, 24), (80, 18), (100, 30), (120, 36), (160, 50)])
@pytest.mark.parametrize("index", range(8))
async def test_nothing_is_pushed_out_of_the_details(size: tuple[int, int], index: int) -> None:
    """What does not fit is left out as a whole; the list of connections keeps its head line."""
    async with drive(ScriptedEngine([every_state()[index]], [IDENTITY]), size=size) as driven:
        if size[0] < 100:
            await driven.press("enter")
        panel = driven.app.screen.query_one(DetailPanel)
        last = [child for child in panel.children if child.display][-1]
        assert last.region.bottom <= panel.region.bottom
        assert panel.connections.size.height >= 3

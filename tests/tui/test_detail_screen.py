"""One route in full."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.screens import LARGE, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, NOW, events, every_state
from tunnelui.engine.model import ConnectionSnapshot, ConnectionState, State
from tunnelui.tui.screens.detail import DetailScreen
from tunnelui.tui.screens.log import LogScreen
from tunnelui.tui.screens.question import Question
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
            "┤ Connections 2 ├─ Timeline ─ Log ─ Config ─ Connect as ────────────────────────",
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
            " esc back  space start/stop  y copy  [ ] tabs  x close connection        ? help ",
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
        assert driven.engine.requests == [("change_routes", "orders-db>new-orders")]
        assert driven.lines[0].startswith(" ‹ new-orders")


async def test_it_closes_when_the_route_is_gone() -> None:
    async with drive() as driven:
        await driven.press(*ORDERS)
        driven.engine.set(*every_state()[1:])
        await driven.settle()
        assert driven.shows(RoutesScreen)


@pytest.mark.parametrize("key", ["Y", "x", "e"])
async def test_it_closes_after_the_dialog_above_it_when_the_route_is_gone(key: str) -> None:
    async with drive() as driven:
        await driven.press(*ORDERS, key)
        over = driven.app.screen
        assert not driven.shows(DetailScreen)
        driven.engine.set(*every_state()[1:])
        await driven.settle()
        assert driven.app.screen is over
        await driven.press("escape")
        assert driven.shows(RoutesScreen)
        assert driven.toasts[-1] == "The route orders-db is gone: removed or renamed elsewhere."


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
        assert "▇▁▅▁" in line  # a little room to the graph above
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


NEXT, BEFORE = "right_square_bracket", "left_square_bracket"


async def _tell(driven: Driven) -> None:
    for event in events():
        await driven.engine.tell(event)
    await driven.settle()


async def test_the_timeline_cell_by_cell() -> None:
    async with drive() as driven:
        await driven.press(*ORDERS, NEXT)
        assert driven.lines[10:24] == [
            "─ Connections 2 ┤ Timeline ├─ Log ─ Config ─ Connect as ────────────────────────",
            "   PEER               OPENED    0            100 ms             200 ms    TOTAL ",
            " ▌ 127.0.0.1:51220    13:36:50  t━━s━━━c━━━━━━━━━━━━━━━━━━━━━━━━━━━f━    196 ms ",
            "   127.0.0.1:51388    14:12:39  t━━s━━━c━━━━━━━━━━━━━━━━━━━━━━━━━━━f━    196 ms ",
            "   127.0.0.1:50911    13:31:20  t━━s━━━c━━━━━━━━━━━━━━━━━━━━━━━━━━━f━    196 ms ",
            " " * 80,
            " " * 80,
            " " * 80,
            "┤ Stages of 127.0.0.1:51220 ├───────────────────────────────────────────────────",
            "  q queue 0.4 ms   d dns 2.1 ms   t tcp 11 ms   s tls 24 ms   c connect 147 ms  ",
            "  f first byte 12 ms                                                            ",
            "  196 ms, the median of 3 connections; most of it connect, 147 ms.              ",
            "─" * 80,
            " esc back  space start/stop  y copy  [ ] tabs  x close connection        ? help ",
        ]
        await driven.press("j")
        assert "Stages of 127.0.0.1:51388" in driven.text


@pytest.mark.parametrize("size", [(60, 20), (80, 24), LARGE])
async def test_every_page_turns_both_ways_and_by_the_mouse(size: tuple[int, int]) -> None:
    marks = ("HANDSHAKE" if size[0] > 70 else "STATE", "TOTAL", "tunnel open in 61 ms", "Destination", "export PGHOST")
    async with drive(size=size) as driven:
        await _tell(driven)
        await driven.press(*ORDERS)
        for mark in (*marks, marks[0]):
            assert mark in driven.text
            await driven.press(NEXT)
        await driven.press(BEFORE, BEFORE)
        assert "export PGHOST" in driven.text
        row = next(number for number, line in enumerate(driven.lines) if "Timeline" in line)
        await driven.pilot.click(offset=(driven.lines[row].index("Timeline") + 2, row))
        await driven.settle()
        assert "TOTAL" in driven.text
        await driven.press("question_mark")
        assert "next page" in driven.text


async def test_the_log_page_follows_and_leads_to_the_whole_log() -> None:
    async with drive() as driven:
        await driven.press(*ORDERS, NEXT, NEXT)
        assert "Nothing has happened yet." in driven.text
        await _tell(driven)
        assert "accepted 127.0.0.1:51388" in driven.text and "upstream unavailable" not in driven.text
        assert "┤ enter shows the whole log, with levels and find ├" in driven.lines[-2]
        await driven.press("enter")
        assert driven.shows(LogScreen) and " orders-db " in driven.lines[0]


async def test_enter_copies_a_way_to_connect() -> None:
    async with drive() as driven:
        await driven.press(*ORDERS, BEFORE, "j", "enter")
        assert driven.app.clipboard == "15432"
        assert driven.toasts[-1] == "Copied the port by the terminal: 15432"


async def test_an_open_connection_is_closed_after_a_question() -> None:
    async with drive() as driven:
        await driven.press(*ORDERS, "x")
        assert driven.shows(Question)
        assert "Close 127.0.0.1:51220?" in driven.text and "1.7 MB in and 300 KB out" in " ".join(driven.text.split())
        await driven.press("escape")
        assert driven.engine.requests == []
        await driven.press("x", "y")
        assert driven.engine.requests == [("close_connection", "orders-db", "1")]
        assert "closed on request" in driven.text
        await driven.press("x")
        assert driven.toasts[-1] == "That connection is over already."


async def test_a_connection_that_waits_is_closed_at_once() -> None:
    waiting = replace(every_state()[0].connections[0], state=ConnectionState.SIGN_IN)
    tunnel = replace(every_state()[0], connections=(waiting,), live=0)
    async with drive(ScriptedEngine([tunnel], [IDENTITY])) as driven:
        await driven.press("enter", NEXT, "x")
        assert driven.engine.requests == [("close_connection", "orders-db", "1")]
        assert driven.toasts[-1] == "Closed 127.0.0.1:51220."


async def test_without_a_connection_x_says_so() -> None:
    async with drive(size=LARGE) as driven:
        await driven.press("enter", "x", NEXT, "x")
        assert driven.toasts[-1] == "No connection is selected."
        assert "Stages" in driven.text and "No connection yet." in driven.text

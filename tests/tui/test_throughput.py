"""Bytes a second in the top line and in the list."""

from __future__ import annotations

import pytest

from tests.support.screens import LARGE, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, many
from tunnelui.tui.lines.graphs import bars, tall_bars
from tunnelui.tui.style.glyphs import ASCII, UNICODE
from tunnelui.tui.widgets.route_list import RouteList


async def _traffic(driven: Driven, *moved: int, name: str = "orders-db") -> None:
    """Let so many bytes come in, a second each."""
    for count in moved:
        tunnel = driven.engine.snapshot().tunnel(name)
        assert tunnel is not None
        driven.engine.change(name, bytes_in=tunnel.bytes_in + count, bytes_out=tunnel.bytes_out + count // 8)
        await driven.wait(1)


async def test_the_top_line_has_both_rates_with_graphs_on_one_scale() -> None:
    async with drive(size=LARGE) as driven:
        assert driven.lines[0].endswith("│ 2 up  5 ▲  1 off │ ↓    0 B/s ▁▁▁▁▁▁▁  ↑    0 B/s ▁▁▁▁▁▁▁ ")
        await _traffic(driven, 409_600, 819_200, 0, 409_600)
        assert driven.lines[0].endswith("↓ 400 KB/s ▁▁▁▅█▁▅  ↑  50 KB/s ▁▁▁▂▃▁▂ ")


async def test_nothing_in_the_top_line_moves_when_a_rate_changes() -> None:
    async with drive(size=LARGE) as driven:
        places = set()
        for moved in (0, 3, 99, 1_000, 99_000, 900_000, 12_000_000):
            await _traffic(driven, moved)
            places.add((driven.lines[0].index("●"), driven.lines[0].index("↓"), driven.lines[0].index("↑")))
        assert len(places) == 1


async def test_a_very_wide_line_tells_scale_and_peak() -> None:
    async with drive(size=(200, 60)) as driven:
        await _traffic(driven, *[1_048_576] * 4, *[102_400] * 62)
        assert driven.lines[0].endswith("scale 100 KB/s  peak 1.0 MB/s ")


@pytest.mark.parametrize("width", [80, 90, 99, 100, 110, 119, 159, 160])
async def test_graphs_give_way_before_rates(width: int) -> None:
    async with drive(size=(width, 24)) as driven:
        await _traffic(driven, 409_600)
        assert "alice@corp.example" in driven.lines[0]
        assert "400" in driven.lines[0]
        assert ("█" in driven.lines[0]) == (width >= 110)


async def test_the_list_has_rates_and_the_last_minute_where_there_is_room() -> None:
    async with drive(size=(200, 60)) as driven:
        assert "   OUT    IN/s   OUT/s LAST MINUTE" in driven.lines[2]
        await _traffic(driven, 819_200, 409_600)
        row = next(line for line in driven.lines if line[3:].startswith("orders-db"))
        assert "400K/s" in row
        assert "50K/s" in row
        assert "█" in row
        assert "LAST MINUTE to 900K/s" in driven.lines[2]
        await _traffic(driven, *[0] * 61)
        row = next(line for line in driven.lines if line[3:].startswith("orders-db"))
        assert "█" not in row.partition("│")[0]
        assert "0/s" in row


async def test_one_scale_for_all_rows() -> None:
    async with drive(ScriptedEngine(many(3), [IDENTITY]), size=(200, 24)) as driven:
        for _ in range(2):
            for name, moved in (("route-0000", 1_000_000), ("route-0001", 500_000), ("route-0002", 1)):
                tunnel = driven.engine.snapshot().tunnel(name)
                assert tunnel is not None
                driven.engine.change(name, bytes_in=tunnel.bytes_in + moved)
            await driven.wait(1)
        assert [line.rstrip()[-1] for line in driven.lines[3:6]] == ["█", "▅", "▂"]


def test_bars_show_anything_above_nothing_and_never_leave_their_width() -> None:
    assert bars([0, 1, 1000], 5, 1000, UNICODE) == "▁▁▁▂█"
    assert bars(range(100), 4, 99, UNICODE) == "████"
    assert bars([5.0], 3, 0.0, UNICODE) == "▁▁▁"
    assert bars([0, 1, 1000], 5, 1000, ASCII).isascii()
    assert len(set(bars([0, 1, 500, 1000], 4, 1000, ASCII))) >= 3


def test_a_tall_graph_stands_on_its_row_at_rest_and_has_one_scale() -> None:
    assert tall_bars([0, 1, 500, 1000], 5, 1000, UNICODE, rows=2) == ["    █", "▁▁▂██"]
    assert tall_bars([1000], 4, 1000, UNICODE, rows=2, cells=2) == ["  ██", "▁▁██"]
    assert tall_bars([9, 1000, 2000], 2, 1000, UNICODE, rows=3) == ["██"] * 3
    assert tall_bars([5.0], 3, 0.0, UNICODE, rows=2) == ["   ", "▁▁▁"]
    assert "".join(tall_bars([0, 1, 500, 1000], 4, 1000, ASCII, rows=4)).isascii()


async def test_the_details_of_a_large_terminal_have_tall_graphs_beside_their_numbers() -> None:
    async with drive(size=(200, 60)) as driven:
        await driven.press("j", "j", "j", "j", "enter")
        await _traffic(driven, *[819_200] * 12, 0)
        first = next(number for number, line in enumerate(driven.lines) if line.startswith("  In "))
        assert driven.lines[first + 1].startswith("               peak      800 KB/s")
        assert driven.lines[first + 2].startswith("               scale     800 KB/s")
        for row in driven.lines[first : first + 8]:
            assert row.count("█") == 24  # two cells a second
        assert driven.lines[first + 8].strip() == ""
        assert driven.lines[first + 9].startswith("  Out ")
        await driven.pilot.resize_terminal(80, 24)
        await driven.settle()
        assert "▇▇▇▇▇▇▇▇▇▇▇▇▁  peak 800 KB/s" in driven.text


@pytest.mark.parametrize(("size", "rows"), [((130, 40), 2), ((150, 50), 2), ((200, 60), 5)])
async def test_in_a_large_terminal_the_pane_has_the_whole_minute(size: tuple[int, int], rows: int) -> None:
    """Each graph has as many rows as nothing else needs."""
    async with drive(size=size) as driven:
        driven.app.screen.query_one(RouteList).select("orders-db")
        await _traffic(driven, *[819_200] * 12)
        pane = [line.rpartition("│")[2] for line in driven.lines[2:30]]
        (place,) = [number for number, line in enumerate(pane) if line.startswith("  In ")]
        assert "peak 800 KB/s" in pane[place]
        below = next(number for number, line in enumerate(pane) if line.startswith("  Out "))
        graph = [line.strip() for line in pane[place + 1 : below]]
        assert all(row.count("█") == 12 for row in graph)
        assert len(graph[-1]) >= min(60, size[0] * 2 // 5 - 4)
        assert len(graph) == rows


async def test_a_tall_terminal_has_a_tall_log() -> None:
    async with drive(size=(120, 36)) as driven:
        assert driven.app.screen.query_one("#log").size.height == 5
        await driven.pilot.resize_terminal(120, 60)
        await driven.settle()
        assert driven.app.screen.query_one("#log").size.height == 12

"""What the screen remembers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.screens import drive
from tunnelui.config.state_file import StateFile
from tunnelui.tui.lines.rows import Column
from tunnelui.tui.listing.arrange import Arrangement, Grouping
from tunnelui.tui.listing.order import SortOrder
from tunnelui.tui.memory import Memory, Remembered
from tunnelui.tui.widgets.route_list import RouteList

if TYPE_CHECKING:
    from pathlib import Path

HOW = Arrangement(SortOrder(Column.STATE, reverse=True), Grouping.TAG, frozenset({"a", "b"}), frozenset({"lab"}))


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    memory = Memory(StateFile(tmp_path / "screen.json"))
    assert memory.now == Remembered()
    assert memory.change(Remembered(HOW, "dusk"))
    memory.save()
    assert not memory.change(Remembered(HOW, "dusk"))
    assert Memory(StateFile(tmp_path / "screen.json")).now == Remembered(HOW, "dusk")


def test_two_screens_keep_what_the_other_one_changed(tmp_path: Path) -> None:
    one, other = (Memory(StateFile(tmp_path / "screen.json")) for _ in range(2))
    one.change(replace(one.now, theme="light"))
    one.save()
    other.change(replace(other.now, how=HOW))
    other.save()
    assert Memory(StateFile(tmp_path / "screen.json")).now == Remembered(HOW, "light")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "not json", '{"favourites": 3, "group": [], "folded": {"a": 1}, "sort": "nothing", "reverse": "yes"}'],
)
def test_a_file_that_makes_no_sense_costs_nothing_but_the_memory(tmp_path: Path, text: str) -> None:
    path = tmp_path / "screen.json"
    path.write_text(text)
    assert Memory(StateFile(path)).now == Remembered()


def test_rates_are_no_order_to_come_back_to(tmp_path: Path) -> None:
    path = tmp_path / "screen.json"
    path.write_text(json.dumps({"sort": Column.GRAPH.value}))
    assert Memory(StateFile(path)).now.how.order.column is Column.NAME


async def _until_saved(file: Path, favourite: str) -> None:
    with anyio.fail_after(60):
        while not file.exists() or json.loads(file.read_text())["favourites"] != [favourite]:
            await anyio.sleep(0.01)


async def test_a_favourite_is_there_the_next_time_and_under_its_new_name(tmp_path: Path) -> None:
    file = tmp_path / "screen.json"
    async with drive(memory=Memory(StateFile(file))) as driven:
        await driven.press("j", "f")
        await _until_saved(file, "grafana")
        driven.app.verbs.renamed("grafana", "graphs")
        await _until_saved(file, "graphs")
    file.write_text('{"favourites": ["vnc-lab"], "group": "tag", "folded": ["db"]}')
    async with drive(memory=Memory(StateFile(file))) as driven:
        assert driven.app.screen.query_one(RouteList).names[0] == "vnc-lab"
        assert "▸ db  2 routes   1 up   1 ▲" in driven.text
        assert "vnc-lab ★" in driven.text


async def test_what_can_not_be_written_is_told_and_written_later(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("in the way")
    file = folder / "screen.json"
    async with drive(memory=Memory(StateFile(file))) as driven:
        await driven.press("f")
        with anyio.fail_after(60):
            while not driven.toasts:
                await driven.settle()
        assert [toast.partition(": ")[0] for toast in driven.toasts] == [f"{file} can't be written"]
        assert driven.toasts[0].endswith(". What you chose lasts until you quit.")
        folder.unlink()
        await driven.press("s")
        await _until_saved(file, "billing-db")
        assert json.loads(file.read_text())["sort"] != Column.NAME.value

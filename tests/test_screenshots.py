"""What makes pictures and casts the same at every run, and what they are put together from."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import screenshots.scenes
from screenshots.cast import HEIGHT, shorten
from screenshots.moving import moving_svg
from screenshots.normal import normal
from screenshots.scenes import LIVE


def _svg(*words: str) -> str:
    return "".join(f'<text x="1" y="{place}">{each}</text>' for place, each in enumerate(words))


def test_two_runs_give_one_picture() -> None:
    first = _svg(
        "127.0.0.1:43817&#160;→&#160;:39159", "09:15:59.120", "09:16:02", "request 6d9dace0-7fa3-4a30-8cb1-5d0f1b2a9c77"
    )
    second = _svg(
        "127.0.0.1:51002&#160;→&#160;:40404", "23:59:50.990", "23:59:53", "request 00aabbcc-1111-2222-3333-444455556666"
    )
    assert normal(first) == normal(second)
    assert "12:41:04" in normal(first) and "43817" not in normal(first) and "6d9dace0" not in normal(first)


def test_times_without_seconds_and_those_that_a_dialog_cuts_are_the_same_too() -> None:
    first = "since 01:32, 0 open", "expires 14:26 (13h59m)", "13h58m left", "01:32:", "~/tunnelui-20261126-013214.log"
    second = "since 23:59, 0 open", "expires 09:01 (13h52m)", "13h51m left", "23:58:", "~/tunnelui-20270101-235959.log"
    one = normal(_svg(*first))
    assert one == normal(_svg(*second))
    assert "since 12:41, 0 open" in one and "expires 02:40 (13h59m)" in one and "12:41:<" in one


def test_the_port_of_proxy_mode_stays() -> None:
    assert normal(_svg("127.0.0.1:1080")) == _svg("127.0.0.1:1080")


def test_every_picture_has_a_name_of_its_own_and_every_one_that_is_kept_is_drawn() -> None:
    names = [scene.name for scene in LIVE]
    assert len(set(names)) == len(names)
    folder = Path(screenshots.scenes.__file__).parent
    kept = {path.stem.rpartition("-")[0] for path in folder.glob("*-*x*.svg")}
    assert kept == {*names, "first-run", "sign-in", "unlock"}
    guide = (folder.parent / "docs" / "tui.md").read_text(encoding="utf-8")
    assert {name for name in kept if f"../screenshots/{name}-" not in guide} == set()


def test_nothing_moves_and_words_stay() -> None:
    words = (
        "orders-db  db.corp.example.com:5432",
        "1.8 MB  312 KB/s",
        "alice@example.com 13h59m",
        "61 ms",
        "TLS_AES_256_GCM_SHA384",
    )
    svg = _svg(*words)
    assert len(normal(svg)) == len(svg)
    assert re.sub(r":\d+", "", normal(svg)) == re.sub(r":\d+", "", svg)


def test_a_port_is_the_same_everywhere_in_a_picture() -> None:
    ports = re.findall(r"\d{5}", normal(_svg("127.0.0.1:43817", "port 43817", "127.0.0.1:43818")))
    assert ports[0] == ports[1] != ports[2]


def test_a_cast_has_no_long_pauses_and_no_empty_screens() -> None:
    drawn = "\n".join(["x"] * HEIGHT)
    frames = shorten([(0.0, "starting"), (3.0, drawn), (60.0, drawn + "y"), (60.01, drawn + "z")])
    assert [round(at, 1) for at, _ in frames] == [0.0, 2.5, 2.7]


def test_the_moving_picture_shows_one_screen_after_the_other() -> None:
    svg = moving_svg([(0.0, "\x1b[31mfirst <b>\x1b[0m"), (2.0, "second & last")], 40, 10)
    root = ET.fromstring(svg)
    groups = [one for one in root if one.get("class", "").startswith("k")]
    assert [one.get("class") for one in groups] == ["k0", "k1"]
    assert "first" in "".join(groups[0].itertext()) and "second" in "".join(groups[1].itertext())
    assert "@keyframes k0{0%,0.000%{visibility:visible}" in svg and "40.000%" in svg
    assert "@font-face" not in svg and "http" not in svg.replace("http://www.w3.org", "")

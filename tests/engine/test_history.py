"""What is remembered of what happened."""

from __future__ import annotations

from tunnelui.engine.history import History
from tunnelui.engine.model import Event


def test_a_flood_of_good_news_leaves_the_bad_news() -> None:
    history = History(kept=10, kept_trouble=3)
    history.add(Event("failed", 0.0, "early", "error", "grafana"))
    for number in range(100):
        history.add(Event("open", 1.0 + number, str(number), "info", "db"))
    history.add(Event("failed", 200.0, "late", "warning", "db"))
    assert [event.message for event in history] == ["early", *map(str, range(90, 100)), "late"]
    assert len(history) == 12
    assert [event.message for event in history.of("grafana")] == ["early"]


def test_bad_news_is_bounded_too() -> None:
    history = History(kept=10, kept_trouble=3)
    for number in range(9):
        history.add(Event("failed", float(number), str(number), "error"))
    assert [event.message for event in history.of("")] == ["6", "7", "8"]

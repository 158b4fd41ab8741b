"""What is remembered of what happened."""

from __future__ import annotations

from tunnelui.engine.history import History, as_logged
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


def test_the_events_around_a_route_are_its_own_and_those_of_none() -> None:
    history = History(kept=6, kept_trouble=2)
    for number in range(9):
        history.add(Event("open", float(number), str(number), "info", ("db", "web", "")[number % 3]))
    history.add(Event("failed", 9.0, "9", "error"))
    history.add(Event("failed", 10.0, "10", "error", "db"))
    assert [event.message for event in history.around("db")] == ["3", "5", "6", "8", "9", "10"]
    assert [event.message for event in history.around("web")] == ["4", "5", "7", "8", "9"]
    assert [event.message for event in history.of("db")] == ["3", "6", "10"]
    assert [event.message for event in history.around("nobody")] == ["5", "8", "9"]
    assert history.around("") == tuple(history)


def test_a_route_that_is_over_leaves_nothing() -> None:
    history = History(kept=3, kept_trouble=3)
    for number in range(20):
        history.add(Event("open", float(number), "", "info", f"route-{number}"))
    assert len(history._harmless.by_route) == 3


def test_the_address_of_a_sign_in_is_kept_without_its_query() -> None:
    url, data = "https://idp.example.com/sign_in?state=S3CRET", {"profile": "corp", "waiting": ["db"]}
    event = Event("sign_in", 1.0, f"sign in at {url}", data={**data, "url": url})
    history = History()
    history.add(event)
    (kept,) = history
    assert kept.message == "sign in at https://idp.example.com/sign_in?…"
    assert kept.data == {**data, "url": "https://idp.example.com/sign_in?…"}
    assert event.data["url"] == url


def test_other_events_are_kept_as_they_are() -> None:
    for event in (
        Event("note", 1.0, "x", data={"url": "https://a/?b"}),
        Event("sign_in", 1.0, "x"),
        Event("open", 1.0, "x"),
    ):
        assert as_logged(event) is event

"""Tags as they are typed."""

from __future__ import annotations

import pytest

from tunnelui.config.route import Route
from tunnelui.errors import ConfigError
from tunnelui.tui.edits.tags import common_tags, complete, known_tags, read_tags, retagged

DB = Route("orders", "db.example.com:5432", tags=("db", "prod"))
WEB = Route("web", "web.example.com:80", tags=("prod", "http"))
BARE = Route("bare", "x.example.com:1")


def test_reading_known_and_common() -> None:
    assert read_tags(" db, prod ,, db,x y ") == ("db", "prod", "x y")
    assert read_tags("  ") == ()
    assert known_tags([WEB, DB, BARE]) == ["prod", "db", "http"]
    assert common_tags([DB, WEB]) == ("prod",)
    assert common_tags([DB, BARE]) == ()
    assert common_tags([]) == ()


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("p", "prod"),
        ("db, p", "db, prod"),
        ("db,  h", "db,  http"),
        ("prod, p", None),
        ("prod", None),
        ("db, ", None),
        ("", None),
        ("z", None),
    ],
)
def test_the_last_tag_is_completed(text: str, completed: str | None) -> None:
    assert complete(text, ["prod", "db", "http"]) == completed


def test_one_route_has_just_what_was_typed_in_that_order() -> None:
    assert retagged(DB, DB.tags, ("prod", "new")).tags == ("prod", "new")
    assert retagged(DB, DB.tags, ()).tags == ()


def test_many_keep_what_only_some_have() -> None:
    common = common_tags([DB, WEB])
    assert retagged(DB, common, ("prod", "new")).tags == ("db", "prod", "new")
    assert retagged(WEB, common, ("new",)).tags == ("http", "new")


def test_a_wrong_tag_is_refused_and_other_faults_of_the_route_are_not_its_business() -> None:
    with pytest.raises(ConfigError, match="is no tag") as caught:
        retagged(DB, (), ("x" * 40,))
    assert "1 to 32" in caught.value.hint
    assert retagged(Route("x", "no destination at all"), (), ("fine",)).tags == ("fine",)

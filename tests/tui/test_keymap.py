"""``[keys]``: what is taken, and every way to get it wrong."""

from __future__ import annotations

import pytest

from tunnelui.errors import ConfigError
from tunnelui.tui.keys.keymap import read_keymap


def test_keys_are_taken_as_people_write_them() -> None:
    assert read_keymap({"tunnel.restart": "Ctrl+R", "app.help": "?, f2", "copy.as": "C", "log.route": "!"}, "x") == {
        "tunnel.restart": "ctrl+r",
        "app.help": "question_mark,f2",
        "copy.as": "C",
        "log.route": "exclamation_mark",
    }


def test_two_actions_may_change_places() -> None:
    assert read_keymap({"copy.local": "Y", "copy.as": "y"}, "x") == {"copy.local": "Y", "copy.as": "y"}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"tunnel.restrat": "x"}, "there is no action “tunnel.restrat”; did you mean “tunnel.restart”?"),
        ({"copy.as": ""}, "“copy.as” has no key"),
        ({"copy.as": "y"}, "“y” is the key of both “copy.local” and “copy.as”"),
        ({"copy.as": "j"}, "“j” is the key of both"),
        ({"app.quit": "space"}, "“space” is the key of both “tunnel.toggle” and “app.quit”"),
    ],
)
def test_what_is_wrong_is_told(keys: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml") as caught:
        read_keymap(keys, "config.toml: [keys]")
    assert words in str(caught.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read_keymap({"a.b": "x", "copy.as": "y"}, "x")
    assert "a.b" in str(caught.value) and "copy.local" in str(caught.value)

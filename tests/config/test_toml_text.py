from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tunnelui.config.toml_text import KeyPath, nearest, parse_toml, read_toml
from tunnelui.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

TEXT = '''\
top = 1
"quoted key" = 2
note = """
[not.a.table]
key = 3
"""
other = \'\'\'one line\'\'\'
dotted.name = 4

[profiles.corp] # a comment
proxy_url = "x"
'single' = 5
  indented = 6

[[routes]]
name = "a"
[[routes]]
# name = "commented out"
name = "b"
tags = [
  "x",
]
[[routes.parts]]
name = "c"
["odd . name"]
inline = { deep = 1 }
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("top",), 1),
        (("quoted key",), 2),
        (("note",), 3),
        (("key",), None),
        (("other",), 7),
        (("dotted", "name"), 8),
        (("profiles", "corp"), 10),
        (("profiles", "corp", "proxy_url"), 11),
        (("profiles", "corp", "single"), 12),
        (("profiles", "corp", "indented"), 13),
        (("profiles", "corp", "missing"), 10),
        (("routes", 0), 15),
        (("routes", 0, "name"), 16),
        (("routes", 1), 17),
        (("routes", 1, "name"), 19),
        (("routes", 1, "tags"), 20),
        (("routes", 1, "parts", 0, "name"), 24),
        (("odd . name", "inline"), 26),
        (("odd . name", "inline", "deep"), 26),
        (("nowhere",), None),
    ],
)
def test_the_line_of_a_key_is_found(tmp_path: Path, key: KeyPath, line: int | None) -> None:
    file = parse_toml(tmp_path / "f.toml", TEXT.encode())
    assert file.line_of(key) == line
    assert file.place(key) == (f"{tmp_path}/f.toml:{line}" if line else f"{tmp_path}/f.toml")


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"a = 1\nb = = 2\n", 2, "no TOML"),
        (b"a = 1\na = 2\n", 2, "no TOML"),
        (b'a = "x\n', 1, "no TOML"),
        (b'a = """x\n\n', 3, "no TOML"),
        (b"[a\n", 1, "no TOML"),
        (b"a = 1\nb = '\xff'\n", 2, "UTF-8"),
        (b"a = 1\n\x00\n", 2, "no TOML"),
        (b"PK\x03\x04", 1, "no TOML"),
        (b"a = '\x1b[31m'\n", 1, "no TOML"),
    ],
)
def test_a_broken_file_names_its_line(tmp_path: Path, data: bytes, line: int, words: str) -> None:
    path = tmp_path / "f.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=words) as caught:
        read_toml(path)
    assert caught.value.place == f"{path}:{line}"
    assert "\x1b" not in str(caught.value)
    assert "(at" not in str(caught.value)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert parse_toml(tmp_path / "f", b"\xef\xbb\xbfa = 1\r\n").values == {"a": 1}


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert read_toml(tmp_path / "none.toml") is None


def test_a_folder_in_its_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read") as caught:
        read_toml(tmp_path)
    assert caught.value.place == str(tmp_path)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="larger than"):
        read_toml(path)


def test_endless_nesting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        parse_toml(tmp_path / "f", b"a = " + b"[" * 100_000)


@pytest.mark.parametrize(("name", "result"), [("proxy-url", "; did you mean “proxy_url”?"), ("zzz", ""), ("", "")])
def test_the_nearest_name_is_offered(name: str, result: str) -> None:
    assert nearest(name, ["proxy_url", "ca_file"]) == result

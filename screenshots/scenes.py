"""Which pictures there are: what each one is called, and the keys that lead to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["EXPORT", "FILE", "LIVE", "Scene"]


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture: the keys that lead to it from the routes screen, and those that lead back."""

    name: str
    keys: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    wait: float = 0.0
    """Seconds until there is something to see."""
    theme: str = "dark"
    is_ascii: bool = False
    with_notes: bool = False
    """Whether the messages in the corner belong to it."""


_NEXT, _BEFORE = "right_square_bracket", "left_square_bracket"
FILE: Final = "~/Downloads/pomerium.json"

LIVE: Final = (
    Scene("routes"),
    Scene("routes-light", theme="light"),
    Scene("routes-ascii", is_ascii=True),
    Scene("routes-contrast", theme="contrast"),
    Scene("detail", ("enter",), ("escape",)),
    Scene("detail-light", ("enter",), ("escape",), theme="light"),
    Scene("timeline", ("enter", _NEXT), ("escape",)),
    Scene("timeline-ascii", ("enter", _NEXT), ("escape",), is_ascii=True),
    Scene("connect-as", ("enter", _BEFORE), ("escape",)),
    Scene("config", ("enter", _BEFORE, _BEFORE), ("escape",)),
    Scene("close-connection", ("enter", "x"), ("escape", "escape")),
    Scene("copy-as", ("Y",), ("escape",)),
    Scene("test", ("T",), ("escape",)),
    Scene("diagnose", ("D",), ("escape",), wait=2.0),
    Scene("profiles", ("P",), ("escape",)),
    Scene("denied", ("g",), ("j", "j")),
    Scene("filter", ("slash", *"!:off"), ("escape",)),
    Scene("edit", ("e",), ("escape",)),
    Scene("log", ("L",), ("escape",)),
    Scene("log-light", ("L",), ("escape",), theme="light"),
    Scene("log-find", ("L", "w", "slash", *"echo", "enter"), ("escape", "escape")),
    Scene("log-save", ("L", "ctrl+s"), ("escape", "escape")),
    Scene("discover", ("R",), ("escape", "escape"), wait=3.0),
    Scene("import", ("I", *FILE, "enter"), ("escape", "escape"), wait=1.0),
    Scene("tags", ("t",), ("escape",)),
    Scene("help", ("question_mark",), ("escape",)),
    Scene("delete", ("d",), ("escape",)),
    Scene("other-commands", ("E", "j"), ("escape",), wait=1.0),
    Scene("palette", ("ctrl+p", *"st"), ("escape",), wait=1.0),
    Scene("theme", ("ctrl+p", *"theme", "wait:500", "enter", "down", "down", "down"), ("escape",), wait=1.0),
    Scene("proxy-mode", ("V",), ("V",), wait=1.0, with_notes=True),
    Scene("settings", ("V", "comma", "down", "down"), ("escape", "V"), wait=1.0),
)
"""With routes that are up, denied, down and off, and bytes that move."""

EXPORT: Final = """\
{
  "@type": "type.googleapis.com/pomerium.cli.Records",
  "records": [
    {"tags": ["prod", "db"],
     "conn": {"name": "orders-db", "protocol": "TCP", "remoteAddr": "orders.corp.example.com:5432",
              "listenAddr": "127.0.0.1:15432", "autostart": true}},
    {"tags": ["prod"],
     "conn": {"name": "cache", "protocol": "TCP", "remoteAddr": "redis.corp.example.com:6379",
              "listenAddr": "127.0.0.1:16379"}},
    {"conn": {"name": "echo", "protocol": "TCP", "remoteAddr": "echo.lab.example.com:7"}},
    {"conn": {"name": "web", "protocol": "TCP", "remoteAddr": "web.corp.example.com:80"}},
    {"conn": {"name": "jump", "protocol": "TCP", "remoteAddr": "ssh.corp.example.com:22",
              "listenAddr": "127.0.0.1:2222", "pomeriumUrl": "https://proxy.corp.example.com"}},
    {"conn": {"name": "dns", "protocol": "UDP", "remoteAddr": "dns.corp.example.com:53"}}
  ]
}
"""
"""What that file holds meanwhile: new routes, two whose names are taken, and one that can't be carried."""

"""Where a token may go: the whole list of what it may, and two hundred that it may not."""

from __future__ import annotations

import itertools
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunnelui_server.control.redirects import MAX_REDIRECT, RedirectError, parse_redirect

GOOD = [
    "http://127.0.0.1:1024",
    "http://127.0.0.1:65535/",
    "http://127.0.0.1:45123/9c1f0bd2",
    "http://localhost:8000/a/b/c",
    "http://[::1]:8000",
    "http://[::1]:8000/x?y=z",
    "http://127.0.0.1:8000/?",
    "http://127.0.0.1:8000?x=1",
    "http://127.0.0.1:8000/a%20b",
    "http://127.0.0.1:8000/-._~!$&'()*+,;=:@",
    "http://127.0.0.1:8000//double",
    "http://127.0.0.1:8000/?next=http://evil.example/",
    "http://127.0.0.1:8000/" + "x" * 400,
]

_EVIL = "evil.example"
_HOSTS = [
    _EVIL, f"127.0.0.1.{_EVIL}", f"localhost.{_EVIL}", f"127.0.0.1@{_EVIL}", f"localhost@{_EVIL}",
    f"user:pass@{_EVIL}", "user@127.0.0.1", "user:pass@127.0.0.1", ":@127.0.0.1", "@127.0.0.1", f"{_EVIL}@127.0.0.1",
    f"{_EVIL}\\@127.0.0.1", f"127.0.0.1\\@{_EVIL}", f"127.0.0.1#@{_EVIL}", f"127.0.0.1?@{_EVIL}",
    f"127.0.0.1/@{_EVIL}", f"127.0.0.1%40{_EVIL}", f"127.0.0.1%2f{_EVIL}", f"127.0.0.1%23{_EVIL}",
    f"127.0.0.1%00.{_EVIL}", f"127.0.0.1\0.{_EVIL}", f"127.0.0.1\t.{_EVIL}", f"127.0.0.1\r\n.{_EVIL}",
    f"127.0.0.1 .{_EVIL}", f"127.0.0.1,{_EVIL}", f"127.0.0.1;{_EVIL}", f"127.0.0.1&{_EVIL}", "127.0.0.2", "127.1",
    "127.0.1", "127.000.000.001", "0127.0.0.1", "0x7f.0.0.1", "0x7f000001", "2130706433", "017700000001", "0",
    "0.0.0.0", "127.0.0.1.", "localhost.", "LOCALHOST", "LocalHost", "localhost6", "localhost.localdomain",
    "ip6-localhost", "loopback", "[::]", "[::ffff:127.0.0.1]", "[::ffff:1.2.3.4]", "[::ffff:7f00:1]",
    "[0:0:0:0:0:0:0:1]", "[::01]", "[::1%25lo]", "[::1%lo]", "[::1", "::1", "[::1].evil.example", "[::1]evil.example",
    "[v1.x]", "[]", "", "169.254.169.254", "10.0.0.1", "192.168.0.1", "metadata.google.internal", "１２７.0.0.1",
    "127。0。0。1", "ⓛocalhost", "loca\u200blhost", "localhoſt", "127.0.0.1\u3002evil.example",
    "127.0.0.1\uff0fevil.example", "127.0.0.1\u2044evil.example", "%31%32%37.0.0.1", "*", "*.localhost",
    "a.localhost", "host.docker.internal", "0.0.0.0.0", "127.0.0.1:80@evil.example", "[::1]:80@evil.example",
]  # fmt: skip
_SCHEMES = [
    "https", "HTTP", "Http", "hTTp", "ftp", "file", "javascript", "data", "ws", "http+unix", "tcp+https",
    "view-source:http", " http", "\thttp", "\nhttp", "h\nttp", "http ", "http\0", "", "x",
]  # fmt: skip
_PORTS = [
    "", ":", ":0", ":1", ":22", ":80", ":443", ":1023", ":65536", ":99999", ":100000", ":08000", ":008000", ":+8000",
    ":-8000", ":8000.", ":8e3", ":0x1f40", ":８０００", ":8000:8000", ": 8000", ":8000 ", ":8000\t", ":\t8000",
    ":8000@evil.example", ":8000.evil.example", ":8000\\", ":8000\\evil.example", ":8000\\@evil.example", ":8000;",
    ":8000%2f", ":8000%00",
]  # fmt: skip
_TAILS = [
    "#", "#x", "/#x", "/x#@evil.example", "/\\evil.example", "\\evil.example", "/\\/evil.example", "/\t/evil.example",
    "/a\\b", "/ ", " ", "\n", "\r\n", "/\r\nLocation: http://evil.example", "/\0", "/%00", "/%0a",
    "/%0d%0aSet-Cookie:x", "/%5cevil.example", "/%7f", "/%1b", "/%", "/%2", "/%zz", "/é", "/\u202e", "/<x>", '/"',
    "/`", "/{x}", "/|", "/^", "/[", "/?[", "/?#", "/?\\", "/? ", "/?pomerium_jwt=x", "?pomerium_jwt=x",
    "/?a=b&pomerium_jwt=", "/?pomerium_jwt", "/" + "x" * 500, "?" + "x" * 500, "/\x7f", "/\x85",
]  # fmt: skip
BAD = [
    *(f"http://{host}:8000/x" for host in _HOSTS), *(f"{scheme}://127.0.0.1:8000/x" for scheme in _SCHEMES),
    *(f"http://127.0.0.1{port}/x" for port in _PORTS), *(f"http://127.0.0.1:8000{tail}" for tail in _TAILS), "", "/",
    "//127.0.0.1:8000", "/\\evil.example", "/\t/evil.example", "\\\\127.0.0.1:8000", "http:127.0.0.1:8000",
    "http:/127.0.0.1:8000", "http:///127.0.0.1:8000", "http:////127.0.0.1:8000", "http:\\\\127.0.0.1:8000",
    "127.0.0.1:8000", "localhost:8000", ":8000", "http://", "http", "http://127.0.0.1:8000/\n",
    "\nhttp://127.0.0.1:8000/", " http://127.0.0.1:8000/", "http://127.0.0.1:8000/ http://evil.example",
    "http://evil.example/http://127.0.0.1:8000/", "http://evil.example?http://127.0.0.1:8000",
    "http://evil.example#http://127.0.0.1:8000", "http%3A%2F%2F127.0.0.1%3A8000", "http://127.0.0.1:8000/\ud800",
    "null", "about:blank", "\ufeffhttp://127.0.0.1:8000/", "http://127.0.0.1:8000/x" * 50,
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_a_program_on_this_machine_is_good(text: str) -> None:
    redirect = parse_redirect(text)
    parts = urlsplit(redirect.with_token("a.b.c"))
    assert parts.hostname in ("127.0.0.1", "localhost", "::1") and parts.port == redirect.port
    assert parts.path.startswith("/") and parts.query.endswith("pomerium_jwt=a.b.c") and not parts.fragment


def test_the_corpus_is_large() -> None:
    assert len(set(BAD)) == len(BAD) >= 200


@pytest.mark.parametrize("text", BAD, ids=[str(number) for number in range(len(BAD))])
def test_everything_else_is_bad(text: str) -> None:
    with pytest.raises(RedirectError) as refused:
        parse_redirect(text)
    assert not text.strip() or len(text) < 4 or text not in str(refused.value)


@pytest.mark.parametrize("name", ["pomerium_jwt", "%70omerium_jwt", "pomerium%5fjwt", "pomerium_jw%74"])
@pytest.mark.parametrize("query", ["{}=x", "a=b&{}=x", "{}", "a&{}&b"])
def test_a_second_token_is_bad_however_its_name_is_written(name: str, query: str) -> None:
    with pytest.raises(RedirectError):
        parse_redirect(f"http://127.0.0.1:8000/?{query.format(name)}")


def test_what_is_too_long_is_bad() -> None:
    start = "http://127.0.0.1:8000/"
    assert parse_redirect(start + "x" * (MAX_REDIRECT - len(start))).port == 8000
    with pytest.raises(RedirectError):
        parse_redirect(start + "x" * (MAX_REDIRECT - len(start) + 1))


@pytest.mark.parametrize(
    ("text", "with_token"),
    [
        ("http://127.0.0.1:2000", "http://127.0.0.1:2000/?pomerium_jwt=t"),
        ("http://127.0.0.1:2000/n", "http://127.0.0.1:2000/n?pomerium_jwt=t"),
        ("http://127.0.0.1:2000/n?a=b", "http://127.0.0.1:2000/n?a=b&pomerium_jwt=t"),
        ("http://127.0.0.1:2000/n?", "http://127.0.0.1:2000/n?pomerium_jwt=t"),
        ("http://[::1]:2000", "http://[::1]:2000/?pomerium_jwt=t"),
    ],
)
def test_how_the_token_is_added(text: str, with_token: str) -> None:
    assert parse_redirect(text).with_token("t") == with_token


@given(st.text(alphabet="htp:/127.0localhost[]@\\#?%8\t evil", max_size=60))
def test_whatever_passes_leads_to_the_loopback(text: str) -> None:
    for start in ("", "http://127.0.0.1:8000", "http://localhost:8000"):
        try:
            redirect = parse_redirect(start + text)
        except RedirectError:
            continue
        assert urlsplit(redirect.with_token("t")).hostname in ("127.0.0.1", "localhost", "::1")


@given(st.integers(0, 127), st.integers(0, 64))
def test_no_control_character_passes_anywhere(code: int, at: int) -> None:
    base = "http://127.0.0.1:8000/path?query=1"
    text = base[:at] + chr(code) + base[at:]
    if code < 33 or code == 127 or chr(code) in '\\#"<>^`{|}':
        with pytest.raises(RedirectError):
            parse_redirect(text)


def test_every_pair_of_bad_host_and_tail_is_bad() -> None:
    for host, tail in itertools.product(_HOSTS, _TAILS):
        with pytest.raises(RedirectError):
            parse_redirect(f"http://{host}:8000{tail}")

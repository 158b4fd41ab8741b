"""Every program by every way, as somebody types it into a shell: `exec`, `up`, and both halves of `proxy`.

The services, TLS, the sign-in and the programs are real ones. psql and curl check the certificate of the service
against the route's real name, whichever way they come. docs/commands.md tells users the same ways.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.e2e.harness import DOMAIN, Client, route_to, run_server, sign_in
from tests.peers.display import run_x_server
from tests.peers.parts import require
from tests.peers.process import free_port
from tests.peers.repository import ENV, make_repository
from tests.peers.web import run_web_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.peers.shell import SSHServer
    from tests.support.pki import Pki

pytestmark = pytest.mark.timeout(400)  # the first test waits for all the servers


@dataclass(frozen=True)
class Program:
    """What is typed, and what it must print.

    :param service: the fixture with the port of the real server.
    :param route: the name of the route to it; its real name is *route* and `DOMAIN`.
    :param here: with an address on this machine, ``{host}`` and ``{port}``.
    :param socks5: with the real name ``{name}``, through the proxy on the local port ``{proxy}``.
    :param connect: the same; the proxy speaks HTTP.
    """

    title: str
    service: str
    route: str
    port: int
    here: str
    socks5: str
    connect: str
    prints: str


PSQL: Final = 'psql -XAtc "select 6 * 7" "user=app dbname=postgres sslmode=verify-full sslrootcert={ca} host={name}'
MYSQL: Final = 'mariadb --no-defaults -u app -Ne "select 6 * 7" app'
LOG: Final = "git -C {folder} log --format=%s"
CLONE: Final = "git clone -q ssh://{user}@{host}:{port}{repository} {folder} && " + LOG
DIMENSIONS: Final = "sed -n '/dimensions:/s/ (.*//p'"

PROGRAMS: Final = (
    Program(
        "redis-cli",
        *("redis", "cache", 6379),
        here="redis-cli -h {host} -p {port} echo hello",
        socks5="proxychains4 -q -f {socks5} redis-cli -h {name} echo hello",
        connect="proxychains4 -q -f {connect} redis-cli -h {name} echo hello",
        prints="hello\n",
    ),
    Program(
        "psql",
        *("postgres", "db", 5432),
        here=PSQL + ' hostaddr={host} port={port}"',
        socks5="proxychains4 -q -f {socks5} " + PSQL + '"',
        connect="proxychains4 -q -f {connect} " + PSQL + '"',
        prints="42\n",
    ),
    Program(
        "mysql",
        *("mariadb", "shop", 3306),
        here=MYSQL + " -h {host} -P {port}",
        socks5="proxychains4 -q -f {socks5} " + MYSQL + " -h {name}",
        connect="proxychains4 -q -f {connect} " + MYSQL + " -h {name}",
        prints="42\n",
    ),
    Program(
        "curl",
        *("web", "wiki", 443),
        here="curl -sS --cacert {ca} --connect-to {name}:443:{host}:{port} https://{name}/hello.txt",
        socks5="curl -sS --cacert {ca} -x socks5h://127.0.0.1:{proxy} https://{name}/hello.txt",
        connect="curl -sS --cacert {ca} -x http://127.0.0.1:{proxy} https://{name}/hello.txt",
        prints="hello from the wiki\n",
    ),
    Program(
        "git over https",
        *("web", "wiki", 443),
        here="git -c http.curloptResolve={name}:{port}:{host} clone -q https://{name}:{port}/orders.git {folder} && "
        + LOG,
        socks5="git -c http.proxy=socks5h://127.0.0.1:{proxy} clone -q https://{name}/orders.git {folder} && " + LOG,
        connect="git -c http.proxy=http://127.0.0.1:{proxy} clone -q https://{name}/orders.git {folder} && " + LOG,
        prints="first\n",
    ),
    Program(
        "git over ssh",
        *("shell", "shell", 22),
        here='export GIT_SSH_COMMAND="ssh {ssh}"; ' + CLONE,
        socks5="export GIT_SSH_COMMAND=\"ssh {ssh} -o ProxyCommand='nc -X 5 -x 127.0.0.1:{proxy} %h %p'\"; " + CLONE,
        connect="export GIT_SSH_COMMAND=\"ssh {ssh} -o ProxyCommand='nc -X connect -x 127.0.0.1:{proxy} %h %p'\"; "
        + CLONE,
        prints="first\n",
    ),
    Program(
        "X client",
        *("display", "x", 6001),
        here="xdpyinfo -display {host}:$(({port} - 6000)) | " + DIMENSIONS,
        socks5="proxychains4 -q -f {socks5} xdpyinfo -display {name}:1 | " + DIMENSIONS,
        connect="proxychains4 -q -f {connect} xdpyinfo -display {name}:1 | " + DIMENSIONS,
        prints="  dimensions:    640x480 pixels\n",
    ),
)
TOOLS: Final = ("redis-cli", "psql", "mariadb", "curl", "git", "ssh", "xdpyinfo", "proxychains4", "nc")


@dataclass(frozen=True)
class Setting:
    """Somebody who is signed in and has a saved route to every service, while a `tunnelui proxy` runs.

    :param values: what stands for the fields in the commands of a `Program`.
    """

    client: Client
    values: Mapping[str, str]

    def run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        env = {**self.client.env, **ENV, "MYSQL_PWD": "secret", "GIT_SSL_CAINFO": self.values["ca"]}
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=50, check=False)


def through_exec(setting: Setting, program: Program, values: Mapping[str, str]) -> list[str]:
    command = program.here.format_map({**values, "host": "$TUNNELUI_HOST", "port": "$TUNNELUI_PORT"})
    return setting.client.argv("exec", program.route, "--", "sh", "-c", command)


def through_up(setting: Setting, program: Program, values: Mapping[str, str]) -> list[str]:
    done = setting.client.run("up", program.route, "--json")
    assert done.returncode == 0, done.stderr.decode()
    host, _, port = json.loads(done.stdout)["local"].rpartition(":")
    return ["sh", "-c", program.here.format_map({**values, "host": host, "port": port})]


def through_socks5(setting: Setting, program: Program, values: Mapping[str, str]) -> list[str]:
    return ["sh", "-c", program.socks5.format_map({**values, "host": values["name"], "port": str(program.port)})]


def through_connect(setting: Setting, program: Program, values: Mapping[str, str]) -> list[str]:
    return ["sh", "-c", program.connect.format_map({**values, "host": values["name"], "port": str(program.port)})]


WAYS: Final = {
    "exec": through_exec,
    "up": through_up,
    "proxy by SOCKS5": through_socks5,
    "proxy by CONNECT": through_connect,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.title)
def test_every_program_by_every_way(
    setting: Setting, program: Program, way: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(program.service)
    column = program.here if way in ("exec", "up") else program.socks5 if "SOCKS5" in way else program.connect
    require(*(tool for tool in TOOLS if re.search(rf"\b{tool}\b", column)))
    values = {**setting.values, "name": f"{program.route}.{DOMAIN}", "folder": str(tmp_path / "clone")}
    if "git" in program.title:
        values |= request.getfixturevalue("checkout")
    done = setting.run(WAYS[way](setting, program, values))
    assert (done.stdout, done.returncode) == (program.prints, 0), done.stderr


@pytest.mark.parametrize(
    ("route", "command", "complaint"),
    [
        ("db", PSQL.replace("{name}", "{host}") + ' port={port}"', "does not match host name"),
        ("wiki", "curl -sS --cacert {ca} https://{host}:{port}/", "SSL: no alternative certificate subject name"),
    ],
    ids=["psql", "curl"],
)
def test_a_certificate_is_really_checked(setting: Setting, route: str, command: str, complaint: str) -> None:
    """Without the real name, which `exec` and `up` alone can't give, these programs rightly refuse."""
    require("psql", "curl")
    text = command.format_map({**setting.values, "host": "$TUNNELUI_HOST", "port": "$TUNNELUI_PORT"})
    done = setting.run(setting.client.argv("exec", route, "--", "sh", "-c", text))
    assert done.returncode != 0
    assert complaint in done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("matrix")


@pytest.fixture(scope="module")
def web(folder: Path, pki: Pki) -> Iterator[int]:
    (folder / "pages").mkdir()
    (folder / "pages" / "hello.txt").write_text("hello from the wiki\n")
    with run_web_server(folder / "pages", pki.server_context(f"*.{DOMAIN}")) as port:
        yield port


@pytest.fixture(scope="module")
def shell(sshd: SSHServer) -> int:
    return sshd.port


@pytest.fixture(scope="module")
def checkout(folder: Path, web: int, sshd: SSHServer) -> dict[str, str]:
    """What git needs beside host and port. The repository is among the pages of the web server, too."""
    repository = make_repository(folder / "pages", size=1_000_000)
    options = sshd.options(f"shell.{DOMAIN}", folder)
    return {"ssh": shlex.join(options), "user": sshd.user, "repository": str(repository)}


@pytest.fixture(scope="module")
def display(folder: Path) -> Iterator[int]:
    with run_x_server(folder) as port:
        yield port


@pytest.fixture(scope="module")
def setting(folder: Path, pki: Pki, request: pytest.FixtureRequest) -> Iterator[Setting]:
    ports: dict[str, int] = {}
    for program in PROGRAMS:
        try:
            ports[program.route] = request.getfixturevalue(program.service)
        except pytest.skip.Exception:
            continue  # its own tests are skipped for that
    services = {program.route: program.port for program in PROGRAMS if program.route in ports}
    routes = [route_to(name, port, ports[name]) for name, port in services.items()]
    with run_server(folder / "server", pki, routes) as server:
        client = Client(folder / "client", server)
        client.paste(sign_in(server))
        for name, port in services.items():
            saved = client.run("routes", "add", name, f"{name}.{DOMAIN}:{port}")
            assert saved.returncode == 0, saved.stderr
        proxy = free_port()
        with client.spawn("proxy", "--listen", f"127.0.0.1:{proxy}") as process:
            process.wait_port(proxy)
            yield Setting(client, {"ca": pki.ca_file, "proxy": str(proxy), **chains(folder, proxy)})
        client.run("agent", "stop")


def chains(folder: Path, proxy: int) -> dict[str, str]:
    """What proxychains reads, one file for each protocol."""
    files: dict[str, str] = {}
    for field, protocol in (("socks5", "socks5"), ("connect", "http")):
        file = folder / f"{field}.conf"
        file.write_text(f"strict_chain\nproxy_dns\n[ProxyList]\n{protocol} 127.0.0.1 {proxy}\n")
        files[field] = str(file)
    return files

"""The agent without Unix sockets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.cli.test_agent import kill_agent, use

if TYPE_CHECKING:
    from tests.cli.program import Program
    from tests.support.connect_proxy import ConnectProxy


def test_its_life(program: Program, proxy: ConnectProxy) -> None:
    program.env["TUNNELUI_AGENT_TRANSPORT"] = "tcp"
    assert program.run("routes", "add", "db", proxy.destination("db.example.com:5432")).returncode == 0
    with program.agent():
        done = program.run("up", "db")
        assert done.returncode == 0, done.stderr
        local = program.status()["db"]["local"]
        use(local).close()
        assert sorted(os.listdir(program.runtime)) == ["agent.json", "agent.lock"]
        old = kill_agent(program)
        assert program.run("agent").returncode == 1
        assert program.run("wait", "db").returncode == 0
        assert program.agent_pid() not in (0, old)
        assert program.status()["db"]["local"] == local
        # Descriptors can't be handed over there: the program does the work itself.
        done = program.run("tcp", "--listen", "-", proxy.destination(), input=b"sent")
        assert (done.returncode, done.stdout) == (0, b"sent")
        del program.env["TUNNELUI_AGENT_TRANSPORT"]
        done = program.run("up", "db")
        assert done.returncode == 1
        assert b"in another way than TUNNELUI_AGENT_TRANSPORT says here" in done.stderr
        program.env["TUNNELUI_AGENT_TRANSPORT"] = "tcp"
        assert program.run("agent", "restart").returncode == 0
        use(local).close()
    assert sorted(os.listdir(program.runtime)) == ["agent.lock"]

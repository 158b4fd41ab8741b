"""The agent: a process that owns the tunnels, and the way to it.

`protocol` and `codec` say what goes over the socket, `changes` how a snapshot is told piece by piece, `runtime` where
the socket is and who may be behind it. `AgentServer` serves an engine, `AgentClient` is an
`tunnelui.engine.interface.Engine` whose tunnels run in the agent. `lifecycle` starts, finds and replaces agents.
"""

from __future__ import annotations

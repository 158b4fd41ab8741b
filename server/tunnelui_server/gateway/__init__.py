"""The data plane: accepts connections, reads one head on each, and opens tunnels.

What is no CONNECT goes to the control plane, bytes and all. This process knows no web framework: a control plane that
is slow, busy or down delays no tunnel.
"""

from tunnelui_server.gateway.server import Gateway

__all__ = ["Gateway"]

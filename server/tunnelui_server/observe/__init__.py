"""What the server says about itself: JSON lines on stderr, and the audit trail of tunnels among them."""

from tunnelui_server.observe.audit import TunnelAudit
from tunnelui_server.observe.logs import JSONFormatter, configure_logging
from tunnelui_server.observe.redact import redact

__all__ = ["JSONFormatter", "TunnelAudit", "configure_logging", "redact"]

"""The configuration file: Pomerium's names, every error at once, each with its file, line and nearest key."""

from tunnelui_server.config.load import RUNTIME_VARIABLE, load_config
from tunnelui_server.config.model import Certificate, ConfigErrors, Limits, LocalUser, ServerConfig

__all__ = ["RUNTIME_VARIABLE", "Certificate", "ConfigErrors", "Limits", "LocalUser", "ServerConfig", "load_config"]

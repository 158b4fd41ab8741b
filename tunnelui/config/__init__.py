"""Settings, profiles and saved routes on disk.

``config.toml`` belongs to the user and is only read (`load_settings`); ``routes.toml`` belongs to tunnelui
(`RouteFile`). `check_route` holds the rules that the file, the engine and the form share; `paths` knows the folders.
"""

from __future__ import annotations

from tunnelui.config.profile import Profile
from tunnelui.config.route import DEFAULT_PROFILE, Route
from tunnelui.config.route_rules import check_name, check_route
from tunnelui.config.routes import RouteFile
from tunnelui.config.settings import TOKEN_STORES, Settings, load_settings

__all__ = [
    "DEFAULT_PROFILE",
    "TOKEN_STORES",
    "Profile",
    "Route",
    "RouteFile",
    "Settings",
    "check_name",
    "check_route",
    "load_settings",
]

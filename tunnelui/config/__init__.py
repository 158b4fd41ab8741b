"""Settings, profiles and saved routes on disk.

``config.toml`` belongs to the user and is only read (`load_settings`); ``routes.toml`` belongs to tunnelui
(`RouteFile`). `check_route` holds the rules that the file, the engine and the form share; `paths` knows the folders.
"""

from __future__ import annotations

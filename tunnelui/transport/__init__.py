"""Sockets: dialling, listening, TLS, and the relay that carries a tunnel's bytes.

Nothing here knows of routes, users or policy. `OSError` and `ssl.SSLError` become `tunnelui.errors` here and nowhere
else. Import from the modules: `dial`, `listen`, `endpoint`, `contexts` and `tls`, `exchange` (one HTTP head over an
endpoint), `stdio`, `relay`.
"""

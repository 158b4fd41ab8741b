"""Every private TCP service behind an identity-aware proxy, in one terminal screen.

The layers, from the ground up: `errors` and `text`; `wire` (bytes in, values out); `transport` (sockets); `auth` and
`config`; `engine` (tunnels); `tui` and `cli` (the two faces). Each imports only what stands before it.
"""

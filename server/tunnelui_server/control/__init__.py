"""The control plane: sign-in, the pages, and the small API for programs, as a Starlette app on a private Unix socket.

`protocol` reads what the gateway hands over, `guard` stands around every answer, `sign_in` and `account` hold the
handlers, and `serve` is the process.
"""

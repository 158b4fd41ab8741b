"""What is measured and what it is compared with: one module for each program, `registry` to find them by name.

A *client half* listens without TLS and goes on to a proxy; a *server half* listens with TLS and goes on to the
endpoint. A *pair* is both, or ssh.
"""

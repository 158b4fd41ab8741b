"""Tunnels: what a started route is, how one connection comes about, and the `Engine` that screens and commands use.

`interface` is the `Engine`, `model` its values; `states` holds the law of a tunnel's state; `connector` opens one
connection and says what is tried again; `tunnel` joins a listener, its connections and its state; `local` runs tunnels
in this process; `stdio` runs a single one without a listener. Import from the modules; this package hands on nothing.
"""

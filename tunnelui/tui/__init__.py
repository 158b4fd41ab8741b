"""The screens: a Textual application that shows and drives an `tunnelui.engine.interface.Engine`.

`app` holds the application, `screens` what fills the terminal, `widgets` the parts of a screen. The other modules are
pure: they turn snapshots into lines (`columns`, `facts`, `advice`), text into safe cells (`words`), and numbers into
words (`format`). Nothing here opens a socket. Import `tunnelui.tui.app.TunnelApp` when a screen is really wanted:
textual takes a quarter of a second to load.
"""

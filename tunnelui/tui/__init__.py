"""The screens: a Textual application that shows and drives an `tunnelui.engine.interface.Engine`.

From the ground up: `style` (colours and signs), `lines` (snapshots as lines, cut by cells), `listing` (which rows the
list of routes has), `keys`, `edits` (what is typed and not saved yet) and `outside` (clipboard, files, other programs)
are pure or nearly so; `widgets` are the parts of a screen, `screens` fill the terminal, `actions` are what a person can
do on any of them. `app` holds it all together, and `host` says what the others may ask of it; beside them stand what
feeds the screens (`feed`, `happenings`, `reminders`) and what keeps them going (`guard`, `faults`). Nothing here opens
a socket. Import `tunnelui.tui.app.TunnelApp` when a screen is really wanted: textual takes a quarter of a second to
load.
"""

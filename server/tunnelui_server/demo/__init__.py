"""What `tunnelui demo` stands on: the real server with throw-away keys, people and upstreams that are really there.

`python -m tunnelui_server.demo --folder DIR` writes everything into *DIR*, starts the server, prints one JSON line that
says how to reach it, and runs until its standard input ends or a signal comes. What the server logs is in
`DIR/server.log`. With `--remove-folder` the folder is gone at the end, also when whoever started this was killed.
"""

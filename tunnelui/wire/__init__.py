"""What goes over the wire, without the wire: bytes in, values out. Nothing here knows a socket, a loop or a clock.

`address` and `destination` read what people and requests name, `head` is the HTTP/1.1 grammar (`asking` a client's part
of it, `answering` a server's), `proxy_header` the PROXY protocol, `socks` SOCKS5. Import from the modules; this package
hands on nothing, so that each user pays for what it uses.
"""

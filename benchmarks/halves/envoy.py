"""Envoy with one worker: HTTP/1.1 CONNECT over TLS, as a client (``tcp_proxy`` that tunnels) and as a server."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from benchmarks.halves.half import Half, Missing, Onward, program
from benchmarks.lab import BANNER, ECHO, PEERS, Lab, free_port
from benchmarks.processes import Child

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["client", "find", "server"]

_TYPES: Final = "type.googleapis.com/envoy.extensions"
# The defaults are caps of 1,024, made for HTTP: they would end the measurement of idle tunnels.
_NO_CAPS: Final = {
    "thresholds": [{"max_connections": 1_000_000, "max_pending_requests": 1_000_000, "max_requests": 1_000_000}]
}


def find() -> str:
    """Return the path of Envoy, from either folder that holds one.

    :raises Missing: neither does.
    """
    for venv in ("venv", "bench-venv"):
        path = PEERS / venv / "bin" / "envoy"
        if path.exists():
            return str(path)
    try:
        return program("envoy")
    except Missing:
        raise Missing("envoy is not installed (benchmarks/peers.sh)") from None


@contextmanager
def client(lab: Lab, name: str, onward: Onward, cores: frozenset[int]) -> Iterator[Half]:
    """Listen and tunnel every connection to *onward*."""
    tunnel = {
        "@type": f"{_TYPES}.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "tunnel",
        "cluster": "proxy",
        "tunneling_config": {"hostname": onward.authority},
    }
    tls = {
        "@type": f"{_TYPES}.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": "localhost",
        "common_tls_context": {
            "alpn_protocols": ["http/1.1"],
            "validation_context": {"trusted_ca": {"filename": str(lab.ca_file)}},
        },
    }
    cluster = _cluster("proxy", onward.port) | {"transport_socket": {"name": "tls", "typed_config": tls}}
    chain = {"filters": [{"name": "tunnel", "typed_config": tunnel}]}
    with _run(lab, name, chain, [cluster], cores) as half:
        yield half


@contextmanager
def server(lab: Lab, name: str, cores: frozenset[int]) -> Iterator[Half]:
    """Terminate TLS and CONNECT."""
    upstreams = {ECHO: lab.plain, BANNER: lab.banner}
    hosts = [
        {
            "name": f"host-{number}",
            "domains": [authority],
            "routes": [
                {
                    "match": {"connect_matcher": {}},
                    "route": {
                        "cluster": f"upstream-{number}",
                        "timeout": "0s",
                        "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
                    },
                }
            ],
        }
        for number, authority in enumerate(upstreams)
    ]
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "connect",
        "codec_type": "AUTO",
        "upgrade_configs": [{"upgrade_type": "CONNECT"}],
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}}],
        "route_config": {"name": "routes", "virtual_hosts": hosts},
    }
    certificate = {
        "certificate_chain": {"filename": str(lab.cert_file)},
        "private_key": {"filename": str(lab.key_file)},
    }
    tls = {
        "@type": f"{_TYPES}.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {"alpn_protocols": ["http/1.1"], "tls_certificates": [certificate]},
    }
    chain = {
        "filters": [{"name": "http", "typed_config": manager}],
        "transport_socket": {"name": "tls", "typed_config": tls},
    }
    clusters = [_cluster(f"upstream-{number}", port) for number, port in enumerate(upstreams.values())]
    with _run(lab, name, chain, clusters, cores) as half:
        yield half


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int) -> dict[str, Any]:
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": _NO_CAPS,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}],
        },
    }


@contextmanager
def _run(lab: Lab, name: str, chain: dict[str, Any], clusters: list[Any], cores: frozenset[int]) -> Iterator[Half]:
    port = free_port()
    listener = {"name": "in", "address": _address(port), "filter_chains": [chain]}
    file = lab.folder / f"{name}-{port}.json"
    file.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}}))
    command = [find(), "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    with Child(f"{name}-{port}", command, lab.folder, cores=cores) as child:
        child.wait_listening(port)
        yield Half(port, child.pid)

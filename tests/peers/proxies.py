"""Foreign proxies: Envoy on either side of CONNECT, and squid."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.peers.databases import own_folder
from tests.peers.parts import ENVOY, require, system_user
from tests.peers.process import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["run_envoy_client", "run_envoy_proxy", "run_squid"]

_TYPES = "type.googleapis.com/envoy.extensions"


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int, **more: Any) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        **more,
    }


@contextmanager
def _run_envoy(folder: Path, name: str, listeners: list[Any], clusters: list[Any], port: int) -> Iterator[int]:
    (envoy,) = require(ENVOY)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"static_resources": {"listeners": listeners, "clusters": clusters}}))
    argv = [envoy, "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
    with Process(name, argv, folder) as process:
        process.wait_port(port)
        yield port


@contextmanager
def run_envoy_proxy(
    folder: Path, certificate: tuple[Path, Path], upstreams: Mapping[str, int], answers: Mapping[str, int] | None = None
) -> Iterator[int]:
    """Run Envoy as Pomerium uses it, a CONNECT proxy over TLS; yield its port.

    :param certificate: the files of the chain and of the key.
    :param upstreams: CONNECT authority -> loopback port.
    :param answers: CONNECT authority -> the status that it is refused with.
    """
    port = free_port()
    hosts = []
    for number, authority in enumerate(upstreams):
        route = {
            "match": {"connect_matcher": {}},
            "route": {
                "cluster": f"upstream-{number}",
                "timeout": "0s",
                "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
            },
        }
        hosts.append({"name": f"host-{number}", "domains": [authority], "routes": [route]})
    for authority, status in (answers or {}).items():
        route = {"match": {"connect_matcher": {}}, "direct_response": {"status": status}}
        hosts.append({"name": f"refused-{status}", "domains": [authority], "routes": [route]})
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "connect",
        "codec_type": "AUTO",
        "upgrade_configs": [{"upgrade_type": "CONNECT"}],
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}},
        ],
        "route_config": {"name": "routes", "virtual_hosts": hosts},
    }
    chain, key = certificate
    tls = {
        "@type": f"{_TYPES}.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "alpn_protocols": ["http/1.1"],
            "tls_certificates": [
                {"certificate_chain": {"filename": str(chain)}, "private_key": {"filename": str(key)}}
            ],
        },
    }
    listener = {
        "name": "connect",
        "address": _address(port),
        "filter_chains": [
            {
                "filters": [{"name": "http", "typed_config": manager}],
                "transport_socket": {"name": "tls", "typed_config": tls},
            }
        ],
    }
    clusters = [_cluster(f"upstream-{number}", target) for number, target in enumerate(upstreams.values())]
    with _run_envoy(folder, "envoy-proxy", [listener], clusters, port):
        yield port


@contextmanager
def run_envoy_client(folder: Path, *, proxy: int, ca: Path, host: str, authority: str, token: str) -> Iterator[int]:
    """Run Envoy as a listener that tunnels to *authority* through our server on the port *proxy*; yield its port."""
    port = free_port()
    tunnel = {
        "@type": f"{_TYPES}.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "tunnel",
        "cluster": "proxy",
        "tunneling_config": {
            "hostname": authority,
            "headers_to_add": [
                {
                    "header": {"key": "authorization", "value": f"Pomerium {token}"},
                    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                }
            ],
        },
    }
    tls = {
        "@type": f"{_TYPES}.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": host,
        "common_tls_context": {
            "alpn_protocols": ["http/1.1"],
            "validation_context": {"trusted_ca": {"filename": str(ca)}},
        },
    }
    listener = {
        "name": "local",
        "address": _address(port),
        "filter_chains": [{"filters": [{"name": "tunnel", "typed_config": tunnel}]}],
    }
    cluster = _cluster("proxy", proxy, transport_socket={"name": "tls", "typed_config": tls})
    with _run_envoy(folder, "envoy-client", [listener], [cluster], port):
        yield port


@contextmanager
def run_squid(folder: Path) -> Iterator[int]:
    """Run squid as a plain CONNECT proxy to loopback; yield its port."""
    (squid,) = require("squid")
    user = system_user("proxy")
    port = free_port()
    with own_folder("squid", user) as data:
        lines = [
            f"http_port 127.0.0.1:{port}",
            "http_access allow to_localhost",
            "http_access deny all",
            f"pid_filename {data}/pid",
            f"cache_log {data}/cache.log",
            f"coredump_dir {data}",
            "access_log none",
            "cache deny all",
            "cache_mem 8 MB",
            "logfile_rotate 0",
            "shutdown_lifetime 1 seconds",
            "pinger_enable off",
            "workers 1",
        ]
        config = data / "squid.conf"
        config.write_text("\n".join(lines) + "\n")
        config.chmod(0o644)
        argv = [squid, "-N", "-f", str(config), "-n", f"t{port}"]
        with Process("squid", argv, folder, user=user, cwd=data) as process:
            process.wait_port(port)
            yield port

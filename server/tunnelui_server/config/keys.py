"""Every key that a configuration may hold: those that mean something here, and Pomerium's others.

Pomerium's keys are accepted so that existing files carry over. One that would narrow who gets in is never ignored,
though: where this server can't enforce it, the file is refused.
"""

from __future__ import annotations

import difflib
from typing import Final

__all__ = [
    "GLOBAL_KEYS",
    "POMERIUM_GLOBAL_KEYS",
    "POMERIUM_ROUTE_KEYS",
    "REFUSED_GLOBAL_KEYS",
    "REFUSED_ROUTE_KEYS",
    "ROUTE_KEYS",
    "SCALAR_KEYS",
    "nearest",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SCALAR_KEYS: Final = _words(
    """
    address insecure_server insecure_server_allow_remote certificate_file certificate_key_file
    authenticate_service_url idp_provider idp_provider_url idp_client_id idp_client_secret idp_client_secret_file
    shared_secret shared_secret_file cookie_expire databroker_storage_type databroker_storage_connection_string
    databroker_storage_connection_string_file log_level groups_claim device_login state_dir
    workers max_connections max_pending_per_address max_tunnels_per_user max_tunnels_per_route
    handshake_timeout head_timeout upstream_connect_timeout shutdown_grace
    """
)
"""Keys with one value: an environment variable of the same name in upper case goes before the file."""

GLOBAL_KEYS: Final = SCALAR_KEYS | {"routes", "policy", "certificates", "idp_scopes", "local_users", "groups"}

ROUTE_KEYS: Final = _words(
    """
    from to name description allowed_users allowed_groups allowed_domains allowed_idp_claims
    allow_any_authenticated_user allow_public_unauthenticated_access timeout idle_timeout allow_private_special
    """
)

REFUSED_GLOBAL_KEYS: Final = {
    "downstream_mtls": "this server does not ask for client certificates",
    "use_proxy_protocol": "this server does not read PROXY headers from clients",
}
REFUSED_ROUTE_KEYS: Final = {
    "policy": "this server does not know the policy language; write allowed_users, allowed_groups, allowed_domains or "
    "allowed_idp_claims",
    "sub_policies": "this server does not know sub-policies; write the allowed_… keys into the route",
    "rego": "this server does not know Rego; write the allowed_… keys into the route",
    "idp_client_id": "this server has one identity provider for all routes",
    "idp_client_secret": "this server has one identity provider for all routes",
    "tls_downstream_client_ca": "this server does not ask for client certificates",
    "tls_downstream_client_ca_file": "this server does not ask for client certificates",
}

POMERIUM_GLOBAL_KEYS: Final = _words(
    """
    access_log_fields authenticate_callback_path authenticate_internal_service_url authorize_internal_service_url
    authorize_log_fields authorize_service_url authorize_service_urls autocert autocert_ca autocert_dir
    autocert_eab_key_id autocert_eab_mac_key autocert_email autocert_must_staple autocert_trusted_ca
    autocert_trusted_ca_file autocert_use_staging bearer_token_format blob_storage certificate certificate_authority
    certificate_authority_file certificate_key circuit_breaker_thresholds codec_type cookie_domain cookie_http_only
    cookie_name cookie_same_site cookie_secret cookie_secret_file dark_mode databroker_cluster_leader_id
    databroker_cluster_node_id databroker_cluster_nodes databroker_internal_service_url databroker_raft_bind_address
    databroker_service_url databroker_service_urls debug_address default_upstream_timeout
    dns_failure_refresh_rate dns_lookup_family dns_query_timeout dns_query_tries dns_refresh_rate dns_resolvers
    dns_udp_max_queries dns_use_tcp envoy_admin_access_log_path envoy_admin_address envoy_admin_profile_path
    envoy_bind_config_freebind envoy_bind_config_source_address error_message_first_paragraph favicon_url
    google_cloud_serverless_authentication_service_account grpc_address grpc_client_timeout grpc_insecure headers
    health_check_addr health_check_systemd_disabled http_redirect_addr identity_providers
    idp_access_token_allowed_audiences idp_refresh_directory_interval idp_refresh_directory_timeout
    idp_request_params idp_service_account installation_id jwt_claims_headers jwt_groups_filter jwt_issuer_format
    logo_url mcp_allowed_client_id_domains metrics_address metrics_basic_auth metrics_certificate
    metrics_certificate_file metrics_certificate_key metrics_certificate_key_file metrics_client_ca
    metrics_client_ca_file otel_bsp_max_export_batch_size otel_bsp_schedule_delay otel_exporter_otlp_endpoint
    otel_exporter_otlp_headers otel_exporter_otlp_protocol otel_exporter_otlp_timeout
    otel_exporter_otlp_traces_endpoint otel_exporter_otlp_traces_headers otel_exporter_otlp_traces_protocol
    otel_exporter_otlp_traces_timeout otel_log_level otel_propagators otel_resource_attributes otel_traces_exporter
    otel_traces_sampler_arg otel_attribute_value_length_limit override_certificate_name pass_identity_headers
    pomerium_debug primary_color programmatic_redirect_domain_whitelist proxy_log_level runtime_flags secondary_color
    services set_response_headers signing_key signing_key_file signout_redirect_url skip_xff_append ssh_address
    ssh_host_key_files ssh_host_keys ssh_rls_domain ssh_rls_enabled ssh_user_ca_key ssh_user_ca_key_file
    timeout_idle timeout_read timeout_write tls_derive tracing_datadog_address tracing_jaeger_agent_endpoint
    tracing_jaeger_collector_endpoint tracing_otlp_endpoint tracing_otlp_protocol tracing_provider tracing_sample_rate
    tracing_zipkin_endpoint xff_num_trusted_hops
    """
)

POMERIUM_ROUTE_KEYS: Final = _words(
    """
    allow_spdy allow_websockets bearer_token_format circuit_breaker_thresholds cors_allow_preflight depends_on
    enable_google_cloud_serverless_authentication health_checks healthy_panic_threshold host_path_regex_rewrite_pattern
    host_path_regex_rewrite_substitution host_rewrite host_rewrite_header id identity_providers
    idp_access_token_allowed_audiences jwt_groups_filter jwt_issuer_format
    kubernetes_service_account_token kubernetes_service_account_token_file lb_policy least_request_lb_config
    load_balancing_policy logo_url maglev_lb_config mcp outlier_detection pass_identity_headers path prefix
    prefix_rewrite preserve_host_header redirect regex regex_priority_order regex_rewrite_pattern
    regex_rewrite_substitution remove_request_headers response rewrite_response_headers ring_hash_lb_config
    set_authorization_header set_request_headers set_response_headers show_error_details stat_name tls_client_cert
    tls_client_cert_file tls_client_key tls_client_key_file tls_custom_ca tls_custom_ca_file
    tls_downstream_server_name tls_server_name tls_skip_verify tls_upstream_allow_renegotiation
    tls_upstream_server_name upstream_tunnel
    """
)


def nearest(key: str, *groups: frozenset[str]) -> str | None:
    """The known key that *key* looks most like; an earlier group is asked first."""
    for group in groups:
        if found := difflib.get_close_matches(key.lower().replace("-", "_"), sorted(group), n=1, cutoff=0.7):
            return found[0]
    return None

"""The bundled identity-aware proxy: a gateway for tunnels, a control plane for people, and their supervisor."""

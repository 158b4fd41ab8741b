"""``python -m benchmarks``: tunnelui measured against Envoy, HAProxy, ssh and others, in one run on one machine.

``native/`` holds the load generator, the endpoint and the delay relay (C); ``halves/`` starts what is measured and its
peers; ``cases/`` holds the measurements; ``musts.py`` what they have to reach. It needs Linux, a C compiler and what
``benchmarks/peers.sh`` installs; a peer that is missing is left out and named.
"""

"""Whom an address stands for."""

from __future__ import annotations

import pytest

from tunnelui_server.customer import customer_of


@pytest.mark.parametrize(
    ("address", "customer"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("", ""),
        ("x" * 100, "x" * 64),
    ],
)
def test_one_customer_is_counted_once(address: str, customer: str) -> None:
    assert customer_of(address) == customer

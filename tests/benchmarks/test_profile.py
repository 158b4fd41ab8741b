from __future__ import annotations

import pytest

from benchmarks.cases.profile import parts_of

REPORT = """
# To display the perf.data header info, please use --header/--header-only options.
#
# Overhead  Shared Object
# ........  ........................................
    39.62%  [kernel.kallsyms]
    27.22%  libcrypto.so.3
    18.73%  libpython3.11.so.1.0
     9.91%  libc.so.6
     3.84%  libssl.so.3
     0.30%  _ssl.cpython-311-x86_64-linux-gnu.so
     0.09%  [vdso]
     0.29%  envoy
"""


def test_every_library_belongs_to_one_part() -> None:
    shares = parts_of(REPORT)
    assert {part: round(share, 4) for part, share in shares.items()} == {
        "kernel": 0.3971,
        "OpenSSL": 0.3106,
        "Python": 0.1903,
        "C library": 0.0991,
        "the program itself": 0.0029,
    }
    assert sum(shares.values()) == pytest.approx(1.0, abs=0.001)


@pytest.mark.parametrize("report", ["", "# nothing was seen\n", "no percent here"])
def test_a_report_without_samples_has_no_shares(report: str) -> None:
    assert sum(parts_of(report).values()) == 0

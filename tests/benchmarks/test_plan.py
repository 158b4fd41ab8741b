from __future__ import annotations

import pytest

from benchmarks.lab import Cores
from benchmarks.plan import CASES, choose


def test_without_words_every_case_is_chosen() -> None:
    assert choose([]) == list(CASES)


@pytest.mark.parametrize(
    ("words", "cases"),
    [
        (["start"], ["start"]),
        (["screen"], ["screen-picture", "screen-work", "screen-crowd"]),
        (["round-trip"], ["round-trip"]),
        (["rate"], ["rate-client", "rate-server", "rate-pair"]),
        (["idle", "ping-pair"], ["ping-pair", "idle-client", "idle-server"]),
    ],
)
def test_words_choose_cases_in_the_order_of_a_run(words: list[str], cases: list[str]) -> None:
    assert choose(words) == cases


def test_an_unknown_word_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"“fast”; there are .*start"):
        choose(["fast"])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_a_half_shares_its_core_with_the_load_only_where_there_is_one(count: int) -> None:
    cores = Cores.divide(range(count))
    assert len(cores.relay) == 1
    assert cores.load
    assert bool(cores.relay & cores.load) == (count == 1)


def test_with_four_cores_both_halves_have_one_to_themselves() -> None:
    cores = Cores.divide([0, 1, 2, 3])
    assert [set(part) for part in (cores.near, cores.far, cores.pair_load)] == [{0}, {1}, {2, 3}]

"""Lists cut into requests: nothing lost, nothing too large, no request too many."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jina_rerank.wire.split import split

SIZES = st.lists(st.integers(1, 20), min_size=1, max_size=30)


@given(SIZES, st.integers(1, 8), st.integers(1, 40))
def test_parts_together_are_the_list_in_order(sizes: list[int], count: int, size: int) -> None:
    parts = split(sizes, count=count, size=size)
    assert [i for part in parts for i in part] == list(range(len(sizes)))


@given(SIZES, st.integers(1, 8), st.integers(1, 40))
def test_part_keeps_both_limits_unless_one_document_breaks_it(
    sizes: list[int], count: int, size: int
) -> None:
    for part in split(sizes, count=count, size=size):
        assert 1 <= len(part) <= count
        assert len(part) == 1 or sum(sizes[i] for i in part) <= size


@given(SIZES, st.integers(1, 8), st.integers(1, 40))
def test_first_document_of_a_part_did_not_fit_the_one_before(
    sizes: list[int], count: int, size: int
) -> None:
    parts = split(sizes, count=count, size=size)
    for before, part in pairwise(parts):
        longer = [*before, part[0]]
        assert len(longer) > count or sum(sizes[i] for i in longer) > size

"""Which inputs share a forward pass: all of them once, within the budget, sorted by length."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jina_rerank.jina_bert.batching import Group, batches, groups

lengths = st.lists(st.integers(1, 50), max_size=60)


@given(lengths=lengths, budget=st.integers(1, 200))
def test_each_input_is_in_one_batch(lengths: list[int], budget: int) -> None:
    made = list(batches(lengths, budget))
    assert sorted(index for batch in made for index in batch) == list(range(len(lengths)))
    assert all(made)


@given(lengths=lengths, budget=st.integers(1, 200))
def test_batch_keeps_the_budget_unless_it_is_a_single_input(
    lengths: list[int], budget: int
) -> None:
    for batch in batches(lengths, budget):
        assert len(batch) == 1 or sum(lengths[index] for index in batch) <= budget


@given(lengths=lengths, budget=st.integers(1, 200))
def test_batches_run_from_short_to_long_and_ties_keep_their_order(
    lengths: list[int], budget: int
) -> None:
    order = [index for batch in batches(lengths, budget) for index in batch]
    assert order == sorted(range(len(lengths)), key=lambda index: (lengths[index], index))


@given(lengths=lengths, budget=st.integers(1, 200))
def test_batch_ends_only_where_the_next_input_does_not_fit(lengths: list[int], budget: int) -> None:
    made = list(batches(lengths, budget))
    for batch, following in pairwise(made):
        assert sum(lengths[index] for index in batch) + lengths[following[0]] > budget


def test_no_inputs_make_no_batch() -> None:
    assert list(batches([], 10)) == []
    assert groups([]) == []


@given(lengths=lengths.map(sorted))
def test_groups_describe_the_lengths_in_their_order(lengths: list[int]) -> None:
    made = groups(lengths)
    assert [group.length for group in made for _ in range(group.count)] == lengths
    assert len({group.length for group in made}) == len(made)
    assert sum(group.tokens for group in made) == sum(lengths)


def test_group_counts_its_tokens() -> None:
    assert Group(count=3, length=7).tokens == 21

"""Matrices of few different numbers of rows, so that a long-lived process does not grow."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from jina_rerank import Reranker
from jina_rerank.jina_bert.rows import extended, padded, rounded


@given(st.integers(1, 20_000))
def test_rounding_adds_less_than_a_piece_or_a_sixteenth(rows: int) -> None:
    assert 0 <= rounded(rows) - rows < max(32, rows / 16)


@given(st.integers(1, 20_000))
def test_rounded_number_stays(rows: int) -> None:
    assert rounded(rounded(rows)) == rounded(rows)


def test_passes_of_every_length_have_few_sizes() -> None:
    assert len({rounded(rows) for rows in range(1, 8193)}) == 80


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_matrix_in_half_precision_gets_rows_of_zeros(dtype: torch.dtype) -> None:
    x = torch.ones(33, 4, dtype=dtype)
    assert padded(x).equal(torch.cat([x, torch.zeros(31, 4, dtype=dtype)]))


@pytest.mark.parametrize(
    "x", [torch.ones(33, 4), torch.ones(33, 4, dtype=torch.bfloat16, device="meta")]
)
def test_matrix_in_another_type_or_on_another_device_stays(x: Tensor) -> None:
    assert padded(x) is x


def test_matrix_with_enough_rows_is_not_copied() -> None:
    x = torch.ones(64, 4, dtype=torch.bfloat16)
    assert extended(x, 64) is x
    assert padded(x) is x


def test_matrix_under_autocast_counts_as_what_it_is_multiplied_in() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert len(padded(torch.ones(33, 4))) == 64


def test_linear_layers_in_bfloat16_see_rounded_numbers_of_rows(mini: Path) -> None:
    reranker = Reranker(mini, dtype="bfloat16").load()
    seen: list[int] = []

    def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(len(inputs[0]))

    for module in reranker._backend._scorer.model.modules():  # type: ignore[union-attr]
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(note)
    for count in (1, 3, 40):
        reranker.score("red planet", [f"mars is red {'indeed ' * i}" for i in range(count)])
    assert seen
    assert seen == [rounded(rows) for rows in seen]


def test_scores_in_bfloat16_do_not_depend_on_what_shares_the_pass(mini: Path) -> None:
    reranker = Reranker(mini, dtype="bfloat16")
    texts = [f"mars is red {'indeed ' * i}" for i in range(40)]
    together = reranker.score("red planet", texts)
    alone = [reranker.score("red planet", [text])[0] for text in texts]
    assert together == pytest.approx(alone, abs=5e-3)

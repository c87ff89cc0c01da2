"""The engine's forward pass against the plain, padded one, over shapes, lengths and types."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jina_rerank_lab.benchmark import checkpoints, reference
from safetensors.torch import save_file
from torch import Tensor

from jina_rerank.jina_bert import attention, checkpoint
from jina_rerank.jina_bert import model as jina_bert
from jina_rerank.jina_bert.batching import groups
from jina_rerank.jina_bert.config import JinaBertConfig

CPU = torch.device("cpu")
WORDS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A model's shape, and the lengths of what it reads."""

    config: dict[str, Any]
    lengths: tuple[int, ...]
    seed: int


@st.composite
def cases(draw: st.DrawFn, *, least: int, widths: Sequence[int]) -> Case:
    heads = draw(st.integers(least, 13))
    config = {
        **checkpoints.TINY,
        "hidden_size": heads * draw(st.sampled_from(widths)),
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 4)),
        "intermediate_size": draw(st.integers(1, 70)),
        "feed_forward_type": draw(st.sampled_from(["geglu", "reglu"])),
        "vocab_size": WORDS,
    }
    # Few different lengths, so that some inputs share theirs.
    some = draw(st.lists(st.integers(1, 300), min_size=1, max_size=4))
    lengths = draw(st.lists(st.sampled_from(some), min_size=1, max_size=9))
    return Case(config=config, lengths=tuple(lengths), seed=draw(st.integers(0, 99)))


ANY = cases(least=1, widths=[2, 4, 8, 32])
WIDE = cases(least=6, widths=[8, 32])
"""Where widths are small, one rounding in half precision may move a logit far."""


def logits(case: Case, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Score random tokens: plainly in float64, and with the engine in a type, on the same weights."""
    generator = torch.Generator().manual_seed(case.seed)
    ids = [torch.randint(WORDS, (n,), generator=generator) for n in case.lengths]
    kinds = [torch.randint(2, (n,), generator=generator) for n in case.lengths]
    state = checkpoints.draw(checkpoints.shapes(case.config), seed=case.seed)
    plain = reference.logits(
        reference.cast(state, torch.float64),
        case.config,
        [one.tolist() for one in ids],
        [one.tolist() for one in kinds],
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_file(state, path)
        config = JinaBertConfig.of(case.config, "case")
        model = checkpoint.load(path, config, dtype=dtype, device=CPU)
    return plain, forward(model, ids, kinds)


@torch.inference_mode()
def forward(model: jina_bert.JinaBert, ids: Sequence[Tensor], kinds: Sequence[Tensor]) -> Tensor:
    """Score inputs in one batch, in their order."""
    order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
    joined, types = (torch.cat([parts[at] for at in order]) for parts in (ids, kinds))
    found: Tensor = model(joined, types, groups([len(ids[at]) for at in order]))
    return found[torch.tensor(order).argsort()].double()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
@settings(max_examples=15, deadline=None)
@given(case=ANY)
def test_engine_gives_the_logits_of_the_plain_forward(
    case: Case, dtype: torch.dtype, tolerance: float
) -> None:
    plain, ours = logits(case, dtype)
    torch.testing.assert_close(ours, plain, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.2), (torch.float16, 0.03)])
@settings(max_examples=15, deadline=None)
@given(case=WIDE)
def test_engine_in_half_precision_is_near_the_plain_forward(
    case: Case, dtype: torch.dtype, tolerance: float
) -> None:
    plain, ours = logits(case, dtype)
    torch.testing.assert_close(ours, plain, rtol=0, atol=tolerance)


@settings(max_examples=15, deadline=None)
@given(case=ANY, long=st.integers(1, 100), block=st.integers(1, 80), rows=st.integers(1, 200))
def test_limits_of_long_input_change_no_logits(
    case: Case, long: int, block: int, rows: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "LONG", long)
        patch.setattr(attention, "BLOCK", block)
        patch.setattr(jina_bert, "ROWS", rows)
        plain, ours = logits(case, torch.float64)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-6)

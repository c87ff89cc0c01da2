"""The work of a pass, counted: a regression that costs time shows here without a clock.

Products are counted by the kernels that compute them, bytes by the allocator that hands them out.
"""

import gc
import json
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from jina_rerank.jina_bert.batching import groups
from jina_rerank.jina_bert.config import JinaBertConfig
from jina_rerank.jina_bert.model import JinaBert
from jina_rerank.jina_bert.rows import rounded

C, I, HEADS = 384, 1536, 12  # noqa: E741 - the model's own letters
LAYERS = {"tiny": 4, "turbo": 6}
LENGTHS = (20, 20, 50)

ALLOCATED = 31
"""Numbers of a token that a whole layer is handed memory for, in widths; 30.05 are measured."""

ALLOCATED_AROUND = 7
"""The same of embeddings, the last layer and the head; 6.2 are measured."""

AT_ONCE = 20
"""Numbers of a token that are there at one time, in widths; 19.1 are measured."""

AT_ONCE_LONG = 12
"""The same of 4,096 tokens, which the gated linear unit takes in parts; 11.1 are measured."""


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """Attention has a buffer for each thread: the bytes are those of one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def shaped(layers: int, dtype: torch.dtype) -> JinaBert:
    """Make a model of the published widths and heads, with few words."""
    config = JinaBertConfig(
        vocab_size=8,
        hidden_size=C,
        num_hidden_layers=layers,
        num_attention_heads=HEADS,
        intermediate_size=I,
        feed_forward_type="geglu",
    )
    return JinaBert(config).to(dtype).eval().requires_grad_(requires_grad=False)


@torch.inference_mode()
def score(model: JinaBert, lengths: Sequence[int]) -> None:
    ids = torch.zeros(sum(lengths), dtype=torch.int64)
    model(ids, ids, groups(lengths))


def attention_flops(q: Sequence[int], k: Sequence[int], *_: object, **__: object) -> int:
    """Count both products of the CPU's kernel, which torch's counter does not know."""
    inputs, heads, queries, width = q
    return 4 * inputs * heads * queries * k[2] * width


def counted(model: JinaBert, lengths: Sequence[int]) -> int:
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    with FlopCounterMode(display=False, custom_mapping={kernel: attention_flops}) as counter:
        score(model, lengths)
    total: int = counter.get_total_flops()
    return total


def linear_flops(layers: int, tokens: int, inputs: int) -> int:
    """Count what the linear layers need: of most tokens the last one only has keys and values."""
    feed_forward = C * C + C * 2 * I + I * C
    whole = C * 3 * C + feed_forward
    last = tokens * C * 2 * C + inputs * (C * C + feed_forward)
    head = inputs * (C * C + C)
    return 2 * (tokens * (layers - 1) * whole + last + head)


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pass_multiplies_what_the_formula_says(layers: int, dtype: torch.dtype) -> None:
    tokens, inputs = sum(LENGTHS), len(LENGTHS)
    if dtype == torch.bfloat16:
        tokens, inputs = rounded(tokens), rounded(inputs)
    attention = 4 * C * sum((layers - 1) * length**2 + length for length in LENGTHS)
    expected = attention + linear_flops(layers, tokens, inputs)
    assert counted(shaped(layers, dtype), LENGTHS) == expected


def memory(model: JinaBert, lengths: Sequence[int], trace: Path) -> tuple[int, int]:
    """Return the bytes that a pass is handed in all, and at most at one time."""
    gc.collect()  # what others left would be given back meanwhile
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        score(model, lengths)
    profiled.export_chrome_trace(str(trace))
    events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    found = [event for event in events if event["name"] == "[memory]"]
    sizes = [event["args"]["Bytes"] for event in sorted(found, key=lambda event: event["ts"])]
    assert sum(sizes) == 0  # all is given back: nothing is kept, and no event is missing
    return sum(size for size in sizes if size > 0), max(accumulate(sizes))


# One input is as long as the others together: a bias that is not a view, (H, L, L), would show.
@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("lengths", [(160,) * 4, (40, 40, 80, 480), (640,)])
def test_pass_is_handed_few_bytes_per_token(
    tmp_path: Path, layers: int, lengths: tuple[int, ...]
) -> None:
    allocated, at_once = memory(shaped(layers, torch.float32), lengths, tmp_path / "trace.json")
    width = sum(lengths) * C * torch.float32.itemsize
    assert allocated <= (ALLOCATED * (layers - 1) + ALLOCATED_AROUND) * width
    assert at_once <= AT_ONCE * width


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("lengths", [(4096,), (128,) * 32])
def test_memory_at_one_time_is_that_of_a_part_of_the_tokens(
    tmp_path: Path, lengths: tuple[int, ...]
) -> None:
    _, at_once = memory(shaped(2, torch.float32), lengths, tmp_path / "trace.json")
    assert at_once <= AT_ONCE_LONG * sum(lengths) * C * torch.float32.itemsize


@pytest.mark.usefixtures("_one_thread")
def test_half_the_precision_takes_half_the_memory(tmp_path: Path) -> None:
    sizes = [
        memory(shaped(2, dtype), (160,) * 4, tmp_path / "trace.json")[1]
        for dtype in (torch.float32, torch.bfloat16)
    ]
    assert sizes[1] <= 0.51 * sizes[0]

"""The model against stored outputs of the reference implementation, and against itself."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from jina_rerank.jina_bert import alibi, attention, checkpoint
from jina_rerank.jina_bert.batching import groups
from jina_rerank.jina_bert.config import JinaBertConfig
from jina_rerank.jina_bert.model import JinaBert

CASES = ["turbo_mini", "tiny_mini", "long_h12", "reglu_h12", "bf16_weights_h12"]
CPU = torch.device("cpu")


def load_case(fixtures: Path, case: str, dtype: torch.dtype) -> tuple[JinaBert, dict[str, Tensor]]:
    directory = fixtures / "jinabert" / case
    config = JinaBertConfig.of(json.loads((directory / "config.json").read_text()), case)
    weights = directory / "model.safetensors"
    model = checkpoint.load(weights, config, dtype=dtype, device=CPU)
    return model, load_file(directory / "io.safetensors")


def rows(values: dict[str, Tensor], batch: str) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Return a stored padded batch as inputs without padding, their types, and the gold logits."""
    ids = values[f"{batch}.input_ids"].long()
    mask = values.get(f"{batch}.attention_mask", torch.ones_like(ids)).bool()
    types = values.get(f"{batch}.token_type_ids", torch.zeros_like(ids)).long()
    gold = values[f"{batch}.logits_f64"][:, 0]
    kept = list(zip(ids, types, mask, strict=True))
    return [row[m] for row, _, m in kept], [kind[m] for _, kind, m in kept], gold


def run(model: JinaBert, inputs: list[Tensor], types: list[Tensor]) -> Tensor:
    """Score inputs of any lengths in one batch, in their order."""
    order = sorted(range(len(inputs)), key=lambda i: len(inputs[i]))
    ids, kinds = (torch.cat([tensors[i] for i in order]) for tensors in (inputs, types))
    with torch.inference_mode():
        logits = model(ids, kinds, groups([len(inputs[i]) for i in order]))
    back: Tensor = logits[torch.tensor(order).argsort()]
    return back.double()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-6), (torch.bfloat16, 0.1)]
)
def test_logits_equal_the_reference(
    fixtures: Path, case: str, dtype: torch.dtype, tolerance: float
) -> None:
    model, values = load_case(fixtures, case, dtype)
    names = {name.split(".")[0] for name in values}
    assert names
    for batch in names:
        inputs, types, gold = rows(values, batch)
        torch.testing.assert_close(run(model, inputs, types), gold, rtol=0, atol=tolerance)


def test_states_of_every_depth_equal_the_reference(fixtures: Path) -> None:
    model, values = load_case(fixtures, "turbo_mini", torch.float64)
    ids = values["single.input_ids"][0].long()
    for depth in range(len(model.stack()) + 1):
        states = model.states(ids, torch.zeros_like(ids), groups([len(ids)]), depth)
        gold = values[f"single.hidden.{depth}.row0"].double().view(len(ids), -1)
        torch.testing.assert_close(states, gold, rtol=0, atol=2e-5)


@pytest.mark.parametrize("case", CASES)
def test_logits_do_not_depend_on_the_batch(fixtures: Path, case: str) -> None:
    model, values = load_case(fixtures, case, torch.float64)
    inputs, types, _ = rows(values, "padded")
    together = run(model, inputs, types)
    alone = torch.cat([run(model, [i], [t]) for i, t in zip(inputs, types, strict=True)])
    backwards = run(model, inputs[::-1], types[::-1]).flip(0)
    doubled = run(model, inputs * 2, types * 2)
    for other in (alone, backwards, doubled[: len(inputs)], doubled[len(inputs) :]):
        torch.testing.assert_close(other, together, rtol=0, atol=1e-12)


def test_token_types_change_the_logits(fixtures: Path) -> None:
    model, values = load_case(fixtures, "turbo_mini", torch.float64)
    inputs, types, _ = rows(values, "token_types")
    zeros = [torch.zeros_like(kind) for kind in types]
    assert not torch.allclose(run(model, inputs, types), run(model, inputs, zeros), atol=1e-3)


def test_last_layer_at_position_0_equals_the_whole_layer(fixtures: Path) -> None:
    model, _ = load_case(fixtures, "tiny_mini", torch.float64)
    layer = model.stack()[-1]
    lengths = groups([3, 3, 8])
    x = torch.randn(14, 64, dtype=torch.float64)
    ruler = model._ruler(8, x)
    whole = layer(x, ruler, lengths)[[0, 3, 6]]
    torch.testing.assert_close(layer.first(x, ruler, lengths), whole)


@pytest.mark.parametrize("rows_at_once", [1, 5, 4096])
def test_feed_forward_in_parts_equals_the_whole(
    fixtures: Path, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    model, values = load_case(fixtures, "reglu_h12", torch.float64)
    inputs, types, gold = rows(values, "padded")
    monkeypatch.setattr("jina_rerank.jina_bert.model.ROWS", rows_at_once)
    torch.testing.assert_close(run(model, inputs, types), gold, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("long", "block"), [(1, 7), (200, 64), (1000, 5000)])
def test_far_keys_left_out_change_nothing(
    fixtures: Path, monkeypatch: pytest.MonkeyPatch, long: int, block: int
) -> None:
    model, values = load_case(fixtures, "long_h12", torch.float64)
    inputs, types, gold = rows(values, "padded")
    whole = run(model, inputs, types)
    monkeypatch.setattr(attention, "LONG", long)
    monkeypatch.setattr(attention, "BLOCK", block)
    near = run(model, inputs, types)
    torch.testing.assert_close(near, whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(near, gold, rtol=0, atol=1e-6)


def test_far_keys_are_left_out_of_steep_heads() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(2, 12, 3000, 4, generator=generator) for _ in range(2))
    ruler = alibi.ruler(torch.tensor(alibi.slopes(12)), 3000)
    reaches = attention._reaches(q, k, ruler)
    assert reaches[0] < 300
    assert reaches[7] == 3000
    slopes = alibi.slopes(12)
    order = sorted(range(12), key=lambda head: -slopes[head])
    assert [reaches[head] for head in order] == sorted(reaches)


def test_model_trains(fixtures: Path) -> None:
    model, values = load_case(fixtures, "turbo_mini", torch.float32)
    model.requires_grad_(requires_grad=True)
    inputs, types, _ = rows(values, "padded")
    model(inputs[0], types[0], groups([len(inputs[0])])).sum().backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None]
    assert without == []


def test_slopes_equal_the_reference_for_any_head_count(fixtures: Path) -> None:
    stored = json.loads((fixtures / "jinabert" / "alibi_slopes.json").read_text())
    for heads, expected in stored.items():
        assert alibi.slopes(int(heads)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("heads", [1, 3, 12])
def test_strided_bias_equals_the_formula(heads: int) -> None:
    slope = torch.tensor(alibi.slopes(heads), dtype=torch.float64)
    ruler = alibi.ruler(slope, 9)
    for length in (1, 2, 9):
        place = torch.arange(length)
        expected = -slope[:, None, None] * (place[None, :] - place[:, None]).abs()
        view = alibi.square(ruler, length)
        torch.testing.assert_close(view.flip(3)[0], expected)
        torch.testing.assert_close(alibi.first_row(ruler, length)[0], expected[:, :1])
        part = alibi.rectangle(ruler, heads - 1, length, (length // 2, length), (0, length))
        torch.testing.assert_close(part, view[0, heads - 1, length // 2 :])
        assert view.untyped_storage().data_ptr() == ruler.untyped_storage().data_ptr()


def test_bias_of_the_longest_input_is_small() -> None:
    ruler = alibi.ruler(torch.tensor(alibi.slopes(12)), 8192)
    assert alibi.square(ruler, 8192).untyped_storage().nbytes() < 1_000_000

"""The benchmark's contenders, processes, figures and command."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jina_rerank_lab import machine
from jina_rerank_lab.benchmark import (
    checkpoints,
    command,
    contenders,
    export,
    figures,
    for_transformers,
    measure,
    memory,
    others,
    runtimes,
    summary,
    tables,
    torch_peers,
    workloads,
)
from jina_rerank_lab.benchmark.contenders import FLOAT32, REFERENCE, Scorer
from jina_rerank_lab.benchmark.engine import Engine
from jina_rerank_lab.benchmark.measure import Entrant, Result
from jina_rerank_lab.benchmark.models import Model, Models
from jina_rerank_lab.benchmark.worker import Loaded, Sample, Worker
from jina_rerank_lab.benchmark.workloads import Shape, Workload

from jina_rerank import Reranker

from . import small
from .conftest import Run

SHAPE = Shape(name="six", lengths=(30, 22, 41, 25, 36, 28), queries=2)
WORKLOAD = Workload(name="two", requests=(("red", ("planet", "stone")),), lengths=(5, 5))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write(tmp_path_factory.mktemp("small") / "model")


@pytest.fixture(scope="module")
def workload() -> Workload:
    return workloads.build(SHAPE, small.tokenizer(), words=small.WORDS)


@pytest.fixture(scope="module")
def expected(checkpoint: Path, workload: Workload) -> list[float]:
    return torch_peers.Reference(checkpoint).score(workload.requests)


def ignored(_: str) -> None:
    pass


def sample(seconds: float, *scores: float) -> Sample:
    return Sample(seconds=seconds, peak=2_000_000, exact=True, scores=list(scores or (0.5, 0.25)))


def result(*samples: Sample, contender: str = "engine float32", batch: int | None = None) -> Result:
    loaded = Loaded(dtype="float32", seconds=1.0, first_call=1.0, resident=3_000_000)
    return Result(name=contender, contender=contender, loaded=loaded, samples=samples, batch=batch)


def model(name: str = "tiny", *, jina_bert: bool = True, context: int = 8192) -> Model:
    return Model(
        name=name,
        directory=Path(),
        tokenizer=small.tokenizer(),
        words=small.WORDS,
        context=context,
        parameters=4,
        file=8,
        random=True,
        jina_bert=jina_bert,
    )


PEERS: dict[str, Callable[[Path], Scorer]] = {
    "engine": partial(Engine, dtype="float32"),
    "compiled": partial(torch_peers.Compiled, batch=4, backend="eager"),
    "sentence-transformers": torch_peers.SentenceTransformers,
    "onnxruntime": partial(runtimes.OnnxRuntime, batch=4),
    "fastembed style": partial(runtimes.OnnxRuntime, batch=64, by_length=False),
    "openvino": partial(runtimes.OpenVino, batch=2, precision="f32"),
}


@pytest.mark.parametrize("name", PEERS)
def test_contender_in_float32_gives_the_scores_of_the_reference(
    checkpoint: Path, workload: Workload, expected: list[float], name: str
) -> None:
    export.to_onnx(checkpoint)
    peer = PEERS[name](checkpoint)
    assert peer.score(workload.requests) == pytest.approx(expected, abs=1e-5)
    peer.close()


@pytest.mark.parametrize("name", [*PEERS, "reference"])
def test_contender_without_tokenization_gives_its_own_scores(
    checkpoint: Path, workload: Workload, name: str
) -> None:
    export.to_onnx(checkpoint)
    peer = (PEERS | {"reference": torch_peers.Reference})[name](checkpoint)
    alone = peer.forward(peer.encode(workload.requests))
    assert alone == pytest.approx(peer.score(workload.requests), abs=1e-6)
    peer.close()


def test_lower_precision_moves_scores_a_little(
    checkpoint: Path, workload: Workload, expected: list[float]
) -> None:
    export.to_int8(checkpoint)
    for peer in (
        torch_peers.Reference(checkpoint, dtype="bfloat16"),
        runtimes.OnnxRuntime(checkpoint, batch=4, file=export.INT8),
    ):
        scores = peer.score(workload.requests)
        assert scores != pytest.approx(expected, abs=1e-7)
        assert scores == pytest.approx(expected, abs=5e-2)
        peer.close()


def test_exporting_twice_keeps_the_first_files(checkpoint: Path) -> None:
    path = export.to_int8(checkpoint)
    before = path.stat().st_mtime_ns
    assert export.to_int8(checkpoint).stat().st_mtime_ns == before


def test_wrapped_checkpoint_is_written_once(checkpoint: Path) -> None:
    assert for_transformers.write(checkpoint) == for_transformers.write(checkpoint)


def test_peak_that_is_only_a_bound_is_warned_of() -> None:
    bound = replace(sample(1.0), exact=False)
    warned = list(summary.warnings("two", [result(bound)]))
    assert warned == ["two: the peak of engine float32 is a lower bound"]


def test_single_request_is_scored_as_in_several(checkpoint: Path, workload: Workload) -> None:
    engine = Engine(checkpoint, dtype="float32")
    one = [score for request in workload.requests for score in engine.score([request])]
    assert engine.score(workload.requests) == pytest.approx(one, abs=1e-6)
    engine.close()


def test_cross_encoder_of_another_family_runs_without_our_wrapper(tmp_path: Path) -> None:
    others.write(tmp_path / "bert", model="minilm-l4", tokenizer=small.tokenizer(), **TINY_BERT)
    peer = torch_peers.SentenceTransformers(tmp_path / "bert")
    engine = Engine(tmp_path / "bert", dtype="float32")
    requests = (("red planet", ("green river", "stone")),)
    assert peer.score(requests) == pytest.approx(engine.score(requests), abs=1e-5)


TINY_BERT = {
    "hidden_size": 24,
    "intermediate_size": 16,
    "num_attention_heads": 3,
    "num_hidden_layers": 1,
    "vocab_size": 200,
}


@pytest.mark.parametrize("name", ["bge-base", "mxbai-base", "mxbai-xsmall"])
def test_shape_of_another_family_is_one_that_the_engine_runs(tmp_path: Path, name: str) -> None:
    changes = {**TINY_BERT}
    if name.startswith("mxbai"):
        changes["pooler_hidden_size"] = 24
    others.write(tmp_path / name, model=name, tokenizer=small.tokenizer(), **changes)
    scores = Reranker(str(tmp_path / name)).score("red planet", ["green river", "stone"])
    assert all(0 < score < 1 for score in scores)


def test_contender_is_found_with_hyphens_or_spaces() -> None:
    assert contenders.find("engine-float32") is contenders.find("engine float32") is FLOAT32


def test_default_contenders_are_contenders() -> None:
    assert [contenders.find(name).name for name in contenders.DEFAULTS] == list(contenders.DEFAULTS)


def test_all_contenders_are_those_that_keep_no_scores() -> None:
    names = [one.name for one in command.chosen(["all"])]
    assert names == [one.name for one in contenders.CONTENDERS if "cache" not in one.name]


def test_many_queries_share_the_pairs_of_a_workload(workload: Workload) -> None:
    assert [len(documents) for _, documents in workload.requests] == [3, 3]
    assert (workload.documents, workload.tokens) == (6, 182)
    assert len({query for query, _ in workload.requests}) == 2


def test_lengths_are_spread_evenly() -> None:
    assert workloads.uniform(5, 20, 60) == (20, 30, 40, 50, 60)
    assert workloads.uniform(1, 20, 60) == (20,)


def test_padded_peers_need_memory_for_their_matrices() -> None:
    long = Workload(name="long", requests=(), lengths=(8192,))
    assert 13e9 < contenders.padded_memory(long) < 15e9
    assert contenders.nothing(long) == 0


def test_process_scores_as_the_contender_itself(
    checkpoint: Path, workload: Workload, expected: list[float]
) -> None:
    with Worker(REFERENCE, checkpoint) as worker:
        measured = worker.score(workload)
    assert measured.scores == pytest.approx(expected, abs=1e-6)
    assert worker.loaded.dtype == "float32"
    assert measured.seconds > 0


def test_process_scores_token_ids_as_strings(checkpoint: Path, workload: Workload) -> None:
    with Worker(REFERENCE, checkpoint) as worker:
        whole, forward = map(worker.score, (workload, workloads.forward_only(workload)))
    assert forward.scores == whole.scores


def test_each_workload_is_followed_by_its_forward_where_asked() -> None:
    shape = Shape(name="one", lengths=(40,))
    several = [model("a"), model("b")]
    together = command.groups(several, [FLOAT32], [shape], forward=True)
    assert [[line.workload.name for line in lines] for lines in together] == [
        ["one"] * 2,
        ["one, forward only"] * 2,
    ]


def test_error_while_a_process_runs_ends_it(checkpoint: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Worker(REFERENCE, checkpoint) as worker:
        raise KeyboardInterrupt
    assert not worker._process.is_alive()


def test_contenders_take_turns_in_every_round(checkpoint: Path, workload: Workload) -> None:
    twice = replace(workload, calls=2)
    told: list[str] = []
    entrants = [
        Entrant(name=who.name, contender=who, directory=checkpoint, workload=twice)
        for who in (REFERENCE, contenders.find("reference bfloat16"))
    ]
    peer = replace(entrants[1].contender, batch_sizes=(2, 4))  # the process finds it by its name
    entrants[1] = replace(entrants[1], contender=peer)
    first, second = measure.compare(entrants, rounds=1, say=told.append)
    assert len(first.timed) == len(second.timed) == 2
    assert first.batch is None
    assert second.batch in {2, 4}
    assert second.loaded is not None
    assert second.loaded.dtype == "bfloat16"
    assert f"{workload.name}: reference bfloat16 is fastest in batches of {second.batch}" in told


def test_process_that_dies_is_a_line_that_says_so(tmp_path: Path, workload: Workload) -> None:
    missing = Entrant(name="r", contender=REFERENCE, directory=tmp_path, workload=workload)
    (found,) = measure.compare([missing], rounds=1, say=ignored)
    assert found.skipped == measure.DIED


def test_workload_of_one_small_batch_needs_no_search(checkpoint: Path) -> None:
    peer = contenders.find("onnxruntime float32")
    entrant = Entrant(name="one", contender=peer, directory=checkpoint, workload=WORKLOAD)
    assert measure.best_batch(entrant, say=ignored) == min(contenders.BATCH_SIZES)


def test_contender_of_another_device_is_an_obstacle() -> None:
    peer = contenders.find("onnxruntime float32")
    entrant = Entrant(
        name="one", contender=peer, directory=Path(), workload=WORKLOAD, device="cuda:1"
    )
    assert measure.obstacle(entrant) == "does not run on cuda:1"


def test_percentiles_are_times_that_were_seen() -> None:
    measured = result(sample(9.0), *(sample(float(second)) for second in range(1, 21)))
    assert [measured.percentile(percent) for percent in (0, 50, 95, 99)] == [1, 10, 19, 20]


def test_memory_within_a_control_group_is_its_limit(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("5000")
    (tmp_path / "memory.current").write_text("2000")
    assert memory.available(tmp_path) == 3000
    (tmp_path / "memory.max").write_text("max")
    assert memory.available(tmp_path) == pytest.approx(memory.available(tmp_path / "none"), rel=0.5)


def test_kernel_that_refuses_to_forget_a_peak_is_noticed(tmp_path: Path) -> None:
    assert memory.reset_peak(tmp_path / "clear_refs")
    assert not memory.reset_peak(tmp_path)


def test_file_without_the_field_states_no_size(tmp_path: Path) -> None:
    assert machine.kibibytes(tmp_path / "none", "VmRSS") == 0


def test_peak_is_no_less_than_what_was_held_before() -> None:
    held = memory.resident()
    assert memory.peak() >= held > 0


def test_figures_are_rates_of_the_median_and_what_a_machine_costs() -> None:
    reference = result(sample(9.0), sample(4.0), contender="reference float32")
    found = figures.figures(
        result(sample(9.0), sample(2.0, 0.5, 0.75), batch=8),
        model=model(),
        workload=WORKLOAD,
        device="cpu",
        reference=figures.baseline([reference]),
        price=0.36,
    )
    assert found["documents_per_second"] == 1
    assert found["tokens_per_second"] == 5
    assert found["speedup"] == 2
    assert found["largest_score_difference"] == 0
    assert found["cost_per_million_documents"] == pytest.approx(100)
    assert (found["batch"], found["peak_bytes"]) == (8, 2_000_000)


def test_contender_that_was_skipped_has_a_reason_and_no_figures() -> None:
    skipped = Result(name="x", contender="x", skipped="pip install x")
    found = figures.figures(
        skipped, model=model(), workload=WORKLOAD, device="cpu", reference=None, price=None
    )
    assert found["skipped"] == "pip install x"
    assert "seconds" not in found
    assert figures.baseline([skipped]) is None


def line(**changes: Any) -> dict[str, Any]:
    found = figures.figures(
        result(sample(0.0123)),
        model=model(),
        workload=WORKLOAD,
        device="cpu",
        reference=None,
        price=None,
    )
    return found | changes


def test_line_without_a_price_beside_priced_ones_has_an_empty_cell() -> None:
    assert tables.cells(line(), priced=True)[-1] == "-"
    assert tables.cells(line(cost_per_million_documents=1234.5), priced=True)[-1] == "1,234.50"


def test_numbers_get_decimals_while_they_are_small() -> None:
    found = tables.cells(line(speedup=31.2), priced=False)
    assert found[:6] == ["engine float32", "12.30", "12.30", "163", "813", "31x"]
    assert tables.number(1.25) == "1.2"


def test_longer_workload_than_a_model_reads_is_an_obstacle() -> None:
    found = command.line(model("bge-base", context=64), FLOAT32, Shape(name="one", lengths=(99,)))
    assert found.obstacle == "bge-base reads at most 64 tokens"


def test_other_architecture_is_an_obstacle_for_who_runs_jinabert_only() -> None:
    found = command.line(model("bge", jina_bert=False), REFERENCE, Shape(name="o", lengths=(40,)))
    assert found.obstacle == "runs JinaBERT only"
    assert not command.line(model(), REFERENCE, Shape(name="o", lengths=(40,))).obstacle


def test_few_processes_are_measured_side_by_side_and_many_model_by_model() -> None:
    shape = Shape(name="one", lengths=(40,))
    several = [model("a"), model("b")]
    few = list(command.groups(several, [FLOAT32], [shape]))
    many = list(command.groups(several, [FLOAT32] * 5, [shape]))
    assert [[one.model.name for one in group] for group in few] == [["a", "b"]]
    assert [[one.model.name for one in group] for group in many] == [["a"] * 5, ["b"] * 5]


def test_claims_stand_beside_what_was_measured_of_the_engine() -> None:
    found = {
        "models": [
            {"name": name, "parameters": size, "file_bytes": 2 * size}
            for name, size in (("base", 400), ("turbo", 100))
        ],
        "results": [
            line(model=name, percentiles={"50": seconds})
            for name, seconds in (("base", 6.0), ("turbo", 2.0))
        ],
    }
    claims = {one["claim"]: one for one in command.published_beside(found)}
    assert claims["turbo's speed, base = 1"]["measured"] == {"engine float32": "3.0x"}
    assert claims["turbo's file, of base's"]["measured"] == {"engine float32": "25.0 %"}
    assert "tiny's speed, base = 1" not in claims


def test_claims_are_shown_with_what_was_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show_claims(
        [{"claim": "c", "published": "3x", "measured": {"engine auto": "2x", "other": None}}]
    )
    assert "c\t3x\t2x\t-" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--contender", "flash"), "there is no contender 'flash'"),
        (("--workload", "huge"), "there is no workload 'huge'"),
        (("--length", "9"), "--length must be at least 32, got 9"),
        (("--device", "tpu"), "device 'tpu' is not available here"),
        (("--tokenizer", "none.json"), "'none.json' is not a tokenizer file"),
    ],
)
def test_wrong_option_is_refused_before_any_work(run: Run, options: list[str], said: str) -> None:
    outcome = run("benchmark", *options)
    assert outcome.code == 2
    assert said in outcome.err


def test_model_that_is_not_there_ends_the_command(run: Run) -> None:
    outcome = run("benchmark", "--model", "./nowhere")
    assert outcome.code == 3
    assert "nowhere" in outcome.err


def test_benchmark_writes_figures_and_says_who_did_not_run(
    run: Run, checkpoint: Path, tmp_path: Path
) -> None:
    outcome = run(
        *("benchmark", "--model", str(checkpoint), "--length", "40", "--rounds", "1"),
        *("--contender", "engine-float32", "--contender", "engine-float16"),
        *("--cost", "1.5", "--out", "found.json", "--forward"),
    )
    assert outcome.code == 0
    assert "engine float16 did not run: does not run on cpu" in outcome.out
    found = json.loads((tmp_path / "found.json").read_text())
    measured, skipped, forward, _ = found["results"]
    assert forward["workload"] == f"{measured['workload']}, forward only"
    assert (found["kind"], measured["tokens"], measured["dtype"]) == ("benchmark", 40, "float32")
    assert measured["cost_per_million_documents"] > 0
    assert skipped["skipped"] == "does not run on cpu"
    assert found["models"][0]["random_weights"] is False


def test_shape_that_is_too_short_for_a_workload_is_skipped_without_a_process(run: Run) -> None:
    outcome = run(
        *("benchmark", "--model", "minilm-l4", "--length", "600", "--contender", "engine-auto")
    )
    assert outcome.code == 0
    assert "minilm-l4 reads at most 512 tokens" in outcome.out


def test_random_shapes_share_the_words_of_a_given_tokenizer(tmp_path: Path, fixtures: Path) -> None:
    v1 = command.tokenizer_of(fixtures / "tokenizer-v1-en" / "tokenizer.json")
    made = Models(tmp_path, tokenizer=v1, say=ignored)
    tiny, minilm = made.get("tiny"), made.get("minilm-l4")
    assert made.get("tiny") is tiny
    assert tiny.words == minilm.words
    assert tiny.tokenizer.get_vocab_size() > minilm.tokenizer.get_vocab_size()
    assert tiny.parameters == checkpoints.parameters(checkpoints.shapes(checkpoints.TINY))
    assert (tiny.context, minilm.context) == (8192, 512)
    assert (tiny.jina_bert, minilm.jina_bert) == (True, False)


def test_contender_without_files_of_its_own_prepares_nothing(tmp_path: Path) -> None:
    contenders.unprepared(tmp_path)
    assert list(tmp_path.iterdir()) == []

"""The pure parts of the benchmark: shapes, texts, and the arithmetic of its reports."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from jina_rerank_lab.benchmark import checkpoints, reference, summary, wordpiece, workloads
from jina_rerank_lab.benchmark.claims import CLAIMS, Claim, Footprint
from jina_rerank_lab.benchmark.contenders import CROSS_ENCODER, Contender
from jina_rerank_lab.benchmark.measure import Entrant, Result, obstacle, rotated
from jina_rerank_lab.benchmark.tables import milliseconds, times
from jina_rerank_lab.benchmark.worker import Loaded, Sample
from jina_rerank_lab.benchmark.workloads import Workload
from rich.console import Console
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from jina_rerank.jina_bert.config import JinaBertConfig
from jina_rerank.models import find
from tests.bench import minilm
from tests.bench.parts import PARTS, cache, engine, first_answer, scaling, shapes, shares, threads
from tests.bench.report import Section
from tests.bench.run import Run
from tests.bench.startup import STEPS, FirstAnswer, ImportTime, first_answers

from . import small

PUBLISHED = {"tiny": 33_046_273, "turbo": 37_771_777, "base": 137_369_089}
WORKLOAD = Workload(name="two", requests=(("a", ("b", "c")),), lengths=(30, 600))


@pytest.fixture(scope="session")
def v1(fixtures: Path) -> Tokenizer:
    return Tokenizer.from_file(str(fixtures / "tokenizer-v1-en" / "tokenizer.json"))


def sample(seconds: float, *, scores: tuple[float, ...] = (0.5, 0.25), peak: int = 0) -> Sample:
    return Sample(seconds=seconds, peak=peak, exact=True, scores=list(scores))


def result(*samples: Sample, name: str = "one", dtype: str = "float32") -> Result:
    loaded = Loaded(dtype=dtype, seconds=1.0, first_call=1.0, resident=1)
    return Result(name=name, contender=name, loaded=loaded, samples=samples)


def footprint(*, seconds: float = 1.0, loaded: int = 100, peak: int = 100) -> Footprint:
    return Footprint(parameters=4, file=8, loaded=loaded, peak=peak, seconds=seconds)


def claim(start: str) -> Claim:
    (found,) = [claim for claim in CLAIMS if claim.text.startswith(start)]
    return found


@pytest.mark.parametrize("model", checkpoints.CONFIGS)
def test_shape_has_the_published_number_of_parameters(model: str) -> None:
    count = checkpoints.parameters(checkpoints.shapes(checkpoints.CONFIGS[model]))
    info = find(model)
    assert info is not None
    assert count == PUBLISHED[model] == info.parameters


@pytest.mark.parametrize("model", ["turbo", "tiny"])
def test_shape_has_the_published_tensors(fixtures: Path, model: str) -> None:
    stored = json.loads((fixtures / "jinabert" / f"state_dict_{model}.json").read_text())
    published = {name: tuple(shape) for name, shape in stored["tensors"].items()}
    assert checkpoints.shapes(checkpoints.CONFIGS[model]) == published


def test_minilm_shape_has_23_million_parameters() -> None:
    assert checkpoints.parameters(minilm.shapes(minilm.MINILM)) == 22_713_601


def test_drawing_twice_gives_the_same_weights() -> None:
    table = checkpoints.linear("classifier", 3, 2)
    first, second = checkpoints.draw(table), checkpoints.draw(table)
    assert all(first[name].equal(second[name]) for name in table)


def test_wordpiece_tokenizer_marks_query_and_document() -> None:
    encoding = wordpiece.build(["red", "planet"]).encode("Red planet", "planet!")
    assert encoding.tokens == ["[CLS]", "red", "planet", "[SEP]", "planet", "!", "[SEP]"]
    assert encoding.type_ids == [0, 0, 0, 0, 1, 1, 1]


def test_wordpiece_tokenizer_splits_other_words_into_characters() -> None:
    encoding = wordpiece.build(["red"]).encode("mars", add_special_tokens=False)
    assert encoding.tokens == ["m", "##a", "##r", "##s"]


def test_wordpiece_tokenizer_has_the_size_of_berts(v1: Tokenizer) -> None:
    words = workloads.vocabulary_words(v1)
    assert wordpiece.build(words).get_vocab_size() == wordpiece.build([]).get_vocab_size() == 30522


def test_transformers_reads_the_wordpiece_tokenizer_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    ours = wordpiece.build(["red", "planet"])
    checkpoints.save(tmp_path / "peer", minilm.MINILM, {}, ours)
    minilm.describe_tokenizer(tmp_path / "peer")
    theirs = AutoTokenizer.from_pretrained(str(tmp_path / "peer"))
    encoding = ours.encode("Red planet", "mars, red")
    found = theirs("Red planet", "mars, red")
    assert found["input_ids"] == encoding.ids
    assert found["token_type_ids"] == encoding.type_ids


def test_two_tokenizers_read_the_same_words_at_equal_token_counts(v1: Tokenizer) -> None:
    other = wordpiece.build(workloads.vocabulary_words(v1))
    words = workloads.vocabulary_words(other)
    shape = workloads.Shape(name="three", lengths=(40, 90, 60))
    one, two = (workloads.build(shape, tokenizer, words=words) for tokenizer in (v1, other))
    ((query, texts),), ((same, longer_texts),) = one.requests, two.requests
    assert query == same
    pairs = list(zip(texts, longer_texts, strict=True))
    assert [longer.split()[:-1] for _, longer in pairs] == [text.split() for text, _ in pairs]


def test_another_token_count_than_asked_for_is_refused(v1: Tokenizer) -> None:
    shape = workloads.Shape(name="one", lengths=(40,))
    with pytest.raises(ValueError, match="the tokenizer makes pairs"):
        workloads.build(shape, v1, words=["Donaudampfschiff"])


def test_token_types_change_the_reference_logits() -> None:
    config = {**checkpoints.TINY, "hidden_size": 24, "intermediate_size": 8, "vocab_size": 9}
    config["num_hidden_layers"] = 1
    state = reference.cast(checkpoints.draw(checkpoints.shapes(config)), torch.float64)
    ids = [[0, 5, 2], [0, 6, 7, 2]]
    plain = reference.logits(state, config, ids)
    zeros = reference.logits(state, config, ids, [[0, 0, 0], [0, 0, 0, 0]])
    typed = reference.logits(state, config, ids, [[0, 1, 1], [0, 0, 0, 0]])
    assert plain.equal(zeros)
    assert plain[0] != typed[0]
    assert plain[1] == typed[1]


def test_first_call_is_left_out_of_the_median() -> None:
    assert result(sample(9.0), sample(1.0), sample(3.0)).median == 2.0


def test_only_call_is_the_median() -> None:
    assert result(sample(9.0)).median == 9.0


def test_summary_compares_with_the_reference() -> None:
    base = result(sample(4.0, scores=(0.5, 0.5)))
    found = summary.summarise(result(sample(2.0, scores=(0.5, 0.75), peak=7)), base)
    assert found is not None
    assert (found.median, found.speedup, found.peak) == (2.0, 2.0, 7)
    assert found.max_score_difference == 0.25
    assert found.max_logit_difference == pytest.approx(1.0986, abs=1e-4)  # log 3


def test_skipped_reference_leaves_nothing_to_compare_with() -> None:
    found = summary.summarise(
        result(sample(2.0)), Result(name="r", contender="r", skipped="no memory")
    )
    assert found is not None
    assert found.speedup is None
    assert found.max_score_difference is None


def test_skipped_result_has_no_summary() -> None:
    skipped = Result(name="one", contender="one", skipped="no memory")
    assert summary.summarise(skipped, result(sample(1.0))) is None
    assert list(summary.warnings("two", [skipped])) == ["two: one skipped: no memory"]


def test_varying_rounds_are_warned_of() -> None:
    (warning,) = summary.warnings("two", [result(sample(1.0), sample(1.0), sample(1.6))])
    assert warning == "two: one varied, 1.00 to 1.60 s: a busy machine?"


def test_type_that_the_name_does_not_tell_is_named() -> None:
    auto = result(name="engine auto", dtype="bfloat16")
    results = [result(name="engine float32"), auto, auto]
    assert list(summary.chosen_types(results)) == ["engine auto = bfloat16"]


def test_rounds_start_with_each_entrant_in_turn() -> None:
    assert [rotated([7, 8, 9], number) for number in range(4)] == [
        [7, 8, 9],
        [8, 9, 7],
        [9, 7, 8],
        [7, 8, 9],
    ]


def test_no_entrant_gives_no_turns() -> None:
    assert rotated([], 3) == []


def test_missing_library_is_an_obstacle_that_names_the_fix() -> None:
    peer = Contender(name="peer", start=CROSS_ENCODER.start, libraries=("no_such_library",))
    entrant = Entrant(name="peer", contender=peer, directory=Path(), workload=WORKLOAD)
    assert obstacle(entrant) == "pip install no-such-library"


def test_too_little_memory_is_an_obstacle() -> None:
    greedy = Contender(name="greedy", start=CROSS_ENCODER.start, memory=lambda _: 10**18)
    entrant = Entrant(name="greedy", contender=greedy, directory=Path(), workload=WORKLOAD)
    assert obstacle(entrant).startswith("needs 1000000000.0 GB of memory")


def test_longest_pair_beyond_patience_is_run_once() -> None:
    for patience, patient in ((599, False), (600, True)):
        hasty = Contender(name="hasty", start=CROSS_ENCODER.start, patience=patience)
        entrant = Entrant(name="hasty", contender=hasty, directory=Path(), workload=WORKLOAD)
        assert entrant.patient is patient


def test_speed_claim_is_the_ratio_of_the_times() -> None:
    models = {"base": footprint(seconds=6.0), "turbo": footprint(seconds=2.0)}
    assert claim("turbo's speed").measured(models) == "3.0x"


def test_size_claim_is_the_share_of_the_others_size() -> None:
    models = {name: checkpoints.CONFIGS[name] for name in ("base", "turbo")}
    counts = {name: checkpoints.parameters(checkpoints.shapes(one)) for name, one in models.items()}
    sizes = {
        name: Footprint(parameters=count, file=2 * count, loaded=1, peak=1, seconds=1.0)
        for name, count in counts.items()
    }
    assert claim("turbo's parameters").measured(sizes) == "27.5 %"


def test_memory_claim_while_scoring_counts_model_and_peak() -> None:
    models = {"base": footprint(loaded=300, peak=100), "tiny": footprint(loaded=60, peak=40)}
    assert claim("tiny against base: memory, loaded").measured(models) == "80.0 % less"
    assert claim("tiny against base: memory, scoring").measured(models) == "75.0 % less"


def test_more_instead_of_less_memory_is_said() -> None:
    models = {"turbo": footprint(loaded=100), "tiny": footprint(loaded=110)}
    assert claim("tiny against turbo: memory, loaded").measured(models) == "10.0 % more"


def test_claim_on_a_skipped_model_has_no_measurement() -> None:
    assert claim("turbo's speed").measured({"turbo": footprint()}) is None


def test_first_answer_is_the_median_of_sums_before_the_second_rank() -> None:
    rounds = ((1.0,) * 6 + (9.0,), (2.0,) * 6 + (9.0,), (4.0,) * 6 + (9.0,))
    answer = FirstAnswer(model="nano", rounds=rounds)
    assert answer.total == 12.0
    assert answer.steps == [2.0] * 6 + [9.0]


def test_import_time_is_above_the_bare_interpreter() -> None:
    measured = ImportTime(module="m", with_import=(0.75, 0.5, 1.0), bare=(0.25, 0.5, 0.125))
    assert measured.median == 0.5


def test_numbers_get_decimals_only_while_they_are_small() -> None:
    assert [times(ratio) for ratio in (None, 1.234, 6127.9)] == ["-", "1.23x", "6,128x"]
    assert [milliseconds(seconds) for seconds in (0.00123, 1.2345)] == ["1.23", "1,234"]


def test_query_asked_anew_is_another_with_the_same_words() -> None:
    workload = Workload(name="one", requests=(("a b c d e f", ("x",)),), lengths=(11,))
    asked = [cache.asked_anew(workload, seed=seed).requests for seed in (1, 2)]
    (((one, documents),), ((two, _),)) = asked
    assert one != two
    assert sorted(one) == sorted(two) == sorted("a b c d e f")
    assert documents == ("x",)


def test_score_in_memory_takes_about_as_many_bytes_as_documented() -> None:
    assert 200 < cache.bytes_per_score(1000) < 300


def rendered(section: Section) -> str:
    """Print a section's tables as wide as a file gets them, and check that JSON takes the rest."""
    console = Console(file=io.StringIO(), width=100)
    for lines in section.tables.values():
        console.print(lines)
    json.dumps(section.values)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_claims_table_shows_published_beside_measured() -> None:
    models = {
        "base": Footprint(
            parameters=137_369_089, file=10**9, loaded=10**10, peak=10**9, seconds=999.0
        ),
        "turbo": footprint(seconds=333.0),
        "tiny": footprint(seconds=200.0),
    }
    measured = {"engine float32": models, "engine auto": models}
    shown = rendered(shapes.section(WORKLOAD, measured, [result(sample(1.0))]))
    assert "…" not in shown
    (line,) = [line for line in shown.splitlines() if "turbo's speed" in line]
    assert line.split()[-5:] == ["up", "to", "3x", "3.0x", "3.0x"]


def test_skipped_shape_is_shown_as_skipped() -> None:
    measured = {"engine auto": {"base": footprint(), "tiny": footprint()}}
    shown = rendered(shapes.section(WORKLOAD, measured, [result(sample(1.0))]))
    assert [line.split() for line in shown.splitlines() if "skipped" in line] == [
        ["turbo", "skipped"]
    ]
    (line,) = [line for line in shown.splitlines() if "tiny against turbo: file" in line]
    assert line.split()[-4:] == ["13", "%", "less", "-"]


def test_comparison_shows_each_contender_on_a_line() -> None:
    base = result(sample(4.0), name="reference float32")
    skipped = Result(name="engine auto", contender="engine auto", skipped="no memory")
    shown = rendered(engine.section("title", [(WORKLOAD, [base, result(sample(2.0)), skipped])]))
    lines = [line.split() for line in shown.splitlines()]
    assert ["one", "2.000", "2.00x", "0", "0.0e+00", "0.0e+00"] in lines
    assert ["engine", "auto", "skipped"] in lines


def test_first_answer_stands_before_the_second_rank() -> None:
    answers = [FirstAnswer(model="nano", rounds=((0.5,) * 7,))]
    imported = ImportTime(module="m", with_import=(0.75,), bare=(0.5,))
    shown = rendered(first_answer.section(imported, answers))
    lines = [line.split() for line in shown.splitlines()]
    assert lines.index(["=", "first", "answer", "3,000"]) < lines.index(["second", "rank", "500"])


def test_cached_calls_stand_beside_the_one_without() -> None:
    one, other, fast, half = (sample(seconds) for seconds in (2.0, 2.5, 0.001, 1.0))
    measured = cache.Round(plain=one, misses=other, hits=fast, half=half)
    loaded = Loaded(dtype="float32", seconds=1.0, first_call=1.0, resident=1)
    section = cache.section("turbo", WORKLOAD, [measured], loaded=(loaded, loaded))
    lines = [line.split() for line in rendered(section).splitlines()]
    assert ["same", "call", "again,", "all", "known", "1.00", "2,000x"] in lines
    assert any("+500.0 to +500.0 ms" in note for note in section.notes)


def test_fresh_process_passes_every_step_to_its_answers() -> None:
    workload = Workload(name="one", requests=(("bread", ("yeast",)),), lengths=(5,))
    (answer,) = first_answers([("nano", "nano", workload)], rounds=1)
    assert [len(steps) for steps in answer.rounds] == [len(STEPS)]


@pytest.fixture
def quick(tmp_path: Path) -> Run:
    """A quick run on a checkpoint of a few thousand weights."""
    small.write(tmp_path / "turbo")
    return Run(
        rounds=1,
        quick=True,
        model="turbo",
        v1_tokenizer=small.tokenizer(),
        directory=tmp_path,
        say=lambda _: None,
    )


def test_every_part_is_described_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert [name for name in PARTS if f"| `{name}` |" not in page] == []


def test_operations_belong_to_parts_by_their_names() -> None:
    names = {
        "aten::addmm": "linear layers",
        "aten::mm": "linear layers",
        "mkldnn::_linear_pointwise": "linear layers",
        "quantized::linear_dynamic": "linear layers",
        "aten::bmm": "attention",
        "aten::_scaled_dot_product_flash_attention_for_cpu": "attention",
        "aten::native_layer_norm": "norms and gating",
        "aten::mul": "norms and gating",
        "aten::embedding": "embedding",
        "aten::flip": shares.MOVES,
    }
    assert {name: shares.part(name) for name in names} == names


def test_rest_of_a_call_is_what_its_parts_leave() -> None:
    measured = shares.Round(
        call=1.0, encode=0.25, forward=0.5, profiled=0.75, operations={"aten::mm": 0.5}
    )
    found = shares.parts(measured)
    assert (found[shares.TOKENIZATION], found["linear layers"]) == (0.25, 0.5)
    assert found[shares.REST] == 0.25


def test_floor_counts_the_linear_layers_of_the_published_shape() -> None:
    config = JinaBertConfig.of(checkpoints.TURBO, "turbo")
    token = shares.linear_flops(config, 2, 1) - shares.linear_flops(config, 1, 1)
    assert token == 5 * 2 * 384 * (3 * 384 + 384 + 3 * 1536) + 2 * 384 * 2 * 384
    assert shares.linear_flops(config, 0, 1) == 2 * 384 * (3 * 384 + 3 * 1536 + 1)


def test_shares_of_a_call_make_a_whole(quick: Run) -> None:
    section = shares.measure(quick)
    (measured,) = section.values["rounds"]
    assert sum(section.values["seconds"].values()) == pytest.approx(measured["call"])
    assert "= a call, strings to scores" in rendered(section)
    assert {one["name"] for one in section.values["products"]} == {
        *("queries, keys, values", "attended", "gated", "output")
    }


def test_size_stands_beside_the_first_that_was_measured() -> None:
    skipped = Result(name="many", contender="engine auto", skipped="no memory")
    twice = Workload(name="twice", requests=(), lengths=(1260,))
    measured = [(WORKLOAD, skipped), (WORKLOAD, result(sample(1.0))), (twice, result(sample(4.0)))]
    shown = rendered(scaling.section("turbo", measured, measured[1:]))
    lines = [line.split() for line in shown.splitlines()]
    assert ["two", "630", "skipped", "-", "-", "-"] in lines
    assert ["twice", "1,260", "4.000", "315", "2.00x", "0"] in lines


def test_halves_of_the_cores_are_all_of_them() -> None:
    halves = threads.halves()
    every = [core for cores in halves for core in cores]
    assert every == (sorted(os.sched_getaffinity(0)) if halves else [])


def test_process_started_while_confined_has_those_cores_alone() -> None:
    before = os.sched_getaffinity(0)
    core = min(before)
    code = "import os; print(os.sched_getaffinity(0))"
    with threads.confined([core]):
        done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    assert done.stdout.decode().strip() == str({core})
    assert os.sched_getaffinity(0) == before


def test_two_processes_stand_beside_one_after_the_other() -> None:
    measured = {threads.ALTERNATELY: [2.0], threads.TOGETHER: [1.0]}
    section = threads.section("turbo", WORKLOAD, measured)
    (line,) = [one for one in rendered(section).splitlines() if threads.TOGETHER in one]
    assert line.split()[-3:] == ["1.000", "4.0", "2.00x"]
    assert any(note.startswith(f"{threads.APART}: skipped") for note in section.notes)

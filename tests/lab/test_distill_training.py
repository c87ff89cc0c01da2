"""Training: it learns, it goes on where it was killed, and it tells what it did."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from jina_rerank_lab import results
from jina_rerank_lab.distillation import card
from jina_rerank_lab.distillation.log import Log
from jina_rerank_lab.distillation.prepare import prepare
from jina_rerank_lab.distillation.recipe import Recipe
from jina_rerank_lab.distillation.training import BEST, LAST, TOKENIZER, Place
from jina_rerank_lab.distillation.training import Run as Training
from safetensors.torch import load_file

from jina_rerank import Reranker
from jina_rerank.errors import CheckpointError, JinaRerankError
from jina_rerank.lines import InputError

from .conftest import Make, Run
from .distilling import TOPICS, answers, pairs, scratch, write_encoder, write_recipe, write_rows

LEARNING = {
    "kind": "ranking",
    "lists": 16,
    "size": 4,
    "hard": 0,
    "kl": 0.0,
    "contrastive": 1.0,
    "learning_rate": 5e-3,
    "warmup": 20,
    "decay": "none",
}


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    write_rows(tmp_path / "pairs.jsonl", pairs(96))
    return write_encoder(tmp_path / "bert")


def train(recipe: Path, output: str = "run", **options: Any) -> Training:
    folder = recipe.parent
    place = Place(
        data=folder,
        output=folder / output,
        cache=folder / "cache",
        say=lambda _: None,
        **{name: options.pop(name) for name in list(options) if name == "clock"},
    )
    training = Training(Recipe.read(recipe), place, **options)
    training.run()
    return training


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    return found


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_a_run_learns_to_rank(tmp_path: Path, bert: Path) -> None:
    write_rows(tmp_path / "pairs.jsonl", answers(900))
    recipe = write_recipe(
        tmp_path / "small.toml",
        student=scratch(bert),
        mining={"bm25": 0, "dense": 0, "random": 6},
        stages=[{**LEARNING, "steps": 220}],
        dev={"queries": 48, "candidates": 8},
        output={"log_steps": 20},
    )
    training = train(recipe)
    lines = training.log.read()
    loss = [line["loss"] for line in lines if line["kind"] == "ranking"]
    first, *_, last = [line["ndcg"]["all"] for line in lines if line["kind"] == "dev"]
    assert loss[-1] < 0.5 * loss[0]
    # 48 queries with 8 candidates each: chance moves their mean by 0.04.
    assert last > first + 0.2
    with Reranker(str(tmp_path / "run" / BEST)) as reranker:
        found = [reranker.rank(f"planet {topic}", ANSWERS)[0].document for topic in TOPICS]
    right = [f"the planet is {topic}" for topic in (TOPICS[-1], *TOPICS[:-1])]
    assert sum(map(str.__eq__, map(str, found), right)) > len(TOPICS) / 2


ANSWERS = [f"the planet is {topic}" for topic in TOPICS]

TAUGHT: dict[str, Any] = {
    "mining": {"bm25": 2, "dense": 2, "random": 3},
    "output": {"log_steps": 1, "minutes": 0.0, "keep": 1000},
}


def taught(bert: Path, steps: int, **more: Any) -> dict[str, Any]:
    """A recipe with every kind of stage and loss."""
    spec = str(bert)
    states = {"teacher": spec, "lists": 4, "size": 4, "hard": 2, "max_tokens": 16}
    ranking = {**states, "kind": "ranking", "steps": steps, "depth": 1}
    losses = ("kl", "margin_mse", "mse", "absolute", "contrastive", "bce", "features", "probe")
    return {
        **TAUGHT,
        "student": {"init": "warm", "source": spec, "layers": [0, 2], "sample": 8},
        "mining": {"bm25": 2, "dense": 2, "random": 3, "embedder": spec},
        "teachers": [{"spec": "cosine", "scale": 5.0}, {"spec": "maxsim"}, {"spec": "bm25"}],
        "stages": [
            {**states, "kind": "features", "steps": 2, "multiple": 2},
            {**states, "kind": "features", "steps": 1, "joint": True, "depth": 1},
            {**ranking, **dict.fromkeys(losses, 0.1), "batch_tokens": 60, "layer_factor": 0.9},
        ],
        "dev": {"queries": 6, "candidates": 4, "average": 0.9, "minutes": 0.0},
        **more,
    }


@pytest.mark.parametrize("name", ["features", "probe"])
def test_one_loss_of_states_can_stand_alone(tmp_path: Path, bert: Path, name: str) -> None:
    stage = {**LEARNING, "steps": 1, "lists": 2, "teacher": str(bert), name: 1.0}
    student = {"init": "warm", "source": str(bert), "layers": [0, 1], "sample": 8}
    recipe = write_recipe(tmp_path / "small.toml", student=student, stages=[stage])
    (line,) = [line for line in train(recipe).log.read() if line["kind"] == "ranking"]
    assert {"features", "probe"} & set(line) == {name}


def test_teachers_alone_can_teach(tmp_path: Path, bert: Path) -> None:
    stage = {**LEARNING, "steps": 1, "lists": 2, "kl": 1.0, "contrastive": 0.0}
    tables = {"student": scratch(bert), "stages": [stage], "teachers": [{"spec": "bm25"}]}
    recipe = write_recipe(tmp_path / "small.toml", **tables)
    (line,) = [line for line in train(recipe).log.read() if line["kind"] == "ranking"]
    assert line["loss"] == line["kl"]


def test_the_encoder_of_a_stage_can_be_the_only_teacher(tmp_path: Path, bert: Path) -> None:
    stage = {**LEARNING, "steps": 1, "kl": 1.0, "contrastive": 0.0, "teacher": str(bert)}
    teachers = [{"spec": "cosine", "scale": 3.0, "shift": 0.5}]
    tables = {"student": scratch(bert), "stages": [stage], "teachers": teachers}
    lines = train(write_recipe(tmp_path / "small.toml", **tables)).log.read()
    assert lines[2]["kl"] > 0


def test_threads_are_pytorchs_own_choice_unless_the_recipe_says(tmp_path: Path, bert: Path) -> None:
    before = torch.get_num_threads()
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert))
    recipe.write_text(recipe.read_text().replace("threads = 1\n", ""))
    train(recipe)
    assert torch.get_num_threads() == before


PROGRAM = "import sys; from jina_rerank_lab.cli import main; sys.exit(main(sys.argv[1:]))"


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path: Path, bert: Path, run: Run) -> None:
    recipe = write_recipe(tmp_path / "small.toml", **taught(bert, 12))
    train(recipe, "whole")
    arguments = ["distill", str(recipe), "--output", str(tmp_path / "killed")]
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments])
    checkpoint = tmp_path / "killed" / "checkpoints" / "step-00000006.pt"
    while not checkpoint.exists():
        assert process.poll() is None
        os.sched_yield()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / LAST).exists()
    ended = run(*arguments)
    assert ended.code == 0
    assert "going on after step" in ended.err
    for name in (BEST, LAST):
        assert same(tmp_path / "whole" / name, tmp_path / "killed" / name)
    lines = [json.loads(line) for line in (tmp_path / "killed" / "log.jsonl").open()]
    totals = [line["total"] for line in lines if line["kind"] == "ranking"]
    assert totals == list(range(4, 16))


def test_a_run_that_is_over_does_nothing_more(tmp_path: Path, bert: Path) -> None:
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert))
    train(recipe)
    before = (tmp_path / "run" / "log.jsonl").read_text()
    train(recipe)
    assert (tmp_path / "run" / "log.jsonl").read_text() == before


def test_another_recipe_in_the_same_place_is_refused(tmp_path: Path, bert: Path) -> None:
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert))
    train(recipe)
    write_recipe(recipe, student=scratch(bert), seed=2)
    with pytest.raises(InputError, match="holds a run of another recipe or of other data"):
        train(recipe)
    assert train(recipe, restart=True).progress.total == 3


def test_two_runs_of_a_recipe_make_the_same_student(tmp_path: Path, bert: Path) -> None:
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert))
    train(recipe, "one")
    train(recipe, "other")
    assert same(tmp_path / "one" / LAST, tmp_path / "other" / LAST)


def test_old_checkpoints_are_deleted(tmp_path: Path, bert: Path) -> None:
    output = {"minutes": 0.0, "keep": 2}
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), output=output)
    train(recipe)
    names = [path.name for path in sorted((tmp_path / "run" / "checkpoints").iterdir())]
    assert names == ["step-00000002.pt", "step-00000003.pt"]


class Clock:
    """A clock that goes on by ten seconds each time somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 10
        return self.now


def test_minutes_end_a_stage(tmp_path: Path, bert: Path) -> None:
    stage = {**LEARNING, "minutes": 1.0, "lists": 2}
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), stages=[stage])
    training = train(recipe, clock=Clock())
    assert (training.progress.total, training.progress.seconds) == (7, 70)


def test_frozen_parts_do_not_learn(tmp_path: Path, bert: Path) -> None:
    stage = {**LEARNING, "steps": 2, "lists": 2, "freeze": ["words", "layers.0"]}
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), stages=[stage])
    training = train(recipe)
    place = Place(data=tmp_path, output=tmp_path / "new", cache=tmp_path / "cache", say=print)
    before = Training(Recipe.read(recipe), place).student.state_dict()
    after = training.student.state_dict()
    kept = {name for name, tensor in after.items() if torch.equal(tensor, before[name])}
    assert {"words.weight", "layers.0.qkv.weight"} <= kept
    assert "layers.1.qkv.weight" not in kept


@pytest.mark.parametrize(
    ("freeze", "reason"),
    [
        (["word"], "freeze names 'word', which the student does not have"),
        (["words", "types", "norm", "layers", "pooler", "classifier"], "leaves nothing to learn"),
    ],
)
def test_what_cannot_be_frozen_is_refused(
    tmp_path: Path, bert: Path, freeze: list[str], reason: str
) -> None:
    stage = {**LEARNING, "steps": 1, "freeze": freeze}
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), stages=[stage])
    with pytest.raises(InputError, match=reason):
        train(recipe)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"learning_rate": 1e30, "warmup": 0}, r"the loss is nan at step .: lower the learn"),
        ({"contrastive": 1e30}, r"the length of the gradient is inf at step 1: .* --restart"),
    ],
)
def test_what_is_no_number_ends_the_run(
    tmp_path: Path, bert: Path, changes: dict[str, Any], reason: str
) -> None:
    stage = {**LEARNING, "steps": 9, **changes}
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), stages=[stage])
    with pytest.raises(JinaRerankError, match=reason):
        train(recipe)


def test_a_kill_between_two_renames_loses_no_student(tmp_path: Path, bert: Path) -> None:
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert))
    train(recipe)
    best = tmp_path / "run" / BEST
    before = weights(best)
    best.rename(best.with_name(f".{BEST}.old"))
    train(recipe)
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(best).items())


def test_only_whole_students_stay_in_the_output(tmp_path: Path, bert: Path) -> None:
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert))
    for _ in range(2):
        train(recipe)
    folders = {path.name for path in (tmp_path / "run").iterdir() if path.is_dir()}
    assert folders == {BEST, LAST, TOKENIZER, "checkpoints"}


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, bert: Path) -> None:
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoints").write_text("")
    with pytest.raises(
        JinaRerankError, match=r"cannot be written: .*the checkpoint before is whole"
    ):
        train(recipe)


def test_a_collection_can_tell_the_best(tmp_path: Path, bert: Path, make: Make) -> None:
    make("planets")
    dev = {"collection": "planets", "candidates": 3}
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), dev=dev)
    lines = train(recipe).log.read()
    assert set(lines[0]["ndcg"]) == {"planets", "all"}


def test_bm25_is_measured_once_on_the_questions_of_the_students(tmp_path: Path, bert: Path) -> None:
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert))
    training = train(recipe)
    (line,) = [line for line in train(recipe).log.read() if line["kind"] == "bm25"]
    places = [
        [*one.passages].index(next(iter(one.relevant))) for one in training.prepared.questions
    ]
    expected = sum(1 / math.log2(place + 2) for place in places) / len(places)
    assert line["ndcg"] == {"pairs": pytest.approx(expected), "all": pytest.approx(expected)}


def test_pairs_of_an_excluded_collection_are_dropped(
    tmp_path: Path, bert: Path, make: Make
) -> None:
    make(
        "planets",
        corpus=[
            {"_id": n, "text": pairs(1)[0]["positive"]} for n in ("mars", "bread", "sea", "rust")
        ],
    )
    data = {"files": [{"path": "pairs.jsonl"}], "exclude": ["planets"]}
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), data=data)
    assert train(recipe).prepared.dropped == [1]


def test_data_that_is_all_excluded_is_refused(tmp_path: Path, bert: Path, make: Make) -> None:
    write_rows(tmp_path / "pairs.jsonl", [{"query": "Which planet is red?", "positive": "mars"}])
    make("planets")
    data = {"files": [{"path": "pairs.jsonl"}], "exclude": ["planets"]}
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), data=data)
    with pytest.raises(InputError, match=r"nothing of 'pairs.jsonl' is left"):
        train(recipe)


def test_too_little_data_for_a_dev_set_is_refused(tmp_path: Path, bert: Path) -> None:
    write_rows(tmp_path / "pairs.jsonl", pairs(4))
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert))
    with pytest.raises(InputError, match="no query can be held out"):
        train(recipe)


def test_nothing_is_learnt_from_what_shares_a_text_with_the_dev_set(
    tmp_path: Path, bert: Path
) -> None:
    rows = [{"query": f"q{i // 2}", "positive": f"p{(i + 1) // 2}"} for i in range(200)]
    write_rows(tmp_path / "pairs.jsonl", rows)
    write_rows(tmp_path / "more.jsonl", [{**row, "query": row["query"].upper()} for row in rows])
    data = {"files": [{"path": "pairs.jsonl"}, {"path": "more.jsonl"}]}
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), data=data)
    prepared = prepare(Recipe.read(recipe), tmp_path, lambda _: None)
    asked = {question.query.lower() for question in prepared.questions}
    answers = {one.passages[name] for one in prepared.questions for name in one.relevant}
    for own, held in zip(prepared.examples, prepared.held, strict=True):
        learnt = [one for i, one in enumerate(own) if i not in held]
        assert 100 < len(learnt) < 200
        assert not asked & {one.query.lower() for one in learnt}
        assert not answers & {one.positive for one in learnt}


def test_data_that_all_shares_a_text_with_the_dev_set_is_refused(
    tmp_path: Path, bert: Path
) -> None:
    rows = [{"query": "mars", "positive": f"mars {i}"} for i in range(40)]
    write_rows(tmp_path / "pairs.jsonl", rows)
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert))
    with pytest.raises(InputError, match="every query shares a text with one held out"):
        train(recipe)


def test_data_without_negatives_is_refused(tmp_path: Path, bert: Path, make: Make) -> None:
    write_rows(tmp_path / "pairs.jsonl", [{"query": "mars", "positive": "mars is red"}])
    make("planets")
    dev = {"collection": "planets", "candidates": 3}
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), dev=dev)
    with pytest.raises(InputError, match="no query has a negative"):
        train(recipe)


def test_a_file_of_weight_0_only_lends_its_words(tmp_path: Path, bert: Path) -> None:
    data = {"files": [{"path": "pairs.jsonl"}, {"path": "more.jsonl", "weight": 0}]}
    write_rows(tmp_path / "more.jsonl", pairs(12, seed=5))
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), data=data)
    assert train(recipe).progress.total == 3


def test_stages_can_read_passages_of_other_lengths(tmp_path: Path, bert: Path) -> None:
    stages = [{**LEARNING, "steps": 1, "lists": 2, **more} for more in ({}, {"max_words": 2})]
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), stages=stages)
    lines = [line for line in train(recipe).log.read() if line["kind"] == "ranking"]
    assert [line["stage"] for line in lines] == ["1/2", "2/2"]


def test_an_encoder_without_the_students_tokens_is_refused(
    tmp_path: Path, bert: Path, mini: Path
) -> None:
    student = {"init": "layers", "source": str(mini), "layers": [0]}
    stage = {"kind": "features", "teacher": str(bert), "steps": 1}
    recipe = write_recipe(tmp_path / "small.toml", student=student, stages=[stage])
    with pytest.raises(CheckpointError, match=r"lacks .* of the student's tokens"):
        train(recipe)


def test_export_makes_a_directory_that_reranks(tmp_path: Path, bert: Path, run: Run) -> None:
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), threads=1)
    ended = run("distill", recipe, "--output", "out", "--cache", "kept")
    assert (ended.code, "done: nDCG@10" in ended.err) == (0, True)
    assert run("export", "out", "model").code == 0
    assert {path.name for path in Path("model").iterdir()} == {
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert len({path.stat().st_mode for path in Path("model").iterdir()}) == 1
    names = weights(Path("model"))
    assert names["bert.encoder.layer.0.mlp.gated_layers.weight"].dtype == torch.bfloat16
    with Reranker("model") as reranker:
        assert len(reranker.rank("mars", ["the sea", "mars is red"])) == 2
    again = run("export", "out", "model")
    assert (again.code, "is there already" in again.err) == (1, True)
    assert run("export", "out", "model", "--force", "--last").code == 0


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "pairs"),
        ({"query": "body"}, "pairs (body)"),
        ({"make": ["half", "span"]}, "pairs (half, span)"),
    ],
)
def test_card_tells_apart_what_is_made_of_a_file(
    tmp_path: Path, bert: Path, run: Run, options: dict[str, Any], name: str
) -> None:
    rows = [
        {
            "query": f"which is {i}",
            "body": f"what of {i} here",
            "positive": f"This is {i}.",
            "text": f"This here is the sea {i}. That there is mars {i}.",
        }
        for i in range(60)
    ]
    write_rows(tmp_path / "pairs.jsonl", rows)
    data = {"files": [{"path": "pairs.jsonl", **options}]}
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), data=data)
    ended = run("distill", recipe, "--output", "out")
    assert ended.code == 0, ended.err
    (file,) = results.read(Path("out", "result.json"), "distillation")["files"]
    assert file["name"] == name


def test_card_tells_data_licences_metrics_recipe_and_command(
    tmp_path: Path, bert: Path, run: Run
) -> None:
    data = {"files": [{"path": "pairs.jsonl", "licence": "CC0"}]}
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert), data=data)
    run("distill", recipe, "--output", "out")
    told = Path("out", BEST, card.CARD).read_text()
    assert "| pairs | 96 | 1 | 0 | CC0 |" in told
    assert "No test collection was excluded." in told
    assert recipe.read_text().strip() in told
    assert "seed 1" in told
    result = results.read(Path("out", "result.json"), "distillation")
    assert (result["steps"], result["files"][0]["queries"]) == (3, 96)
    values = result["bm25"]["all"], result["dev"][0]["ndcg"]["all"], result["best"]
    assert f"| all | {' | '.join(f'{100 * value:.1f}' for value in values)} |" in told
    excluded = card.text(
        {**result, "excluded": ["planets"]},
        json.loads(Path("out", BEST, "config.json").read_text()),
    )
    assert (
        "a quarter of a passage, or all of a passage of fewer than 13 words, with planets."
        in excluded
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [((), "has measured nothing yet"), (("--last",), "has not come to its end")],
)
def test_export_of_no_run_says_what_to_do(run: Run, options: tuple[str, ...], reason: str) -> None:
    ended = run("export", "none", "model", *options)
    assert (ended.code, reason in ended.err) == (1, True)


def test_export_before_the_end_has_no_card(tmp_path: Path, bert: Path, run: Run) -> None:
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert))
    train(recipe)
    assert run("export", tmp_path / "run", "model").code == 0
    assert not Path("model", "README.md").exists()


def test_a_wrong_recipe_is_one_line_and_exit_code_1(run: Run) -> None:
    Path("small.toml").write_text("name = 1")
    ended = run("distill", "small.toml", "--output", "out")
    assert (ended.code, ended.err.count("\n")) == (1, 1)


def test_a_log_that_a_kill_cut_is_read(tmp_path: Path, bert: Path) -> None:
    recipe = write_recipe(tmp_path / "small.toml", student=scratch(bert))
    train(recipe)
    with (tmp_path / "run" / "log.jsonl").open("a") as file:
        file.write('{"kind": "dev", "to')
    assert train(recipe).log.read()[-1]["kind"] == "dev"


def test_a_line_that_a_kill_cut_spoils_none_after_it(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", lambda _: None)
    log.write("dev", {"total": 1})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"kind": "dev", "to')
    log.keep(1)
    log.write("dev", {"total": 2})
    assert [line["total"] for line in log.read()] == [1, 2]

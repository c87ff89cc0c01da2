"""Recipes: what they say, and what is wrong with them, by file and key."""

from pathlib import Path
from typing import Any

import pytest
from jina_rerank_lab.distillation import pace
from jina_rerank_lab.distillation.recipe import Recipe, StagePart

from jina_rerank.lines import InputError

from .distilling import scratch, write_recipe

RECIPES = Path(__file__).parents[2] / "shared" / "jina-rerank-lab" / "recipes"
STAGE = {"kind": "ranking", "steps": 3, "kl": 0.0, "contrastive": 1.0}
WARM = {"init": "warm", "source": "bert", "layers": [0]}
TWO = {**WARM, "layers": [0, 1]}
STATES = {"features": 1.0, "teacher": "bert"}


def test_recipe_of_nano_is_whole() -> None:
    recipe = Recipe.read(RECIPES / "nano.toml")
    assert recipe.name == "jina-rerank-nano"
    assert {"scifact", "nq-dev"} <= {Path(name).name for name in recipe.data.exclude}


def test_recipe_of_the_documentation_is_whole(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "distillation.md").read_text()
    path = tmp_path / "recipe.toml"
    path.write_text(page.partition("```toml\n")[2].partition("```")[0])
    assert [stage.kind for stage in Recipe.read(path).stages] == ["features", "ranking"]


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({"student": {**WARM, "sise": 3}}, "there is no student.sise; there are student.init"),
        ({"student": {"init": "warm", "layers": [0]}}, "student.source is missing"),
        ({"student": {**WARM, "source": 3}}, "student.source must be a text, got 3"),
        ({"student": {**WARM, "sample": True}}, "student.sample must be a whole number, got True"),
        ({"student": {**WARM, "layers": 3}}, "student.layers must be a list, got 3"),
        ({"student": {**WARM, "layers": [-1]}}, "student.layers must be at least 0, got -1"),
        ({"student": {**WARM, "layers": []}}, "student.init 'warm' needs layers"),
        ({"student": {**WARM, "init": "cold"}}, "init must be warm, layers or scratch, got 'cold'"),
        ({"student": {**WARM, "hidden_size": 8}}, "takes from its source the hidden_size"),
        ({"student": {"init": "scratch", "source": "b"}}, "init 'scratch' needs num_hidden_layers"),
        ({"student": scratch(Path("b"), layers=[1])}, "init 'scratch' has no layers"),
        ({"student": 3}, "student must be a table, got 3"),
        ({"data": {"files": []}}, "data.files must be at least 1, got 0"),
        ({"data": {"files": [{"path": "a", "make": ["end"]}]}}, "data.files[0].make must be title"),
        ({"data": {"files": [{"path": "a", "title": 1}]}}, "title must be true or false, got 1"),
        ({"data": {"files": [{"path": "a", "weight": "b"}]}}, "weight must be a number, got 'b'"),
        ({"mining": {"first": 5, "last": 5}}, "mining.last must be at least 6, got 5"),
        ({"mining": {"bm25": 0, "dense": 0, "random": 0}}, "mining.bm25, dense and random must be"),
        ({"teachers": [{"spec": "bm25", "shift": 1.0}]}, "shift needs a scale"),
        ({"stages": [{**STAGE, "minutes": 1}]}, "give either steps or minutes"),
        ({"stages": [{**STAGE, "clip": 0}]}, "stages[0].clip must be above 0"),
        (
            {"stages": [{**STAGE, "contrastive": 0}]},
            "all losses have weight 0: give kl, margin_mse",
        ),
        ({"stages": [{**STAGE, "probe": 1}]}, "features and probe need a teacher"),
        ({"stages": [{"kind": "features", "steps": 1}]}, "features and probe need a teacher"),
        ({"stages": [{**STAGE, "kl": 1}]}, "a stage has kl, margin_mse, mse or absolute, so give"),
        (
            {"stages": [{**STAGE, "kl": 1}], "teachers": [{"spec": "maxsim"}]},
            "cosine and maxsim are those of a stage's encoder, so give every stage a teacher",
        ),
        (
            {"stages": [{**STAGE, **STATES, "depth": 2}], "student": TWO},
            "depth must be at most 1, the student's layers below the last one, got 2",
        ),
        (
            {"stages": [{"kind": "features", "steps": 1, "teacher": "b", "depth": 3}]},
            "depth must be at most 1, the student's layers, got 3",
        ),
        ({"stages": [{**STAGE, **STATES}]}, "need a student of two layers or more"),
        ({"dev": {"average": 1}}, "dev.average must be below 1, got 1"),
    ],
)
def test_a_wrong_recipe_is_refused_by_file_and_key(
    tmp_path: Path, tables: dict[str, Any], reason: str
) -> None:
    path = write_recipe(tmp_path / "small.toml", **{"student": WARM, **tables})
    with pytest.raises(InputError) as caught:
        Recipe.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)


def test_a_recipe_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text("name = ")
    with pytest.raises(InputError, match="is not valid TOML"):
        Recipe.read(path)


def test_a_recipe_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        Recipe.read(tmp_path / "none.toml")


def test_long_inputs_come_regularly() -> None:
    stage = StagePart(
        kind="ranking",
        steps=1,
        contrastive=1,
        kl=0,
        max_tokens=80,
        long_tokens=160,
        long_share=0.25,
    )
    assert [stage.tokens(step) for step in range(8)] == [80, 80, 80, 160] * 2


@pytest.mark.parametrize(
    ("decay", "rates"),
    [
        ("linear", [0.5, 1.0, 0.55, 0.1]),
        ("cosine", [0.5, 1.0, 0.55, 0.1]),
        ("none", [0.5, 1.0, 1.0, 1.0]),
    ],
)
def test_learning_rate_rises_and_falls(decay: str, rates: list[float]) -> None:
    stage = StagePart(kind="ranking", steps=9, warmup=2, learning_rate=1, floor=0.1, decay=decay)
    found = [pace.rate(stage, step, share) for step, share in ((0, 0), (1, 0), (5, 0.5), (9, 1))]
    assert found == pytest.approx(rates)


def test_without_warmup_the_first_step_is_at_full_rate() -> None:
    stage = StagePart(kind="ranking", steps=9, warmup=0, learning_rate=1)
    assert pace.rate(stage, 0, 0) == 1

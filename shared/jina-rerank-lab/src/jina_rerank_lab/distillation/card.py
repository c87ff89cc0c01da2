"""The model card: what was done, with what, and how good it is."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import results
from ..atomic import written
from .guard import RUN
from .log import Log
from .pairs import short_name
from .recipe import QUERY, FilePart, Recipe

CARD = "README.md"
"""The name under which the hub shows a card."""

ABOUT = (
    "A reranker: it reads a query and a document together and scores how well the document "
    "answers. Made by knowledge distillation with jina-rerank-lab; not a Jina AI release."
)

FRONT = """---
license: {licence}
language: en
library_name: jina-rerank
pipeline_tag: text-ranking
tags: [reranker, cross-encoder, jina-bert, knowledge-distillation]
---
"""


def write(directory: Path, result: Mapping[str, Any]) -> None:
    """Write the card of a model into its directory.

    Args:
        directory: Where the model is.
        result: What `summary` returned, perhaps with what `results.made` says.
    """
    with written(directory / CARD) as file:
        file.write(text(result, json.loads((directory / "config.json").read_text("utf-8"))))


def summary(recipe: Recipe, recipe_text: str, run: Mapping[str, Any], log: Log) -> dict[str, Any]:
    """Gather what a run did, as a file of results has it.

    Args:
        recipe: The recipe.
        recipe_text: Its file.
        run: What only the run knows: `queries`, `dropped`, `seconds`, `tokens`, `steps`, `best`,
            `best_step`, `parameters`.
        log: What was logged on the way.
    """
    lines = log.read()
    files = [
        {
            "name": _named(part),
            "licence": part.licence,
            "weight": part.weight,
            "queries": queries,
            "dropped": dropped,
        }
        for part, queries, dropped in zip(
            recipe.data.files, run["queries"], run["dropped"], strict=True
        )
    ]
    return {
        "made": results.made(),
        "name": recipe.name,
        "licence": recipe.output.licence,
        "seed": recipe.seed,
        "recipe": recipe_text,
        "files": files,
        "excluded": list(recipe.data.exclude),
        "bm25": next(line["ndcg"] for line in lines if line["kind"] == "bm25"),
        "dev": [line for line in lines if line["kind"] == "dev"],
        **{name: value for name, value in run.items() if name not in {"queries", "dropped"}},
    }


def _named(part: FilePart) -> str:
    """Name a file, and what its queries are if not what it states: it may be there twice."""
    if part.make:
        return f"{short_name(part.path)} ({', '.join(part.make)})"
    return short_name(part.path) + (f" ({part.query})" if part.query != QUERY else "")


def text(result: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Return the card.

    Args:
        result: What `summary` returned.
        config: The model's config.json.
    """
    return "\n".join(
        [
            FRONT.format(licence=result["licence"]),
            f"# {result['name']}",
            "",
            ABOUT,
            "",
            "    from jina_rerank import Reranker",
            '    Reranker("path/to/this/folder").rank("Which planet is red?", documents)',
            "",
            _shape(result, config),
            "",
            *_measured(result),
            *_data(result["files"], result["excluded"]),
            *_made(result),
        ]
    )


def _shape(result: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    millions = result["parameters"] / 1e6
    return (
        f"A JinaBERT cross-encoder: {config['num_hidden_layers']} layers, hidden size "
        f"{config['hidden_size']}, {config['num_attention_heads']} heads, "
        f"{config['feed_forward_type'].upper()} {config['intermediate_size']}, symmetric ALiBi, "
        f"{config['vocab_size']:,} tokens, {millions:.1f}M parameters, bfloat16. "
        f"Input of up to {config['max_position_embeddings']:,} tokens."
    )


def _measured(result: Mapping[str, Any]) -> list[str]:
    """Show BM25, the first measurement, which is the student before training, and the best."""
    dev, step = result["dev"], result["best_step"]
    best = next(line for line in dev if line["total"] == step)
    shown = result["bm25"], dev[0]["ndcg"], best["ndcg"]
    rows = [
        f"| {' | '.join([name, *(f'{100 * ndcg[name]:.1f}' for ndcg in shown)])} |"
        for name in best["ndcg"]
    ]
    return [
        "## Quality",
        "",
        "nDCG@10 in percent on the queries that chose the checkpoint, candidates of BM25 reranked:",
        "",
        f"| source | BM25 | before training | after {step:,} steps |",
        "|---|---|---|---|",
        *rows,
        "",
    ]


def _data(files: Sequence[Mapping[str, Any]], excluded: Sequence[str]) -> list[str]:
    rows = [
        f"| {file['name']} | {file['queries']:,} | {file['weight']:g} | {file['dropped']:,} "
        f"| {file['licence']} |"
        for file in files
    ]
    kept_out = (
        f"Dropped: pairs that share a query, a quarter of a passage, or all of a passage of fewer "
        f"than {RUN} words, with {', '.join(excluded)}."
        if excluded
        else "No test collection was excluded."
    )
    return [
        "## Training data",
        "",
        "| data | queries | weight | dropped | licence |",
        "|---|---|---|---|---|",
        *rows,
        "",
        kept_out,
        "",
    ]


def _made(result: Mapping[str, Any]) -> list[str]:
    made = result["made"]
    machine, versions = made["machine"], made["versions"]
    gpu = "" if machine["gpu"] is None else f" and {machine['gpu']}"
    used = ", ".join(f"{name} {version}" for name, version in versions.items())
    return [
        "## How it was made",
        "",
        (
            f"On {made['date']}, {machine['cores']} cores of {machine['cpu']}{gpu}: "
            f"{result['steps']:,} steps, {result['tokens']:,} tokens, "
            f"{result['seconds'] / 60:.0f} minutes of training; seed {result['seed']}. With {used}."
        ),
        "",
        f"    {made['command']}",
        "",
        "```toml",
        result["recipe"].strip(),
        "```",
        "",
    ]

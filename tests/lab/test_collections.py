import gzip
from pathlib import Path

import pytest
from jina_rerank_lab.collections import Passage, read

from jina_rerank.lines import InputError

from .conftest import CORPUS, QUERIES, Make, lines


def test_collection_is_read_with_its_judged_queries_only(make: Make) -> None:
    collection = read(make())
    assert collection.name == "planets"
    assert list(collection.queries) == ["q1", "q2"]
    assert collection.qrels == {"q1": {"mars": 2, "rust": 1}, "q2": {"bread": 1, "sea": 0}}
    assert collection.corpus["mars"] == Passage("Mars", "Mars is a red planet.")


def test_title_that_is_missing_or_null_is_empty(make: Make) -> None:
    corpus = read(make()).corpus
    assert corpus["bread"].full == "Bread rises because yeast makes gas."
    assert corpus["rust"].title == ""


def test_compressed_files_give_the_same_collection(make: Make) -> None:
    plain, packed = read(make("a")), read(make("a.gz", packed=True))
    assert (plain.corpus, plain.queries, plain.qrels) == (
        packed.corpus,
        packed.queries,
        packed.qrels,
    )


def test_qrels_beside_the_corpus_are_found(make: Make) -> None:
    folder = make()
    (folder / "qrels" / "test.tsv").rename(folder / "qrels.tsv")
    assert list(read(folder).queries) == ["q1", "q2"]


def test_qrels_without_a_header_lose_no_line(make: Make) -> None:
    assert read(make(qrels=["q3\tsea\t1"])).qrels == {"q3": {"sea": 1}}


def test_other_split_is_read_when_it_is_asked_for(make: Make) -> None:
    folder = make(split="dev", qrels=["q3\tsea\t1"])
    assert list(read(folder, split="dev").queries) == ["q3"]


def test_empty_document_is_kept(make: Make) -> None:
    folder = make(corpus=[*CORPUS, {"_id": "void", "text": ""}])
    assert read(folder).corpus["void"].full == ""


def test_sample_is_the_first_queries_by_the_hash_of_their_ids(make: Make) -> None:
    # As sha1sum has it: c 84a5..., a 86f7..., b e9d7...
    queries = [{"_id": name, "text": "?"} for name in "abc"]
    collection = read(make(queries=queries, qrels=[f"{name}\tsea\t1" for name in "abc"]))
    sampled = collection.sample(2)
    assert list(sampled.queries) == list(sampled.qrels) == ["c", "a"]
    assert sampled.corpus == collection.corpus


def test_sample_of_more_than_there_is_holds_all(make: Make) -> None:
    assert set(read(make()).sample(100).queries) == {"q1", "q2"}


def complaint(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(folder)
    return str(caught.value)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    assert f"there is no folder '{tmp_path}/none'" in complaint(tmp_path / "none")


def test_missing_file_is_named(make: Make) -> None:
    folder = make()
    (folder / "qrels" / "test.tsv").unlink()
    assert "has no qrels/test.tsv or qrels.tsv, also none that ends in .gz" in complaint(folder)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{broken", "broken JSON at column 2"),
        ("[1]", "not a JSON object but an array"),
        ('{"text": "no id"}', "has no field '_id'; it has 'text'"),
        ('{"_id": 7, "text": "a number"}', "field '_id' is not a string but a number"),
        ('{"_id": "x"}', "has no field 'text'"),
        ('{"_id": "", "text": "x"}', "has an empty id"),
        ('{"_id": "sea", "text": "again"}', "id 'sea' stands in line 2 too"),
        ('{"_id": "x", "title": 1, "text": "x"}', "field 'title' is not a string but a number"),
    ],
)
def test_bad_line_of_the_corpus_is_named(make: Make, line: str, reason: str) -> None:
    folder = make(corpus=f"{lines(CORPUS)}\n{line}\n")
    said = complaint(folder)
    assert f"{folder}/corpus.jsonl:6: {reason}" in said


def test_bad_line_of_a_compressed_corpus_is_named(make: Make) -> None:
    folder = make(corpus=f"{lines(CORPUS)}{{broken\n", packed=True)
    assert f"{folder}/corpus.jsonl.gz:5: broken JSON" in complaint(folder)


def test_line_that_is_not_utf8_is_named(make: Make) -> None:
    folder = make()
    with (folder / "corpus.jsonl").open("ab") as file:
        file.write(b'{"_id": "x", "text": "caf\xe9"}\n')
    assert f"{folder}/corpus.jsonl:5: invalid UTF-8" in complaint(folder)


@pytest.mark.parametrize("text", ["", "  ", "\t"])
def test_blank_query_is_named(make: Make, text: str) -> None:
    folder = make(queries=[*QUERIES, {"_id": "q4", "text": text}])
    assert complaint(folder) == f"{folder}/queries.jsonl:4: query 'q4' is blank"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("q9\tmars\t1", "names query 'q9', which is not in the queries"),
        ("q1\tvenus\t1", "names document 'venus', which is not in the corpus"),
        ("q1\tmars\t1", "judges document 'mars' for query 'q1' once more"),
        ("q1 mars 1", "has 1 columns; qrels have 3, with tabs: query-id corpus-id score"),
        ("q3\tmars\tyes", "its score 'yes' is not a whole number"),
    ],
)
def test_bad_judgement_is_named(make: Make, line: str, reason: str) -> None:
    folder = make(qrels=["q1\tmars\t1", line])
    assert complaint(folder) == f"{folder}/qrels/test.tsv:2: {reason}"


def test_corpus_without_documents_is_refused(make: Make) -> None:
    assert "holds no documents" in complaint(make(corpus="\n"))


def test_qrels_without_judgements_are_refused(make: Make) -> None:
    assert "holds no judgements" in complaint(make(qrels=["query-id\tcorpus-id\tscore"]))


def test_truncated_gzip_is_named(make: Make) -> None:
    folder = make(packed=True)
    path = folder / "corpus.jsonl.gz"
    path.write_bytes(gzip.compress(lines(CORPUS).encode())[:-12])
    assert f"'{path}' is no whole gzip file" in complaint(folder)

"""Collections of BEIR by name, downloaded once from where its authors publish them.

"BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation of Information Retrieval Models" (Thakur
et al. 2021); names and sums: https://github.com/beir-cellar/beir.
"""

import hashlib
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2

from jina_rerank.errors import JinaRerankError
from jina_rerank.lines import InputError

from . import terminal

URL = "https://public.ukp.informatik.tu-darmstadt.de/thakur/BEIR/datasets"

SUMS: Mapping[str, str] = {
    "arguana": "8ad3e3c2a5867cdced806d6503f29b99",
    "climate-fever": "8b66f0a9126c521bae2bde127b4dc99d",
    "cqadupstack": "4e41456d7df8ee7760a7f866133bda78",
    "dbpedia-entity": "c2a39eb420a3164af735795df012ac2c",
    "fever": "5a818580227bfb4b35bb6fa46d9b6c03",
    "fiqa": "17918ed23cd04fb15047f73e6c3bd9d9",
    "hotpotqa": "f412724f78b0d91183a0e86805e16114",
    "msmarco": "444067daf65d982533ea17ebd59501e4",
    "nfcorpus": "a89dba18a62ef92f7d323ec890a0d38d",
    "nq": "d4d3d2e48787a744b6f6e691ff534307",
    "quora": "18fb154900ba42a600f84b839c173167",
    "scidocs": "38121350fc3a4d2f48850f6aff52e4a9",
    "scifact": "5f7d1de60b170fc8027bb7898e2efca1",
    "trec-covid": "ce62140cb23feb9becf6270d0d1fe6d1",
    "webis-touche2020": "46f650ba5a527fc69e0a6521c5a23563",
}
"""The MD5 of each archive. `msmarco` is judged in the split dev; `cqadupstack` is twelve of them."""

CORPUS = "corpus.jsonl"

MEBI = 1 << 20


def locate(
    spec: str, folder: Path, *, url: str = URL, sums: Mapping[str, str] = SUMS
) -> list[Path]:
    """Find the folders of a collection; a folder that is there wins over a name.

    Args:
        spec: A folder, or the name of a collection of BEIR.
        folder: Where collections are kept that were downloaded.
        url: Where archives are.
        sums: The MD5 of each archive by name.

    Raises:
        InputError: It is neither.
        JinaRerankError: It cannot be downloaded, or not be stored.
    """
    if Path(spec).is_dir():
        return [Path(spec)]
    if spec not in sums:
        msg = f"there is no folder {spec!r}, and no collection of BEIR has this name: {', '.join(sums)}"
        raise InputError(msg)
    target = folder / spec
    if not target.is_dir():
        _fetch(f"{url}/{spec}.zip", sums[spec], target)
    return sorted(path.parent for path in target.rglob(CORPUS))


def _fetch(url: str, md5: str, target: Path) -> None:
    """Download an archive and unpack it; the folder appears when it is whole."""
    with _explained(target.name, url):
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
            archive = Path(temporary) / "archive.zip"
            found = _download(url, archive)
            if found != md5:
                msg = f"{url} is not the archive that is known: its MD5 is {found}, not {md5}"
                raise JinaRerankError(msg)
            unpacked = Path(temporary) / "unpacked"
            with terminal.status(f"Unpacking {target.name}"), zipfile.ZipFile(archive) as zipped:
                zipped.extractall(unpacked)
            shutil.move(unpacked, target)


def _download(url: str, path: Path) -> str:
    """Download a file and return its MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    with httpx2.stream("GET", url, follow_redirects=True, timeout=60) as response:
        response.raise_for_status()
        size = int(response.headers.get("content-length", 0))
        action = f"Downloading {url.rpartition('/')[2]}, MiB"
        with terminal.progress(action, size // MEBI) as advance, path.open("wb") as file:
            for chunk in response.iter_bytes(MEBI):
                file.write(chunk)
                digest.update(chunk)
                advance(1)
    return digest.hexdigest()


@contextmanager
def _explained(name: str, url: str) -> Iterator[None]:
    try:
        yield
    except (httpx2.HTTPError, zipfile.BadZipFile, OSError) as error:
        reason = str(error) or type(error).__name__
        msg = (
            f"{name} cannot be had from {url}: {reason}; where there is a network, unpack it "
            f"yourself and give its folder"
        )
        raise JinaRerankError(msg) from error

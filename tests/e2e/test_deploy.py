"""The Dockerfile and the manifest name what is there, and say the same."""

import subprocess
import sys
from typing import Any

import pytest

from .image import read_image
from .texts import ROOT

pytestmark = pytest.mark.e2e

FOLDER = ROOT / "packages" / "jina-rerank-server"
MANIFEST = ROOT / "docs" / "deploy" / "kubernetes.yaml"


def manifest() -> dict[str, Any]:
    import yaml

    return {part["kind"]: part for part in yaml.safe_load_all(MANIFEST.read_text())}


def test_image_starts_the_server_without_root() -> None:
    image = read_image(FOLDER / "Dockerfile")
    assert [*image.entrypoint, *image.command] == ["jina-rerank", "serve"]
    assert image.environment["JINA_RERANK_HOST"] == "0.0.0.0"  # noqa: S104 - inside a container
    assert image.user == "10001:0"
    assert image.ports == ["8080"]


def test_image_is_made_of_what_the_builder_sees() -> None:
    sources = read_image(FOLDER / "Dockerfile").sources
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert sorted(f"!{source}" for source in sources) == sorted(
        line for line in ignored if line.startswith("!")
    )
    assert all((ROOT / source).exists() for source in sources)


def test_manifest_is_valid() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kubernetes_validate", MANIFEST],
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_manifest_fits_the_image() -> None:
    image = read_image(FOLDER / "Dockerfile")
    pod = manifest()["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    user = f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert container["args"] == image.command
    assert [str(port["containerPort"]) for port in container["ports"]] == image.ports
    assert user == image.user
    assert container["readinessProbe"]["httpGet"]["path"] == "/ping"


def test_pod_has_time_to_finish() -> None:
    pod = manifest()["Deployment"]["spec"]["template"]["spec"]
    before = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > before + 25


def test_server_answers_to_the_services_names() -> None:
    (container,) = manifest()["Deployment"]["spec"]["template"]["spec"]["containers"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    name = manifest()["Service"]["metadata"]["name"]
    assert name in variables["JINA_RERANK_ALLOWED_HOST"].split()

"""What small projects derive: tests/golden/render/<project> holds a project and its derived files.

After a change to a template, write them anew with `streamflow-build -f <project>/streamflow.yaml render`, and
read the difference.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from streamflow_build.config import load
from streamflow_build.render.artefacts import artefacts

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "render"
PROJECTS = [ROOT, *sorted(GOLDEN.iterdir())]


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_derived_files(project: Path) -> None:
    for artefact in artefacts(load(project / "streamflow.yaml")):
        assert artefact.text == (project / artefact.path).read_text(), f"{project / artefact.path} is stale"


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_nothing_else_is_derived(project: Path) -> None:
    derived = {artefact.path for artefact in artefacts(load(project / "streamflow.yaml"))}
    there = {
        path.relative_to(project).as_posix() for path in (project / "docker").rglob("*") if path.is_file()
    }
    there |= {path.name for path in project.glob("docker-compose*.yml")}
    assert derived == {".dockerignore", *there}


def stages(project: Path, service: str) -> dict[str, str]:
    """The text of a Dockerfile's stages, by their names; the last one is the image."""
    text = (project / "docker" / service / "Dockerfile").read_text()
    found = {}
    for part in text.split("\nFROM ")[1:]:
        first = part.partition("\n")[0]
        found[first.partition(" AS ")[2] or "image"] = part
    return found


def test_services_share_the_stages_before_the_last() -> None:
    services = [path.parent.name for path in (ROOT / "docker").glob("*/Dockerfile")]
    assert len(services) == 5
    built = [stages(ROOT, service) for service in services]
    for each in built:
        assert list(each) == ["uv", "common", "image"]
        assert each["image"].startswith("common AS image\n")
    for stage in ("uv", "common"):
        assert len({each[stage] for each in built}) == 1


def test_build_packages_come_only_where_the_lock_asks_for_them() -> None:
    assert "apt-get" not in (GOLDEN / "mixed/docker/web/Dockerfile").read_text()
    found = stages(GOLDEN / "mixed", "mail")
    assert [name for name, text in found.items() if "apt-get" in text] == ["added"]
    found = stages(GOLDEN / "plain", "only")
    assert [name for name, text in found.items() if "apt-get" in text] == ["built"]


def test_no_dockerfile_asks_a_registry_for_its_syntax() -> None:
    for dockerfile in ROOT.glob("docker/*/Dockerfile"):
        assert "syntax=" not in dockerfile.read_text()

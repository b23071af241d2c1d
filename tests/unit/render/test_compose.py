"""What of the Compose files no golden project shows."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import yaml

from streamflow_build.__main__ import main
from streamflow_build.config import load
from streamflow_build.errors import ConfigError
from streamflow_build.model.deployment import DeployedImage, Deployment
from streamflow_build.render.artefacts import HEADER, artefacts, deployed_images, deployment_files
from streamflow_build.render.compose import files_of, project_name

ROOT = Path(__file__).parents[3]
DEPLOYED = ROOT / "tests" / "golden" / "render" / "deployed"
DIGEST = f"sha256:{'0' * 64}"


class Loader(yaml.SafeLoader):
    """YAML with the tags that Compose adds."""


Loader.add_multi_constructor("!", lambda _loader, tag, _node: tag)


def environments(mixed: Path, text: str) -> dict[str, str]:
    file = mixed / "streamflow.yaml"
    file.write_text(f"{file.read_text()}environments: {text}\n")
    return {each.path: each.text for each in deployment_files(load(file))}


def test_a_project_without_environments_has_no_compose_file(mixed: Path) -> None:
    assert deployment_files(load(mixed / "streamflow.yaml")) == ()


def test_an_environment_like_the_first_has_nothing_but_a_name(mixed: Path) -> None:
    found = environments(mixed, "{live: {}, copy: {}}")
    assert list(found) == ["docker-compose.yml", "docker-compose.copy.yml"]
    assert found["docker-compose.copy.yml"] == (
        f"{HEADER}\n"
        "# The environment copy: streamflow-build compose --env copy -- up --detach --wait\n"
        "name: demo-copy\n"
    )


def test_the_order_of_variables_is_no_difference(mixed: Path) -> None:
    found = environments(
        mixed, "{live: {environment: {A: one, B: two}}, copy: {environment: {B: two, A: one}}}"
    )
    assert found["docker-compose.copy.yml"].endswith("\nname: demo-copy\n")


def test_what_the_first_file_is_for_depends_on_its_images(mixed: Path) -> None:
    found = environments(mixed, "{dev: {images: built}}")
    assert found["docker-compose.yml"].splitlines()[:3] == [
        HEADER,
        "# The environment dev: docker compose up",
        "name: demo",
    ]


def test_files_and_names_of_environments() -> None:
    project = load(DEPLOYED / "streamflow.yaml")
    assert [
        (each.name, files_of(project, each), project_name(project, each)) for each in project.environments
    ] == [
        ("live", ("docker-compose.yml",), "shop-demo"),
        ("dev", ("docker-compose.yml", "docker-compose.dev.yml"), "shop-demo-dev"),
        ("eu.west", ("docker-compose.yml", "docker-compose.eu.west.yml"), "shop-demo-eu-west"),
    ]


def test_the_images_of_a_release() -> None:
    project = load(DEPLOYED / "streamflow.yaml")
    images = tuple(
        DeployedImage(name, f"localhost:5000/shop.demo-{name}:1.0.0@{DIGEST}")
        for name in ("on", "1.5", "quiet")
    )
    found = deployed_images(project, Deployment("eu.west", "1.0.0", None, "localhost:5000", images))
    assert found.path == ".streamflow/compose.eu.west.yml"
    assert found.text == (
        "# Rendered by `streamflow-build compose`; edits are lost.\n"
        "# 1.0.0 of localhost:5000\n"
        "services:\n"
        f'  "on": {{image: "localhost:5000/shop.demo-on:1.0.0@{DIGEST}"}}\n'
        f'  "1.5": {{image: "localhost:5000/shop.demo-1.5:1.0.0@{DIGEST}"}}\n'
        f'  quiet: {{image: "localhost:5000/shop.demo-quiet:1.0.0@{DIGEST}"}}\n'
    )


@pytest.mark.parametrize("project", [ROOT, DEPLOYED], ids=lambda path: path.name)
def test_every_name_is_a_text(project: Path) -> None:
    files = [each for each in artefacts(load(project / "streamflow.yaml")) if each.path.endswith(".yml")]
    assert len(files) == 3
    for file in files:
        for name in names(yaml.load(file.text, Loader)):  # noqa: S506 - a safe loader with two tags more
            assert isinstance(name, str), (file.path, name)


def names(value: object) -> list[object]:
    """The keys of all mappings."""
    if isinstance(value, dict):
        return [*value, *(name for inner in value.values() for name in names(inner))]
    return [name for inner in value for name in names(inner)] if isinstance(value, list) else []


def test_compose_reads_what_streamflow_yaml_says() -> None:
    project = load(DEPLOYED / "streamflow.yaml")
    texts = {each.path: each.text for each in deployment_files(project)}
    first = yaml.load(texts["docker-compose.yml"], Loader)  # noqa: S506
    assert list(first["services"]) == [s.name for s in (*project.services, *project.infrastructure)]
    store = first["services"]["store"]
    assert store["command"] == ["store", "--greeting", 'it costs $$5, "all" in']
    assert store["healthcheck"]["test"] == ["CMD", "sh", "-c", 'test "$$(store ping)" = pong']
    assert first["services"]["on"]["environment"]["PATTERN"] == "^\\d+: .*"
    assert first["services"]["on"]["environment"]["null"] == "null"


def test_a_probe_of_ones_own_is_in_a_container_as_it_stands(mixed: Path) -> None:
    write_probe(mixed, '["sh", "-c", "test $PORT"]')
    found = environments(mixed, "{live: {}}")
    service = yaml.load(found["docker-compose.yml"], Loader)["services"]["web"]  # noqa: S506
    assert service["healthcheck"]["test"] == ["CMD", "sh", "-c", "test $$PORT"]
    (dockerfile,) = (
        a.text for a in artefacts(load(mixed / "streamflow.yaml")) if a.path == "docker/web/Dockerfile"
    )
    assert '    CMD ["sh", "-c", "test $PORT"]\n' in dockerfile


@pytest.mark.parametrize("text", ["", "true", '["CMD", "x', "[1]", "[]", "{}", "[" * 100_000])
def test_a_probe_that_gives_no_words(text: str, mixed: Path) -> None:
    write_probe(mixed, text)
    with pytest.raises(ConfigError) as caught:
        environments(mixed, "{live: {}}")
    assert f'it wants words in JSON, such as ["true"], and gets {text[:60]!r}.' in caught.value.message


def write_probe(project: Path, words: str) -> None:
    (project / "templates").mkdir(exist_ok=True)
    (project / "templates/probe.j2").write_text(
        f"{{% macro probe(path, seconds) %}}{words}{{% endmacro %}}\n"
    )


def test_an_environment_that_is_gone_takes_its_file_along(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (mixed / "streamflow.yaml").read_text()
    environments(mixed, "{dev: {images: built}, live: {}}")
    assert main(["render"]) == 0
    assert capsys.readouterr().out == "wrote docker-compose.live.yml\nwrote docker-compose.yml\n"
    (mixed / "docker-compose.mine.yml").write_text("services: {}\n")
    (mixed / "streamflow.yaml").write_text(text)
    assert main(["render", "--check"]) == 7
    assert main(["render"]) == 0
    assert capsys.readouterr().out.endswith(
        "removed docker-compose.live.yml, which is derived from nothing any more\n"
        "removed docker-compose.yml, which is derived from nothing any more\n"
    )
    assert [path.name for path in mixed.glob("docker-compose*")] == ["docker-compose.mine.yml"]


def test_a_projects_own_template_counts(mixed: Path) -> None:
    (mixed / "templates/compose").mkdir(parents=True)
    (mixed / "templates/compose/override.yml.j2").write_text("{{ changes | length }} {{ project_name }}\n")
    found = environments(mixed, "{dev: {images: built}, live: {}}")
    assert found["docker-compose.live.yml"] == "4 demo-live\n"


def test_a_description_leaves_no_way_out_of_its_placeholder() -> None:
    project = load(DEPLOYED / "streamflow.yaml")
    (live, *_) = project.environments
    (service, *_) = project.services
    (variable,) = [each for each in service.environment if each.name == "STORE"]
    (secret, _) = [part for part in variable.parts if not isinstance(part, str)]
    assert secret.description == 'the store\'s "own" ${word}, no more than 5$'
    hostile = msgspec.structs.replace(secret, description="}${HOME}$(id){")
    changed = msgspec.structs.replace(
        project,
        services=(
            msgspec.structs.replace(
                service, environment=(msgspec.structs.replace(variable, parts=(hostile,)),)
            ),
            *project.services[1:],
        ),
        environments=(live,),
    )
    (file,) = deployment_files(changed)
    assert '\n      STORE: "${PASSWORD:?HOME(id); set it, or write it to an env file}"\n' in file.text

"""``streamflow-build compose``: an environment's Compose files, and docker compose on them."""

from typing import TYPE_CHECKING, Annotated

import typer

from streamflow_build.cli.arguments import registry_of
from streamflow_build.errors import UsageError

if TYPE_CHECKING:
    from streamflow_build.model.deployment import Deployment, Environment
    from streamflow_build.model.project import Project


def compose(  # noqa: PLR0913, PLR0917 - these are the command's options
    context: typer.Context,
    env: Annotated[
        str, typer.Option("--env", "-e", metavar="ENV", help="An environment of streamflow.yaml.")
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- ARGS]", help="What docker compose does, such as: up --detach --wait"),
    ] = None,
    registry: Annotated[
        str | None, typer.Option(help="Where images come from, where the release is in several registries.")
    ] = None,
    release: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION|FILE",
            help="A version that was pushed from here, or a release file; by default the last.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what would run as JSON.")] = False,
) -> None:
    """Run docker compose on an environment's files.

    They are written first. An environment for development runs what was built here, each other one the images of
    the release file, by their digests. Without ARGS it prints them. With ARGS the exit code is docker compose's.
    """
    from streamflow_build.config import load
    from streamflow_build.deploy import compose as docker
    from streamflow_build.model.deployment import DeploymentReport
    from streamflow_build.plan.deployment import check_secrets, secrets_of
    from streamflow_build.render.compose import project_name
    from streamflow_build.report import deployment as report
    from streamflow_build.report.text import harmless

    project = load(context.obj)
    environment = project.environment(env)
    words = tuple(arguments or ())
    if words and as_json:
        raise UsageError("--json prints what would run, and ARGS run it.", hint="Leave out one of the two.")
    starts = docker.starts_something(words)
    deployed = _deployed(project, environment, registry, release) if starts else None
    files = _written(project, environment, deployed)
    there = docker.Compose(project.root, project_name(project, environment), environment.name, files)
    if words:
        docker.check()
        if not starts:
            # Compose asks for them whatever it does, and nothing that is there gets them.
            there.run(words, dict.fromkeys(secrets_of(project, environment), "not asked for"))
        if (values := there.variables()) is not None:
            check_secrets(project, environment, values)
        if deployed is not None and deployed.version is not None:
            before = there.versions(service.name for service in project.services)
            typer.echo(harmless(report.as_line(deployed, before)), err=True)
        there.run(words, {})
    elif deployed is not None:
        found = DeploymentReport(deployed, files, there.line)
        typer.echo(report.as_json(found) if as_json else report.as_text(found), nl=False)


def _deployed(
    project: "Project", environment: "Environment", registry: str | None, release: str | None
) -> "Deployment":
    """What the environment runs. Raises UsageError where the release file doesn't say it."""
    from streamflow_build.plan.deployment import built_here, released
    from streamflow_build.publish import release_file

    if environment.images == "built":
        if registry is not None or release is not None:
            raise UsageError(
                f"{environment.name} runs images that are built here, and none of a release.",
                hint=f"Leave out --registry and --release, or deploy another environment than {environment.name}.",
            )
        return built_here(project, environment)
    read = release_file.load(release_file.named(project.root, release))
    wanted = None if registry is None else registry_of(project, registry)
    found = released(project, environment, read, wanted, file=release or str(release_file.FILE))
    _compare(project, found)
    return found


def _compare(project: "Project", deployed: "Deployment") -> None:
    """Tell where the images and streamflow.yaml are of two commits."""
    from streamflow_build.plan.origin import revision
    from streamflow_build.report.text import harmless

    here = revision(project.root)
    if deployed.commit and here and here != deployed.commit:
        typer.echo(
            f"note: the images are of commit {harmless(deployed.commit)}, and {project.file}, which says their ports, "
            f"paths and variables, is of {here}",
            err=True,
        )


def _written(
    project: "Project", environment: "Environment", deployed: "Deployment | None"
) -> tuple[str, ...]:
    """Write an environment's files, and say which; gives the paths of all that belong to it."""
    from streamflow_build.render import disk
    from streamflow_build.render.artefacts import deployed_images, deployment_files
    from streamflow_build.render.compose import files_of, images_path

    files = files_of(project, environment)
    derived = [each for each in deployment_files(project) if each.path in files]
    images = images_path(environment.name)
    if deployed is not None and deployed.version is not None:
        derived.append(deployed_images(project, deployed))
        files = (*files, images)
    elif environment.images == "released" and (project.root / images).is_file():
        files = (*files, images)
    for path in disk.write(project.root, tuple(derived)):
        typer.echo(f"wrote {path}", err=True)
    return files

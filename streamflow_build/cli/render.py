"""``streamflow-build render``: write, or compare, every file that is derived from streamflow.yaml."""

from typing import Annotated

import typer

from streamflow_build.errors import DriftError


def render(
    context: typer.Context,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; print the difference and exit 7 when there is one."),
    ] = False,
) -> None:
    """Write the files derived from streamflow.yaml.

    These are the Dockerfiles, their requirements, .dockerignore and the Compose files.
    """
    from streamflow_build.config import load
    from streamflow_build.render import disk
    from streamflow_build.render.artefacts import artefacts

    project = load(context.obj)
    found = artefacts(project)
    if check:
        stale = disk.stale(project.root, found)
        typer.echo(disk.difference(project.root, found), nl=False)
        if stale:
            raise DriftError(
                f"Not what {project.file} says: {', '.join(stale)}.",
                hint="Write them with: streamflow-build render",
            )
        return
    for path in disk.write(project.root, found):
        typer.echo(f"wrote {path}")
    for path in disk.remove(project.root, found):
        typer.echo(f"removed {path}, which is derived from nothing any more")

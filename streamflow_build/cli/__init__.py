"""The command line: a file a command, each of which parses, calls and exits.

Nothing heavy is imported here, so that ``--help`` answers at once; a command imports what it needs.
"""

from pathlib import Path
from typing import Annotated

import typer

from streamflow_build import __version__
from streamflow_build.cli.compose import compose
from streamflow_build.cli.images import images
from streamflow_build.cli.promote import promote
from streamflow_build.cli.push import push
from streamflow_build.cli.render import render
from streamflow_build.cli.schema import schema

app = typer.Typer(
    help="Builds, publishes and deploys the images of the services in streamflow.yaml.",
    epilog=(
        "Exit codes: 0 done, 2 usage or a bad streamflow.yaml, 3 no engine, 4 a build failed, "
        "5 over a size budget, 6 a registry refused, 7 a derived file differs, 130 interrupted."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command()(images)
app.command()(push)
app.command()(promote)
app.command(context_settings={"allow_interspersed_args": False})(compose)
app.command()(render)
app.command()(schema)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"streamflow-build {__version__}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", "-f", metavar="FILE", help="The project's file.")
    ] = Path("streamflow.yaml"),
    _asked_for_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    context.obj = config

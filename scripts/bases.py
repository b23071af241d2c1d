"""Makes every base image of streamflow.yaml available on the engine.

    scripts/bases [--infrastructure] [--config streamflow.yaml]

An image that is there stays as it is. Else it is pulled. Where no registry answers, a stand-in
made of Debian packages takes its name, and the label org.streamflow.stand-in tells that.
The engine is DOCKER_HOST's, or the one that `scripts/engine status` names.
"""

from __future__ import annotations

import argparse
import os
import queue
import sys
import threading
import time
from pathlib import Path

import docker
from machine.daemon import STORES, Daemon
from machine.debian import Packages, this_release
from machine.errors import SetupError
from machine.recipes import LABEL_RECIPE, Recipe, recipe_for
from machine.stand_in import root_file_system

from streamflow_build.config import load
from streamflow_build.engine.docker_engine import DockerEngine, connect
from streamflow_build.errors import EngineError, RegistryError, StreamflowError
from streamflow_build.model.reference import Reference

HOME = Path(__file__).resolve().parent.parent / ".engine"
NO_BASE = 4
# A registry that answers says something, or sends bytes of a layer, within this time.
SILENCE_SECONDS = 30
# What a registry says that answered, and refused.
ANSWERED = (
    "manifest unknown",
    "manifest for",
    ": not found",
    "access denied",
    "denied:",
    "unauthorized",
    "authentication required",
    "toomanyrequests",
)


def main() -> int:
    """Parse, run, and print what a person has to mend."""
    parser = argparse.ArgumentParser(
        prog="scripts/bases", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=Path("streamflow.yaml"))
    parser.add_argument(
        "--infrastructure", action="store_true", help="the images of `infrastructure:` as well"
    )
    arguments = parser.parse_args()
    try:
        project = load(arguments.config)
        images = [base.image for base in project.bases]
        if arguments.infrastructure:
            images += [server.image for server in project.infrastructure]
        provide_all(reach_engine(), images, dict(project.mirrors))
    except StreamflowError as error:
        print(f"scripts/bases: {error}", file=sys.stderr)
        return error.exit_code
    except SetupError as error:
        print(f"scripts/bases: {error}", file=sys.stderr)
        return NO_BASE
    except KeyboardInterrupt:
        return 130
    return 0


def reach_engine() -> DockerEngine:
    """The engine of the surroundings, else this checkout's private one. Raises EngineError."""
    try:
        return connect()
    except EngineError:
        for store in STORES:
            if answer := Daemon(HOME, store).answer():
                os.environ["DOCKER_HOST"] = str(answer.host)
                return connect()
        raise


def provide_all(engine: DockerEngine, images: list[str], mirrors: dict[str, str]) -> None:
    """Make images available, at the same time, so that silence is waited for once. Raises as `provide` does."""
    ended: queue.Queue[Exception | None] = queue.Queue()

    def work(image: str) -> None:
        failed = None
        try:
            provide(engine, image, mirrors.get(Reference.parse(image).registry))
        except Exception as error:  # noqa: BLE001 - it is raised where the end is awaited
            failed = error
        ended.put(failed)

    for image in images:
        threading.Thread(target=work, args=(image,), daemon=True).start()
    failures = [failed for failed in [ended.get() for _ in images] if failed]
    if failures:
        raise failures[0]


def provide(engine: DockerEngine, image: str, mirror: str | None) -> None:
    """Make one image available. Raises SetupError when that can't be done."""
    recipe = recipe_for(image)
    found = engine.image(image)
    if found and (recipe is None or found.labels.get(LABEL_RECIPE, recipe.digest) == recipe.digest):
        say(f"{image} is there{' (a stand-in)' if found.stand_in else ''}")
        return
    why = None
    if found is None:
        why = pull(engine, image, mirror)
        if why is None:
            say(f"{image} pulled")
            return
    if recipe is None:
        raise SetupError(
            f"{image} is not on the engine, no registry answers, and there is no recipe for a "
            f"stand-in. {why}\nOr load it with `docker load`."
        )
    if why:
        say(f"{image}: no registry answers. {why}")
    import_stand_in(engine, recipe)


def pull(engine: DockerEngine, image: str, mirror: str | None) -> str | None:
    """Pull an image; the reason when no registry answers.

    Raises RegistryError when one refuses, EngineError when the engine goes away.
    """
    heard: queue.Queue[StreamflowError | bool] = queue.Queue()

    def work() -> None:
        try:
            engine.pull(image, mirror=mirror, observer=lambda *_: heard.put(True))
        except StreamflowError as error:
            heard.put(error)
        else:
            heard.put(False)

    threading.Thread(target=work, daemon=True).start()
    while True:
        try:
            news = heard.get(timeout=SILENCE_SECONDS)
        except queue.Empty:
            return f"The registry of {image} kept silent for {SILENCE_SECONDS} s."
        if isinstance(news, StreamflowError):
            if not isinstance(news, RegistryError) or any(each in news.message for each in ANSWERED):
                raise news
            return news.message
        if not news:
            return None


def import_stand_in(engine: DockerEngine, recipe: Recipe) -> None:
    """Give the engine the recipe's image, under the name of the image it stands for."""
    release = this_release()
    if release is None or os.geteuid() != 0:
        raise SetupError(
            f"{recipe.image} is not on the engine and no registry answers. A stand-in can be made only on "
            "Debian, as root. Load the image with `docker load`, or let the engine reach a registry "
            "(`mirrors:` in streamflow.yaml)."
        )
    began = time.monotonic()
    tar = root_file_system(recipe, HOME, Packages(HOME, release))
    repository, _, tag = recipe.image.rpartition(":")
    changes = [*recipe.settings, *(f'LABEL {key}="{value}"' for key, value in recipe.labels)]
    with tar.open("rb") as content:
        docker.from_env(timeout=600).api.import_image_from_data(
            content, repository=repository, tag=tag, changes=changes
        )
    made = engine.image(recipe.image)
    size = f"{made.size / 1e6:.0f} MB" if made else "lost"
    say(
        f"{recipe.image}: a stand-in made of Debian {recipe.suite} packages, {size}, "
        f"{time.monotonic() - began:.0f} s"
    )


def say(line: str) -> None:
    """Tell what happens; the results are the images."""
    # In one piece, since several images may have news at the same time.
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())

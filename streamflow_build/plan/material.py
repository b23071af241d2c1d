"""What each image is made of: the rendered files and the declared sources, read once, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from streamflow_build.errors import ConfigError
from streamflow_build.model.image import ContextFile
from streamflow_build.model.project import Project, Service
from streamflow_build.plan import files
from streamflow_build.plan.context import Sources, collect
from streamflow_build.plan.dockerignore import DockerIgnore
from streamflow_build.plan.images import Material
from streamflow_build.plan.secrets import build_secrets, confidential

RENDERED_MODE = 0o644

_LARGEST_RULES = 1_000_000


def materials(
    project: Project, services: tuple[Service, ...], rendered: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, Material]:
    """Each service's build context and secrets, by its name.

    ``rendered`` maps the paths of the derived files to their text; those on the disk are not read, so what is
    built is what streamflow.yaml says. Raises ConfigError for a source that can't be read or a secret that
    isn't set.
    """
    sources = Sources(project.root)
    return {service.name: _material(project, service, rendered, environ, sources) for service in services}


def _material(
    project: Project,
    service: Service,
    rendered: Mapping[str, str],
    environ: Mapping[str, str],
    sources: Sources,
) -> Material:
    own = f"docker/{service.name}/"
    rules = _own_rules(project.root, f"{own}Dockerfile.dockerignore") or DockerIgnore(
        rendered[".dockerignore"]
    )
    wheels = () if service.package is None or service.package.wheels is None else (service.package.wheels,)
    context = {file.path: file for file in collect(sources, (*service.sources, *wheels), rules)}
    for path, text in rendered.items():
        if path.startswith(own):
            context[path] = ContextFile(path, RENDERED_MODE, text.encode())
    secrets = build_secrets(service, environ, _home(), project.root)
    return Material(
        context=tuple(context[path] for path in sorted(context)),
        secrets=secrets,
        confidential=confidential(service, secrets),
    )


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # Neither HOME nor the system names one: as for pip, a folder in which nothing is found.
        return Path("~")


def _own_rules(root: Path, path: str) -> DockerIgnore | None:
    """The rules that a user wrote for one service, which Docker takes in place of the project's."""
    try:
        return DockerIgnore(files.read(root / path, _LARGEST_RULES).decode("utf-8-sig"), path)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} can't be read: it is not UTF-8 text.") from None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}.") from None

"""What each image is made of: the rendered files and the declared sources, read once, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from streamflow_build.errors import ConfigError
from streamflow_build.model.image import ContextFile
from streamflow_build.model.project import Project, Service
from streamflow_build.plan.context import collect
from streamflow_build.plan.images import Material
from streamflow_build.plan.secrets import build_secrets, confidential

RENDERED_MODE = 0o644


def materials(
    project: Project, services: tuple[Service, ...], rendered: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, Material]:
    """Each service's build context and secrets, by its name.

    ``rendered`` maps the paths of the derived files to their text; those on the disk are not read, so what is
    built is what streamflow.yaml says. Raises ConfigError for a source that can't be read or a secret that
    isn't set.
    """
    return {service.name: _material(project, service, rendered, environ) for service in services}


def _material(
    project: Project, service: Service, rendered: Mapping[str, str], environ: Mapping[str, str]
) -> Material:
    own = f"docker/{service.name}/"
    rules = _own_rules(project.root, f"{own}Dockerfile.dockerignore")
    ignore = rendered[".dockerignore"] if rules is None else rules
    wheels = () if service.package is None or service.package.wheels is None else (service.package.wheels,)
    files = {file.path: file for file in collect(project.root, (*service.sources, *wheels), ignore)}
    for path, text in rendered.items():
        if path.startswith(own):
            files[path] = ContextFile(path, RENDERED_MODE, text.encode())
    secrets = build_secrets(service, environ, Path.home(), project.root)
    return Material(
        context=tuple(files[path] for path in sorted(files)),
        secrets=secrets,
        confidential=confidential(service, secrets),
    )


def _own_rules(root: Path, path: str) -> str | None:
    """The rules that a user wrote for one service, which Docker takes in place of the project's."""
    try:
        return (root / path).read_text("utf-8-sig")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} can't be read: it is not UTF-8 text.") from None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}.") from None

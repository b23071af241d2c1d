"""The module that a service runs: whether it is among the sources that go into the image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from streamflow_build.config.problems import Wrong, quoted
from streamflow_build.model.names import suggestion


def check_module(root: Path, module: str, source_root: str, sources: tuple[str, ...]) -> None:
    """Raises Wrong when ``python -m`` wouldn't find the module in the image.

    Paths are relative to ``root``, the project's folder; Python imports from ``source_root``.
    """
    path = PurePosixPath(source_root, *module.split("."))
    file, inner = path.with_name(f"{path.name}.py"), path / "__main__.py"
    places = [place for place in (file, inner, path) if _holds(root / place, folder=place == path)]
    if any(place.is_relative_to(source) for place in places for source in sources):
        return
    if places:
        missing = file if file in places else path
        raise Wrong(
            f"{quoted(module)} is not among the service's sources",
            f"Add {missing} to its sources, or to those of defaults.",
        )
    close = suggestion(module, _modules(root, source_root, sources))
    raise Wrong(
        f"there is no module {quoted(module)} in the service's sources{close}{'?' * bool(close)}",
        f"It would be {file}, or {inner}.",
    )


def _holds(place: Path, *, folder: bool) -> bool:
    try:
        return place.is_dir() if folder else place.is_file()
    except OSError:
        # Such as a name too long for a file.
        return False


def _modules(root: Path, source_root: str, sources: tuple[str, ...]) -> Iterator[str]:
    """The modules that the sources name, and those right below them."""
    for source in sources:
        inside = sorted((root / source).iterdir()) if _holds(root / source, folder=True) else []
        for place in (root / source, *inside):
            if place.suffix == ".py" or _holds(place, folder=True):
                parts = place.relative_to(root / source_root).parts
                if parts and not parts[-1].startswith(("_", ".")):
                    yield ".".join(parts).removesuffix(".py")

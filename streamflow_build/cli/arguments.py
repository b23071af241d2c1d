"""What several commands take: a registry by its name or address."""

from typing import TYPE_CHECKING

from streamflow_build.errors import UsageError

if TYPE_CHECKING:
    from streamflow_build.model.project import Project


def registry_of(project: "Project", word: str) -> str:
    """Host and namespace of a registry, named as in streamflow.yaml or by its address. Raises UsageError."""
    from streamflow_build.model.names import suggestion
    from streamflow_build.model.reference import registry_prefix

    urls = {known.name: known.url for known in project.registries}
    try:
        return registry_prefix(urls.get(word, word))
    except UsageError:
        # Only a plain word can be a mistyped name; anything else may hold a password, and isn't repeated.
        close = suggestion(word.lower(), urls) if word.isidentifier() else ""
        if not close:
            raise
        raise UsageError(
            f"There is no registry {word!r} in streamflow.yaml{close}?",
            hint=f"The registries are: {', '.join(urls)}. An address is like ghcr.io/org.",
        ) from None

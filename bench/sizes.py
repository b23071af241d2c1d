"""What images hold beyond their base, in bytes, as the engine tells it of their layers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WITH_LAYER = ("RUN", "COPY", "ADD", "WORKDIR")


@dataclass(frozen=True, slots=True)
class Sizes:
    """``total`` by image, the base's share in it, and ``unique``: each layer beyond the base counted once."""

    base: int
    stand_in: bool
    total: dict[str, int]
    unique: int


def sizes(base: str, images: Sequence[str]) -> Sizes:
    """The sizes of images that stand on a base."""
    base_steps, base_image = _steps(base), _inspect(base)
    base_size = sum(size for _, size in base_steps)
    total: dict[str, int] = {}
    unique: dict[str, int] = {}
    for image in images:
        own = _steps(image)[len(base_steps) :]
        layers = _inspect(image)["RootFS"]["Layers"][len(base_image["RootFS"]["Layers"]) :]
        with_layer = [size for step, size in own if step.startswith(WITH_LAYER)]
        unique |= dict(zip(layers, with_layer, strict=True))
        total[image] = base_size + sum(with_layer)
    labels = base_image["Config"].get("Labels") or {}
    return Sizes(base_size, labels.get("org.streamflow.stand-in") == "true", total, sum(unique.values()))


def _steps(image: str) -> list[tuple[str, int]]:
    """An image's history, from the beginning: steps and the bytes they added."""
    shown = ("docker", "history", "--no-trunc", "--human=false", "--format={{json .}}", image)
    entries = [json.loads(line) for line in _output(*shown).splitlines()]
    return [(entry["CreatedBy"], int(entry["Size"])) for entry in reversed(entries)]


def _inspect(image: str) -> Any:
    return json.loads(_output("docker", "image", "inspect", image))[0]


def _output(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout

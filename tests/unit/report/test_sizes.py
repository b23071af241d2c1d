from __future__ import annotations

import pytest

from streamflow_build.model.image import LABEL_STAND_IN, Image, Layer
from streamflow_build.model.report import Size, limit, measure


def image(size: int, *, stand_in: bool = False) -> Image:
    labels = {LABEL_STAND_IN: "true"} if stand_in else {}
    return Image("sha256:1", (), (), labels, size, ())


@pytest.mark.parametrize(
    ("budget", "base", "expected"),
    [
        pytest.param(180, image(45), 180, id="the budget, on the real base"),
        pytest.param(180, image(124_000_000, stand_in=True), 214_000_000, id="90 MB beyond a stand-in"),
        pytest.param(None, image(45), None, id="no budget"),
        pytest.param(None, image(45, stand_in=True), None, id="no budget, on a stand-in"),
    ],
)
def test_limit(budget: int | None, base: Image, expected: int | None) -> None:
    assert limit(budget, base) == expected


@pytest.mark.parametrize(("total", "over"), [(180, False), (181, True)])
def test_an_image_over_its_budget_is_named_with_its_largest_layers(total: int, over: bool) -> None:
    base_layers = (Layer("debian", 70),)
    own = (Layer("a", 10), Layer("b", 60), Layer("c", 1), Layer("d", 40))
    size = measure(image(total), base_layers + own, budget=180, base=image(70), base_layers=base_layers)
    assert size == Size(total, 180, 180, over, (Layer("b", 60), Layer("d", 40), Layer("a", 10)))

from __future__ import annotations

from streamflow_build.images.notes import stays
from streamflow_build.model.image import Image
from streamflow_build.plan.images import Keep, Refused

from .conftest import BASE, service

ON = "on 1.0.2, which is newer than 1.0.1"


def step(name: str, *references: str, reason: str = ON) -> Keep:
    held = Image(id="sha256:1", tags=(), digests=(), labels={}, size=0, diff_ids=())
    refused = tuple(Refused(reference, reason) for reference in references)
    return Keep(service(name), held, BASE, (), (), refused)


def test_services_that_agree_share_a_line() -> None:
    names = ("web", "mail", "chat")
    steps = tuple(step(name, *(f"shop-{name}:{tag}" for tag in ("1.0", "1", "latest"))) for name in names)
    assert stays(steps) == ("1.0, 1 and latest stay on 1.0.2, which is newer than 1.0.1: web, mail, chat",)


def test_what_differs_has_a_line_each() -> None:
    steps = (
        step("web", "shop-web:latest", "ghcr.io/org/shop-web:1", "ghcr.io/org/shop-web:latest"),
        step("mail", "shop-mail:latest", reason="on 2.0.0, which is newer than 1.0.1"),
        step("chat"),
        step("bot", "shop-bot:latest"),
    )
    assert stays(steps) == (
        "latest stays on 1.0.2, which is newer than 1.0.1: web, bot",
        "1 and latest at ghcr.io/org stay on 1.0.2, which is newer than 1.0.1: web",
        "latest stays on 2.0.0, which is newer than 1.0.1: mail",
    )


def test_nothing_refused_is_nothing_said() -> None:
    assert stays((step("web"),)) == ()

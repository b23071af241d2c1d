"""What is planned for a service, by what the engine holds of it."""

from __future__ import annotations

import msgspec
import pytest

from streamflow_build.errors import UsageError
from streamflow_build.model.project import Package
from streamflow_build.plan.images import Build, Refused, check_goal, references

from .conftest import BASE, MATERIAL, ORIGIN, changed_to, goal, held, kept, plan, reason, service


class TestNames:
    def test_of_a_version(self) -> None:
        assert references(goal("v1.2.3"), service()) == (
            "shop-web:v1.2.3",
            "shop-web:1.2.3",
            "shop-web:1.2",
            "shop-web:1",
            "shop-web:latest",
        )

    def test_of_none(self) -> None:
        assert references(goal(None), service()) == ("shop-web:latest",)

    def test_too_long(self) -> None:
        with pytest.raises(UsageError, match="255"):
            check_goal(goal(registry=f"localhost/{'a' * 250}"))

    def test_in_a_registry(self) -> None:
        assert references(goal("1.0.0-rc.1", registry="ghcr.io/org"), service()) == (
            "shop-web:1.0.0-rc.1",
            "ghcr.io/org/shop-web:1.0.0-rc.1",
        )


class TestReasons:
    def test_no_image(self) -> None:
        assert reason(plan(goal())) == "no image yet"

    @pytest.mark.parametrize(
        ("path", "named"),
        [
            ("src/web/b.py", "src/web"),
            ("src/shared/a.py", "src/shared"),
            ("docker/web/Dockerfile", "docker/web/Dockerfile"),
        ],
    )
    def test_a_changed_file_is_named_by_its_source(self, path: str, named: str) -> None:
        before = held(plan(goal()))
        assert reason(plan(goal(), before, material=changed_to(path, b"new"))) == f"changed: {named}"

    def test_another_base(self) -> None:
        other = msgspec.structs.replace(BASE, id="sha256:other")
        assert reason(plan(goal(), held(plan(goal())), base=other)) == "changed: base python:3.11-slim"

    def test_many_changes_are_counted(self) -> None:
        other = msgspec.structs.replace(BASE, id="sha256:other")
        material = msgspec.structs.replace(MATERIAL, context=MATERIAL.context[:1])
        before = held(plan(goal()))
        assert reason(plan(goal(), before, base=other, material=material)) == (
            "changed: base python:3.11-slim, src/shared and 1 more"
        )

    def test_another_version_of_the_same(self) -> None:
        before = held(plan(goal("v1.0.0")))
        assert reason(plan(goal("v1.1.0"), before)) == "same inputs as 1.0.0: new labels only"

    def test_no_cache(self) -> None:
        assert reason(plan(goal(no_cache=True), held(plan(goal())))) == "--no-cache"

    @pytest.mark.parametrize(
        "labels", [{}, {"org.streamflow.inputs": "not JSON"}, {"org.streamflow.inputs": "[1]"}]
    )
    def test_an_image_of_another_maker(self, labels: dict[str, str]) -> None:
        foreign = msgspec.structs.replace(BASE, labels=labels)
        assert reason(plan(goal(), {"shop-web:latest": foreign})) == "the image was not made by this tool"

    def test_this_version_is_compared_before_newer_ones(self) -> None:
        mine = held(plan(goal("v1.0.0")), "sha256:mine")
        newer = held(plan(goal("v2.0.0"), material=changed_to("src/shared/a.py", b"2")), "sha256:newer")
        step = plan(goal("v1.0.0"), {**mine, **newer}, material=changed_to("src/web/b.py", b"new"))
        assert reason(step) == "changed: src/web"


class TestUnchanged:
    def test_all_names_there(self) -> None:
        step = kept(plan(goal(), held(plan(goal()))))
        assert (step.image.id, step.missing) == ("sha256:held", ())

    def test_missing_names_are_set(self) -> None:
        before = held(plan(goal()))
        del before["shop-web:1.0"]
        assert kept(plan(goal(), before)).missing == ("shop-web:1.0",)

    def test_a_name_on_another_image_is_missing(self) -> None:
        before = held(plan(goal())) | {"shop-web:latest": BASE}
        assert kept(plan(goal(), before)).missing == ("shop-web:latest",)

    def test_a_registry_is_no_reason_to_build(self) -> None:
        step = kept(plan(goal(registry="ghcr.io/org"), held(plan(goal()))))
        assert step.missing == tuple(
            f"ghcr.io/org/shop-web:{tag}" for tag in ("v1.0.0", "1.0.0", "1.0", "1", "latest")
        )

    def test_any_of_its_names_will_do(self) -> None:
        before = held(plan(goal("1.0.0")))
        assert kept(plan(goal("v1.0.0"), before)).missing == ("shop-web:v1.0.0",)

    def test_without_a_version_that_of_the_image_stays(self) -> None:
        assert kept(plan(goal(None), held(plan(goal())))).missing == ()

    def test_time_commit_and_secrets_are_no_inputs(self) -> None:
        later = msgspec.structs.replace(ORIGIN, revision="f00d", created="2027-01-01T00:00:00Z")
        material = msgspec.structs.replace(MATERIAL, secrets={"ca": b"others"})
        assert kept(plan(goal(), held(plan(goal())), origin=later, material=material))


class TestTagsThatStay:
    def test_an_older_patch_moves_nothing_back(self) -> None:
        newer = held(plan(goal("v1.1.0")))
        step = plan(goal("v1.0.1"), newer)

        assert step.refused == (
            Refused("shop-web:1", "on 1.1.0, which is newer than 1.0.1"),
            Refused("shop-web:latest", "on 1.1.0, which is newer than 1.0.1"),
        )
        assert isinstance(step, Build)
        assert step.request.tags == ("shop-web:v1.0.1", "shop-web:1.0.1", "shop-web:1.0")

    def test_each_registry_has_its_own(self) -> None:
        newer = {"ghcr.io/org/shop-web:latest": held(plan(goal("v2.0.0")))["shop-web:latest"]}
        step = plan(goal("v1.0.0", registry="ghcr.io/org"), newer)

        assert [refused.reference for refused in step.refused] == ["ghcr.io/org/shop-web:latest"]

    def test_a_registry_whose_tags_are_unknown_here_follows_the_local_ones(self) -> None:
        step = plan(goal("v1.0.0", registry="ghcr.io/org"), held(plan(goal("v2.0.0"))))
        assert [refused.reference for refused in step.refused] == [
            "shop-web:latest",
            "ghcr.io/org/shop-web:latest",
        ]

    @pytest.mark.parametrize("version", ["v1.0.0", "v1.0.1", "v2.0.0", "v1.1.0+build"])
    def test_newer_and_equal_ones_move_them(self, version: str) -> None:
        assert plan(goal(version), held(plan(goal("v1.0.0")))).refused == ()

    def test_an_image_without_a_version_is_no_obstacle(self) -> None:
        assert plan(goal("v1.0.0"), held(plan(goal(None)))).refused == ()

    def test_without_a_version_latest_moves(self) -> None:
        step = plan(goal(None), held(plan(goal("v1.0.0"))), material=changed_to("src/web/b.py", b"new"))
        assert step.refused == ()


class TestRequest:
    def test_what_the_base_says_of_itself_is_hidden(self) -> None:
        said = {"org.opencontainers.image.version": "99.0.0", "org.opencontainers.image.revision": "other"}
        step = plan(goal(None), base=msgspec.structs.replace(BASE, labels=said))
        assert isinstance(step, Build)
        assert step.request.labels["org.opencontainers.image.version"] == ""

    def test_a_static_label_counts(self) -> None:
        step = plan(goal(), held(plan(goal())), of=msgspec.structs.replace(service(), description="Anew"))
        assert reason(step) == "changed: labels"

    def test_labels(self) -> None:
        step = plan(goal())
        assert isinstance(step, Build)
        labels = dict(step.request.labels)
        fingerprint, inputs = labels.pop("org.streamflow.fingerprint"), labels.pop("org.streamflow.inputs")

        assert labels == {
            "org.opencontainers.image.title": "shop-web",
            "org.opencontainers.image.description": "Sells things",
            "org.opencontainers.image.source": "https://example.org/shop",
            "org.opencontainers.image.url": "https://example.org/shop",
            "org.opencontainers.image.licenses": "MIT",
            "org.opencontainers.image.version": "1.0.0",
            "org.opencontainers.image.revision": "c0ffee",
            "org.opencontainers.image.created": "2026-01-02T03:04:05Z",
            "org.opencontainers.image.base.name": "docker.io/library/python:3.11-slim",
            "org.opencontainers.image.base.digest": "sha256:abc",
        }
        assert len(fingerprint) == 64
        assert list(msgspec.json.decode(inputs)) == [
            "base python:3.11-slim",
            "docker/web/Dockerfile",
            "labels",
            "src/shared",
            "src/web",
        ]

    def test_what_is_not_known_is_no_label(self) -> None:
        origin = msgspec.structs.replace(ORIGIN, revision=None)
        step = plan(goal(None), origin=origin, of=service(description=""))
        assert isinstance(step, Build)
        assert {"version", "revision", "description"}.isdisjoint(
            name.rpartition(".")[2] for name in step.request.labels
        )

    def test_a_base_of_no_registry_has_its_id_for_a_digest(self) -> None:
        step = plan(goal(), base=msgspec.structs.replace(BASE, digests=()))
        assert isinstance(step, Build)
        assert step.request.labels["org.opencontainers.image.base.digest"] == "sha256:base"

    def test_secrets_are_not_printed(self) -> None:
        step = plan(goal())
        assert isinstance(step, Build)
        assert step.request.secrets == MATERIAL.secrets
        assert "s3cret" not in repr(step) + repr(step.request) + repr(MATERIAL)


class TestPackage:
    PACKAGE = service(install="package", package=Package("shop"), sources=(), requirements=None)

    def test_its_version_is_an_argument_of_the_build(self) -> None:
        step = plan(goal("v1.2.3"), of=self.PACKAGE)
        assert isinstance(step, Build)
        assert step.request.build_args == {"VERSION": "1.2.3"}

    def test_another_version_is_another_input(self) -> None:
        before = held(plan(goal("v1.2.3"), of=self.PACKAGE))
        assert reason(plan(goal("v1.2.4"), before, of=self.PACKAGE)) == "changed: build argument VERSION"

    def test_it_needs_one(self) -> None:
        with pytest.raises(UsageError) as caught:
            check_goal(msgspec.structs.replace(goal(None), services=(service(), self.PACKAGE)))
        assert str(caught.value) == (
            "Service 'web' is installed from a package, so its image needs a version.\n"
            "Name it: streamflow-build images 1.0.0"
        )

    def test_sources_need_none(self) -> None:
        check_goal(goal(None))

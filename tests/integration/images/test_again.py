"""One run of ``images`` after the other: what is built, what is kept, and which tags move."""

from __future__ import annotations

import pytest

from ..shop import Shop

SERIES = ("1", "1.0", "1.0.0", "latest", "v1.0.0")


def test_a_version_has_all_its_tags_on_one_image(shop: Shop) -> None:
    assert shop.outcomes("v1.0.0") == {"alpha": "built: no image yet", "beta": "built: no image yet"}

    for service in ("alpha", "beta"):
        tags = shop.tags(service)
        assert tuple(tags) == SERIES
        assert set(tags.values()) == {shop.inspected(service)["Id"]}


def test_without_a_version_there_is_only_latest(shop_here: Shop) -> None:
    assert shop_here.report()["version"] is None

    assert tuple(shop_here.tags("alpha")) == ("latest",)
    assert "org.opencontainers.image.version" not in shop_here.inspected("alpha")["Config"]["Labels"]


def test_nothing_changed_nothing_built(shop: Shop) -> None:
    shop.outcomes("v1.0.0")
    before = {service: shop.tags(service) for service in ("alpha", "beta")}

    assert shop.outcomes("v1.0.0") == {"alpha": "unchanged", "beta": "unchanged"}
    assert {service: shop.tags(service) for service in ("alpha", "beta")} == before


def test_a_changed_source_rebuilds_the_services_that_have_it(shop_here: Shop) -> None:
    shop_here.outcomes("v1.0.0")
    before = shop_here.inspected("alpha")["Id"]
    shop_here.write("alpha/said.txt", "something else\n")

    assert shop_here.outcomes("v1.0.0") == {"alpha": "built: changed: alpha", "beta": "unchanged"}
    assert shop_here.inspected("alpha")["Id"] != before

    shop_here.write("shared/more.txt", "for both\n")
    assert shop_here.outcomes("v1.0.0") == {
        "alpha": "built: changed: shared",
        "beta": "built: changed: shared",
    }


def test_a_changed_dockerfile_is_named(shop_here: Shop) -> None:
    shop_here.outcomes("v1.0.0")
    shop_here.step("beta", "ENV COLOUR=blue\n")

    assert shop_here.outcomes("v1.0.0") == {
        "alpha": "unchanged",
        "beta": "built: changed: docker/beta/Dockerfile",
    }


def test_a_touched_file_changes_nothing(shop_here: Shop) -> None:
    shop_here.outcomes("v1.0.0")
    source = shop_here.folder / "alpha/said.txt"
    source.write_text(source.read_text())
    source.chmod(0o600)

    assert shop_here.outcomes("v1.0.0") == {"alpha": "unchanged", "beta": "unchanged"}


def test_a_new_version_of_the_same_is_new_labels_on_the_same_layers(shop: Shop) -> None:
    shop.outcomes("v1.0.0")
    before = shop.inspected("alpha")

    assert shop.outcomes("v1.1.0")["alpha"] == "built: same inputs as 1.0.0: new labels only"
    after = shop.inspected("alpha")
    assert after["RootFS"]["Layers"] == before["RootFS"]["Layers"]
    assert after["Config"]["Labels"]["org.opencontainers.image.version"] == "1.1.0"
    assert {tag: image == after["Id"] for tag, image in shop.tags("alpha").items()} == {
        "1": True, "1.0": False, "1.0.0": False, "1.1": True, "1.1.0": True,
        "latest": True, "v1.0.0": False, "v1.1.0": True,
    }  # fmt: skip


def test_missing_tags_are_set(shop_here: Shop) -> None:
    shop_here.outcomes("v1.0.0")
    before = shop_here.tags("alpha")
    for tag in ("1.0", "latest"):
        shop_here.live.api.remove_image(f"{shop_here.name}-alpha:{tag}")

    done = shop_here.images("v1.0.0")

    assert done.returncode == 0
    assert (
        f"alpha | unchanged, new tags: {shop_here.name}-alpha:1.0, {shop_here.name}-alpha:latest\n"
        in done.stderr
    )
    assert shop_here.tags("alpha") == before


def test_the_same_version_typed_otherwise_is_no_build(shop_here: Shop) -> None:
    shop_here.outcomes("1.0.0")
    before = shop_here.inspected("alpha")["Id"]

    assert shop_here.outcomes("v1.0.0") == {"alpha": "unchanged", "beta": "unchanged"}
    assert set(shop_here.tags("alpha").values()) == {before}
    assert tuple(shop_here.tags("alpha")) == SERIES


def test_a_run_without_a_version_keeps_a_version_of_the_same(shop_here: Shop) -> None:
    shop_here.outcomes("v1.0.0")

    assert shop_here.outcomes() == {"alpha": "unchanged", "beta": "unchanged"}


def test_names_on_docker_hub_are_recognised(shop_here: Shop) -> None:
    hub = f"docker.io/{shop_here.name}"
    shop_here.outcomes("v1.1.0", hub, "--only", "alpha")

    again = shop_here.report("v1.1.0", hub, "--only", "alpha")["images"][0]
    older = shop_here.report("v1.0.9", hub, "--only", "alpha")

    assert (again["outcome"], again["added"]) == ("unchanged", [])
    assert f"1 and latest at {hub} stay on 1.1.0, which is newer than 1.0.9: alpha" in older["notes"]


def test_a_prerelease_has_its_own_tags_only(shop_here: Shop) -> None:
    shop_here.outcomes("v1.0.0")
    before = shop_here.tags("alpha")

    shop_here.outcomes("v1.1.0-rc.1")

    after = shop_here.tags("alpha")
    assert set(after) - set(before) == {"1.1.0-rc.1", "v1.1.0-rc.1"}
    assert {tag: image for tag, image in after.items() if tag in before} == before


def test_a_patch_of_an_older_line_moves_no_newer_tag_back(shop_here: Shop) -> None:
    shop_here.outcomes("v1.0.0", "--only", "alpha")
    shop_here.outcomes("v1.1.0", "--only", "alpha")
    newer = shop_here.inspected("alpha")["Id"]

    report = shop_here.report("v1.0.1", "--only", "alpha")

    said = "1 and latest stay on 1.1.0, which is newer than 1.0.1: alpha"
    assert [note for note in report["notes"] if "stay" in note] == [said]
    tags = shop_here.tags("alpha")
    assert tags["1"] == tags["latest"] == newer
    assert tags["1.0"] == tags["1.0.1"] != newer
    done = shop_here.images("v1.0.1", "--only", "alpha")
    assert f"\nnote: {said}\n" in done.stdout
    assert "note: " not in done.stderr


@pytest.mark.parametrize("registry", ["registry.example/Team", "team"])
def test_a_registry_adds_its_names_in_lower_case(shop_here: Shop, registry: str) -> None:
    report = shop_here.report("v1.0.0", registry, "--only", "alpha")

    assert report["registry"] == "registry.example/team"
    local = [f"{shop_here.name}-alpha:{tag}" for tag in ("v1.0.0", "1.0.0", "1.0", "1", "latest")]
    remote = [f"registry.example/team/{name}" for name in local]
    assert report["images"][0]["tags"] == local + remote
    assert set(shop_here.tags("alpha")) == {*SERIES, *remote}
    assert set(shop_here.tags("alpha").values()) == {shop_here.inspected("alpha")["Id"]}


def test_a_registry_asked_for_later_is_no_build(shop_here: Shop) -> None:
    shop_here.outcomes("v1.0.0")

    assert shop_here.outcomes("v1.0.0", "team") == {"alpha": "unchanged", "beta": "unchanged"}
    assert len(shop_here.tags("alpha")) == 2 * len(SERIES)


def test_build_metadata_is_tagged_with_a_line_for_the_plus(shop_here: Shop) -> None:
    done = shop_here.images("1.0.0+5", "--only", "alpha")

    assert done.returncode == 0
    assert "note: a tag can't hold a plus: 1.0.0+5 is tagged 1.0.0_5\n" in done.stdout
    assert tuple(shop_here.tags("alpha")) == ("1", "1.0", "1.0.0_5", "latest")
    labels = shop_here.inspected("alpha")["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == "1.0.0+5"
    assert shop_here.outcomes("1.0.0+5", "--only", "alpha") == {"alpha": "unchanged"}


def test_an_image_of_another_maker_is_replaced(shop_here: Shop) -> None:
    shop_here.live.api.tag(shop_here.base, f"{shop_here.name}-alpha", "latest")

    assert shop_here.outcomes("v1.0.0")["alpha"] == "built: the image was not made by this tool"


def test_two_runs_at_once(shop: Shop) -> None:
    runs = [shop.start("images", "v1.0.0", "--json") for _ in range(2)]
    done = [run.ended() for run in runs]

    assert [each.returncode for each in done] == [0, 0], done[0].stderr + done[1].stderr
    for service in ("alpha", "beta"):
        assert tuple(shop.tags(service)) == SERIES
    assert shop.outcomes("v1.0.0") == {"alpha": "unchanged", "beta": "unchanged"}

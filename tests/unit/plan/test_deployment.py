"""Which image of a release each service runs, and what is said of a release that doesn't have it."""

from __future__ import annotations

import re

import msgspec
import pytest

from streamflow_build.errors import UsageError
from streamflow_build.model.deployment import DeployedImage, Deployment, Environment, Scale, Secret, Variable
from streamflow_build.model.project import Project
from streamflow_build.model.release import Release, ReleasedImage, ReleasedTo
from streamflow_build.plan.deployment import built_here, check_secrets, released

from .conftest import project, service

FILE = ".streamflow/release.json"
DIGESTS = {"web": f"sha256:{'1' * 64}", "mail": f"sha256:{'2' * 64}"}
SHOP = project(service(), service(name="mail", image="shop-mail"))
HOSTILE = ("\n", "\r", "\x00", " ", "\u2028", "\x1b[2J", "}", '"', "#")


def environment(registry: str | None = None) -> Environment:
    return Environment(
        name="prod",
        images="released",
        registry=registry,
        environment=(),
        given=(),
        publish=(),
        read_only=False,
        scales=(),
    )


def image(name: str = "web", registry: str = "ghcr.io/org", **changes: object) -> ReleasedImage:
    plain = ReleasedImage(
        service=name,
        repository=f"{registry}/shop-{name}",
        digest=DIGESTS[name],
        size=1,
        fingerprint="f",
        revision="c0ffee",
        tags=("v1.2.0", "1.2.0", "1.2", "1", "latest"),
    )
    return msgspec.structs.replace(plain, **changes)


def held(registry: str = "ghcr.io/org", *images: ReleasedImage) -> ReleasedTo:
    return ReleasedTo(registry, images or (image("mail", registry), image("web", registry)), ())


def release(*registries: ReleasedTo, version: str = "1.2.0") -> Release:
    return Release(version, "c0ffee", registries)


def deployed(
    found: Release, registry: str | None = None, *, own: str | None = None, of: Project = SHOP
) -> Deployment:
    return released(of, environment(own), found, registry, file=FILE)


def refusal(found: Release, registry: str | None = None, *, own: str | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        deployed(found, registry, own=own)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_what_was_built_here() -> None:
    assert built_here(SHOP, environment()) == Deployment(
        environment="prod",
        version=None,
        commit=None,
        registry=None,
        images=(DeployedImage("web", "shop-web:latest"), DeployedImage("mail", "shop-mail:latest")),
    )


def test_a_release_in_the_order_of_streamflow_yaml() -> None:
    assert deployed(release(held())) == Deployment(
        environment="prod",
        version="1.2.0",
        commit="c0ffee",
        registry="ghcr.io/org",
        images=(
            DeployedImage("web", f"ghcr.io/org/shop-web:v1.2.0@{DIGESTS['web']}"),
            DeployedImage("mail", f"ghcr.io/org/shop-mail:v1.2.0@{DIGESTS['mail']}"),
        ),
    )


def test_images_of_no_service_stay_out() -> None:
    found = deployed(release(held()), of=project(service()))
    assert [each.service for each in found.images] == ["web"]


@pytest.mark.parametrize(
    ("version", "tags", "tag"),
    [
        ("1.2.0", ("1.2.0", "v1.2.0"), ":1.2.0"),
        ("v1.2.0", ("latest", "v1.2.0", "1.2.0"), ":v1.2.0"),
        ("1.2.0-rc.1", ("1.2.0-rc.1",), ":1.2.0-rc.1"),
        ("1.2.0+build.5", ("1.2.0_build.5",), ":1.2.0_build.5"),
        ("1.2.0", ("release-1.2.0", "latest"), ""),
        ("1.2.0", (), ""),
    ],
)
def test_the_tag_is_that_of_the_whole_version(version: str, tags: tuple[str, ...], tag: str) -> None:
    found = deployed(release(held("ghcr.io/org", image(tags=tags)), version=version), of=project(service()))
    assert [each.reference for each in found.images] == [f"ghcr.io/org/shop-web{tag}@{DIGESTS['web']}"]


@pytest.mark.parametrize(
    ("registry", "own", "expected"),
    [
        ("localhost:5000", None, "localhost:5000"),
        (None, "localhost:5000", "localhost:5000"),
        ("ghcr.io/org", "localhost:5000", "ghcr.io/org"),
    ],
)
def test_the_registry_is_the_asked_one_or_else_the_environments(
    registry: str | None, own: str | None, expected: str
) -> None:
    found = deployed(release(held(), held("localhost:5000")), registry, own=own)
    assert found.registry == expected
    assert {each.reference.partition("/shop")[0] for each in found.images} == {expected}


def test_in_several_registries() -> None:
    assert refusal(release(held(), held("localhost:5000"))) == (
        ".streamflow/release.json has 1.2.0 in ghcr.io/org, localhost:5000.\n"
        "Say which one: --registry ghcr.io/org"
    )


def test_in_no_registry() -> None:
    assert refusal(release()) == (
        ".streamflow/release.json has 1.2.0 in no registry.\nPush it: streamflow-build push ghcr.io/org"
    )


@pytest.mark.parametrize(("registry", "own"), [("docker.io/org", None), (None, "docker.io/org")])
def test_in_another_registry(registry: str | None, own: str | None) -> None:
    assert refusal(release(held(), held("localhost:5000")), registry, own=own) == (
        ".streamflow/release.json has 1.2.0 in ghcr.io/org, localhost:5000, and not in docker.io/org.\n"
        "Push it there: streamflow-build push docker.io/org 1.2.0"
    )


def test_in_none_and_another_is_asked_for() -> None:
    assert refusal(release(), "docker.io/org") == (
        ".streamflow/release.json has 1.2.0 in no registry, and not in docker.io/org.\n"
        "Push it there: streamflow-build push docker.io/org 1.2.0"
    )


def test_a_service_that_was_not_pushed() -> None:
    assert refusal(release(held("ghcr.io/org", image("mail")))) == (
        ".streamflow/release.json has no image of web for 1.2.0 in ghcr.io/org.\n"
        "Push all of them: streamflow-build push ghcr.io/org 1.2.0"
    )


def test_services_that_were_not_pushed() -> None:
    assert refusal(release(ReleasedTo("ghcr.io/org", (), ()))) == (
        ".streamflow/release.json has no image of web, mail for 1.2.0 in ghcr.io/org.\n"
        "Push all of them: streamflow-build push ghcr.io/org 1.2.0"
    )


AGAIN = "Push the version again, which writes it anew."


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            release(held(), version="1.2"),
            "'1.2' is not a semantic version: it has two numbers where three are needed.",
        ),
        (release(held(), version=""), "The version is empty."),
        (
            release(held(), version="1.2.0\nservices: {}"),
            "'1.2.0\\nservices: {}' is not a semantic version: it has a space in it.",
        ),
        (
            release(held("ghcr.io/org\nservices: {}")),
            (
                "'ghcr.io/org\\nservices: {}' can't be used as a registry: "
                "it holds a tag, which the version decides."
            ),
        ),
        (
            release(held(), held("ghcr.io/o\n")),
            (
                "'ghcr.io/o\\n' can't be used as a registry: 'o\\n' is not made of "
                "lower-case letters and digits, with '.', '_', '__' or dashes between them."
            ),
        ),
        (
            release(held("ghcr.io/org", image("mail"), image(repository="ghcr.io/org/web\nx"))),
            (
                f"'ghcr.io/org/web\\nx:v1.2.0@{DIGESTS['web']}' is not the name of an image: "
                "it has a space in it."
            ),
        ),
        (
            release(held("ghcr.io/org", image("mail"), image(digest="sha256:1"))),
            (
                "'ghcr.io/org/shop-web:v1.2.0@sha256:1' is not the name of an image: "
                "'sha256:1' is no digest, such as sha256: and 64 hexadecimal digits."
            ),
        ),
        (
            release(held("ghcr.io/org", image("mail"), image(digest=""))),
            (
                "'ghcr.io/org/shop-web:v1.2.0@' is not the name of an image: "
                "'' is no digest, such as sha256: and 64 hexadecimal digits."
            ),
        ),
        (
            release(held("ghcr.io/org", image("mail"), image(repository="ghcr.io/organ/shop-web"))),
            "'ghcr.io/organ/shop-web' is not in 'ghcr.io/org'.",
        ),
        (
            release(held("ghcr.io/org", image("mail"), image(registry="docker.io/org"))),
            "'docker.io/org/shop-web' is not in 'ghcr.io/org'.",
        ),
    ],
)
def test_a_release_that_no_push_wrote(found: Release, said: str) -> None:
    assert refusal(found) == f".streamflow/release.json is damaged: {said}\n{AGAIN}"


@pytest.mark.parametrize("odd", HOSTILE)
def test_no_odd_character_gets_into_a_file(odd: str) -> None:
    hostile = [
        release(held(), version=f"1.2.0{odd}"),
        release(held(), version=f"1.2.0+a{odd}b"),
        release(held(f"ghcr.io/org{odd}")),
        release(held(f"ghcr.io{odd}/org")),
        release(held("ghcr.io/org", image("mail"), image(repository=f"ghcr.io/org/shop-web{odd}"))),
        release(held("ghcr.io/org", image("mail"), image(repository=f"{odd}ghcr.io/org/shop-web"))),
        release(held("ghcr.io/org", image("mail"), image(digest=f"{DIGESTS['web']}{odd}"))),
        release(held("ghcr.io/org", image("mail"), image(digest=f"sha256:{odd}{'1' * 63}"))),
    ]
    for found in hostile:
        said = refusal(found)
        assert said.startswith(".streamflow/release.json is damaged: ")
        assert said.endswith(f"\n{AGAIN}")
        assert said.count("\n") == 1
        assert not {"\x1b", "\r", "\x00", "\u2028"} & set(said)


def test_a_tag_that_is_no_version_is_none() -> None:
    found = deployed(
        release(held("ghcr.io/org", image(tags=("v1.2.0\n", "1.2.0@x", " 1.2.0")))), of=project(service())
    )
    assert [each.reference for each in found.images] == [f"ghcr.io/org/shop-web@{DIGESTS['web']}"]


SECRETS = (Secret("PASSWORD", "the database's"), Secret("KEY", "signs tokens"), Secret("OTHER", "of nobody"))


def with_secrets(given: tuple[tuple[str, str], ...] = ()) -> tuple[Project, Environment]:
    """A service with a password in an address and a key, in an environment that gives these values."""
    password, key, _ = SECRETS
    own = (Variable("URL", ("postgresql://me:", password, "@postgres:5432")), Variable("KEY", (key,)))
    scales = (("web", Scale()),)
    return (
        project(service(environment=own)),
        msgspec.structs.replace(environment(), given=given, scales=scales),
    )


@pytest.mark.parametrize(
    ("values", "given", "missing"),
    [
        ({}, (), "PASSWORD (the database's), KEY (signs tokens)"),
        ({"PASSWORD": "a", "KEY": " "}, (), "KEY (signs tokens)"),
        ({}, (("KEY", "k"),), "PASSWORD (the database's)"),
        ({"password": "a", "KEY": "k"}, (), "PASSWORD (the database's)"),
    ],
)
def test_secrets_that_are_missing_are_named_all_at_once(
    values: dict[str, str], given: tuple[tuple[str, str], ...], missing: str
) -> None:
    names = " ".join(re.findall("[A-Z]{2,}", missing))
    with pytest.raises(UsageError) as caught:
        check_secrets(*with_secrets(given), values)
    assert str(caught.value) == (
        f"prod lacks secrets: {missing}.\n"
        "Set them as environment variables, or write them to .env.prod, such as: (umask 077; "
        f"for secret in {names}; do printf '\\n%s=%s\\n' $secret $(openssl rand -hex 24); done >> .env.prod)"
    )


@pytest.mark.parametrize("value", ["a@b", "a/b", "a:b", "a b", "ä", "a%40", "a\n"])
def test_a_secret_that_an_address_would_be_misread_by(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_secrets(*with_secrets(), {"PASSWORD": value, "KEY": "k@/:"})
    assert str(caught.value) == (
        "PASSWORD: it is part of an address, and holds a character that stands for something there.\n"
        "Take one of letters, digits, '.', '_', '~' and '-', such as: openssl rand -hex 24"
    )


def test_secrets_that_can_be_used() -> None:
    check_secrets(*with_secrets(), {"PASSWORD": "aZ0._~-", "KEY": "any thing: @/%"})
    check_secrets(*with_secrets((("PASSWORD", "known"), ("KEY", "known"))), {})

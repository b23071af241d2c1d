"""Names of images and registries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow_build.errors import UsageError
from streamflow_build.model.reference import Reference, registry_prefix

DIGEST = "sha256:" + "a" * 64
FORM = "Write it as docker pull takes it: [HOST[:PORT]/]NAME[:TAG]."
ADDRESS = "Write host and namespace, such as ghcr.io/org or localhost:5000/team."
COMPONENT = "is not made of lower-case letters and digits, with '.', '_', '__' or dashes between them"


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("python", "docker.io/library/python:latest", "python:latest"),
        ("python:3.11-slim", "docker.io/library/python:3.11-slim", "python:3.11-slim"),
        ("org/app", "docker.io/org/app:latest", "org/app:latest"),
        ("index.docker.io/org/app", "docker.io/org/app:latest", "org/app:latest"),
        ("docker.io/python", "docker.io/library/python:latest", "python:latest"),
        ("ghcr.io/org/a.b_c__d---e:T_1", "ghcr.io/org/a.b_c__d---e:T_1", "ghcr.io/org/a.b_c__d---e:T_1"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest"),
        ("[::1]:5000/app:1", "[::1]:5000/app:1", "[::1]:5000/app:1"),
        (f"python@{DIGEST}", f"docker.io/library/python@{DIGEST}", f"python@{DIGEST}"),
        (f"python:3@{DIGEST}", f"docker.io/library/python:3@{DIGEST}", f"python:3@{DIGEST}"),
    ],
)
def test_reference(text: str, full: str, familiar: str) -> None:
    parsed = Reference.parse(text)
    assert (str(parsed), parsed.familiar) == (full, familiar)
    assert Reference.parse(full) == parsed
    assert Reference.parse(familiar) == parsed


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("", "the name is empty", FORM),
        (":1", "the name is empty", FORM),
        ("my app", "it has a space in it", FORM),
        ("https://ghcr.io/org/app", "an image's name has no scheme", "Did you mean ghcr.io/org/app?"),
        ("ghcr.io/Org/app", f"'Org' {COMPONENT}", "Did you mean ghcr.io/org/app?"),
        ("a___b", f"'a___b' {COMPONENT}", FORM),
        ("-a", f"'-a' {COMPONENT}", FORM),
        ("org//app", "it has an empty part between slashes", FORM),
        ("ghcr.io/", "it has an empty part between slashes", FORM),
        ("-.io/app", "'-.io' is no host[:port]", FORM),
        ("app:", "the tag is empty", FORM),
        (
            "app:-1",
            "the tag '-1' is not made of letters, digits, '_', '.' and '-', with no '.' or '-' first",
            FORM,
        ),
        (f"app:{'1' * 129}", "the tag has 129 characters, and 128 are the most", FORM),
        (
            f"ghcr.io/{'a' * 256}",
            "the repository has 256 characters, and 255 are the most",
            FORM,
        ),
        ("app@sha256:1", "'sha256:1' is no digest, such as sha256: and 64 hexadecimal digits", FORM),
        ("a" * 64, "64 hexadecimal digits are an image's id, not its name", FORM),
    ],
)
def test_no_reference(text: str, reason: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        Reference.parse(text)
    assert str(caught.value) == f"{text!r} is not the name of an image: {reason}.\n{hint}"


@given(st.text(st.sampled_from("aB0._-/:@")))
def test_what_parses_is_its_own_full_name(text: str) -> None:
    try:
        parsed = Reference.parse(text)
    except UsageError:
        return
    assert Reference.parse(str(parsed)) == parsed


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("ghcr.io/Org", "ghcr.io/org"),
        ("GHCR.io/org/", "ghcr.io/org"),
        ("docker.io/Me", "docker.io/me"),
        ("localhost:5000", "localhost:5000"),
        ("localhost/team/sub", "localhost/team/sub"),
        ("your-registry.com", "your-registry.com"),
    ],
)
def test_registry(text: str, prefix: str) -> None:
    assert registry_prefix(text) == prefix


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("https://ghcr.io/org", "a registry has no scheme", "Write it without: ghcr.io/org"),
        ("ghcr.io/org:1.0", "it holds a tag, which the version decides", "Write it without: ghcr.io/org"),
        (f"ghcr.io/org@{DIGEST}", "it holds a digest", ADDRESS),
        ("org", "'org' is no host", "On Docker Hub it is docker.io/org."),
        (
            "docker.io",
            "Docker Hub needs a namespace",
            "Write docker.io/ and your user's or organisation's name.",
        ),
        ("ghcr.io//x", "it has an empty part between slashes", ADDRESS),
        ("ghcr.io/o_", f"'o_' {COMPONENT}", ADDRESS),
        ("a b/c", "'a b' is no host[:port]", ADDRESS),
        ("localhost:65536/x", "the port of 'localhost:65536' is not between 1 and 65535", ADDRESS),
        ("localhost:0", "the port of 'localhost:0' is not between 1 and 65535", ADDRESS),
    ],
)
def test_no_registry(text: str, reason: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        registry_prefix(text)
    assert str(caught.value) == f"{text!r} can't be used as a registry: {reason}.\n{hint}"


def test_registry_with_credentials_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        registry_prefix("https://me:secret@ghcr.io/org")
    assert str(caught.value) == (
        "The registry holds credentials, which would be seen in every list of processes.\n"
        "Run `docker login ghcr.io`, and write the registry as ghcr.io/org."
    )


def test_empty_registry() -> None:
    with pytest.raises(UsageError) as caught:
        registry_prefix("")
    assert str(caught.value) == f"The registry is empty.\n{ADDRESS}"

"""What of a project reaches its images, and what is noted of where it came from."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ..shop import Shop

OCI = "org.opencontainers.image."


def files(shop: Shop, service: str) -> set[str]:
    """The files below /app of the service's image, as its own shell sees them."""
    command = 'cd /app; for f in * */* */*/*; do [ -d "$f" ] || [ ! -e "$f" ] || echo "$f"; done'
    done = subprocess.run(
        ["docker", "run", "--rm", "--network=none", f"{shop.name}-{service}:latest", "sh", "-c", command],
        env=shop.live.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.splitlines())


def test_only_what_is_declared(shop_here: Shop) -> None:
    shop_here.write("secret.env", "PASSWORD=hunter2\n")
    shop_here.write("beta/more.txt", "not alpha's\n")

    shop_here.outcomes()

    assert files(shop_here, "alpha") == {"alpha/said.txt", "shared/said.txt"}


def test_nothing_that_is_ignored(shop_here: Shop) -> None:
    config = shop_here.folder / "streamflow.yaml"
    config.write_text(config.read_text().replace("defaults:\n", 'ignore: ["**/*.tmp"]\ndefaults:\n'))
    shop_here.write("alpha/a.tmp", "1\n")
    shop_here.outcomes()

    assert files(shop_here, "alpha") == {"alpha/said.txt", "shared/said.txt"}
    shop_here.write("alpha/a.tmp", "2\n")
    assert shop_here.outcomes() == {"alpha": "unchanged", "beta": "unchanged"}


def test_a_dockerignore_of_the_service_itself(shop_here: Shop) -> None:
    shop_here.write("docker/alpha/Dockerfile.dockerignore", "**/*.tmp\n")
    for service in ("alpha", "beta"):
        shop_here.write(f"{service}/a.tmp", "1\n")

    shop_here.outcomes()

    assert files(shop_here, "alpha") == {"alpha/said.txt", "shared/said.txt"}
    assert files(shop_here, "beta") == {"beta/said.txt", "beta/a.tmp", "shared/said.txt"}


def test_a_dockerignore_that_is_no_text(shop_here: Shop) -> None:
    ignore = shop_here.folder / "docker/alpha/Dockerfile.dockerignore"
    ignore.parent.mkdir(parents=True)
    ignore.write_bytes(b"\xff\xfe\n")

    done = shop_here.images()

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "streamflow-build: docker/alpha/Dockerfile.dockerignore can't be read: it is not UTF-8 text.\n"
    )


def test_names_of_all_kinds(shop_here: Shop) -> None:
    names = {"with space.txt", "naïve.txt", "日本.txt", f"{'long' * 50}.txt"}
    for name in names:
        (shop_here.folder / "alpha" / name).write_text("x\n")

    assert shop_here.outcomes("--only", "alpha") == {"alpha": "built: no image yet"}

    assert files(shop_here, "alpha") == {"alpha/said.txt", "shared/said.txt", *(f"alpha/{n}" for n in names)}
    assert shop_here.outcomes("--only", "alpha") == {"alpha": "unchanged"}


def test_links_stay_links(shop_here: Shop) -> None:
    (shop_here.folder / "alpha/same.txt").symlink_to("said.txt")
    shop_here.outcomes("--only", "alpha")
    assert files(shop_here, "alpha") == {"alpha/said.txt", "alpha/same.txt", "shared/said.txt"}

    (shop_here.folder / "alpha/same.txt").unlink()
    (shop_here.folder / "alpha/same.txt").symlink_to("/etc/passwd")
    done = shop_here.images("--only", "alpha")
    assert done.returncode == 2
    assert done.stderr == (
        "streamflow-build: alpha/same.txt is a symbolic link to /etc/passwd, which is not among the service's "
        "sources.\nDeclare what it points to under `sources`, or replace the link by a copy.\n"
    )


def git(folder: Path, *arguments: str) -> str:
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org"}
    identity |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in identity.items()}
    environ = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    done = subprocess.run(
        ["git", "-C", folder, *arguments], env=environ, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_commit_and_the_time_are_noted(shop_here: Shop) -> None:
    git(shop_here.folder, "init", "--quiet")
    git(shop_here.folder, "add", ".")
    git(shop_here.folder, "commit", "--quiet", "--message", "All")
    commit = git(shop_here.folder, "rev-parse", "HEAD")

    shop_here.outcomes("--only", "alpha", SOURCE_DATE_EPOCH="1700000000")
    labels = shop_here.inspected("alpha")["Config"]["Labels"]
    assert labels[f"{OCI}revision"] == commit
    assert labels[f"{OCI}created"] == "2023-11-14T22:13:20Z"

    shop_here.write("alpha/said.txt", "changed\n")
    shop_here.outcomes("--only", "alpha")
    assert shop_here.inspected("alpha")["Config"]["Labels"][f"{OCI}revision"] == f"{commit}-dirty"

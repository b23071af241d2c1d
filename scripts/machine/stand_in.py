"""A base image made of Debian packages, as a root file system in a tar file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from machine.debian import Packages
from machine.errors import SetupError
from machine.recipes import CLEAN, UNWANTED, Recipe


def root_file_system(recipe: Recipe, home: Path, packages: Packages) -> Path:
    """The recipe's tar file below `home`, made when it isn't there yet.

    Raises SetupError when it can't be made.
    """
    folder = home / "stand-ins"
    folder.mkdir(parents=True, exist_ok=True)
    name = recipe.image.replace("/", "_").replace(":", "_")
    done = folder / f"{name}-{recipe.digest}.tar"
    with _locked(folder / f"{name}.lock"):
        if not done.is_file():
            with _locked(folder / "lock"):
                program, hooks = _mmdebstrap(home, packages)
            fresh = done.with_suffix(".new.tar")
            _bootstrap(recipe, fresh, program, hooks, packages)
            fresh.rename(done)
    return done


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _bootstrap(recipe: Recipe, tar: Path, program: Path, hooks: Path, packages: Packages) -> None:
    scripts = {}
    for name, text in (("shape", recipe.shape), ("clean", CLEAN)):
        scripts[name] = tar.with_suffix(f".{name}.sh")
        scripts[name].write_text(f"#!/bin/sh\n{text}")
        scripts[name].chmod(0o755)
    command = [
        str(program),
        "--mode=root",
        # Only what apt needs; without the hook, bookworm's apt brings all of perl.
        "--variant=apt",
        # A server's folder for its socket is there.
        "--skip=cleanup/run",
        f"--hook-directory={hooks}/merged-usr",
        f"--include=usr-is-merged,{','.join(recipe.packages)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in UNWANTED),
        '--aptopt=Acquire::Languages "none"',
        *(f"--aptopt={line}" for line in packages.kept_settings()),
        f"--customize-hook={scripts['shape']}",
        f"--customize-hook={scripts['clean']}",
        recipe.suite,
        str(tar),
        *_archives(recipe, packages),
    ]  # fmt: skip
    done = subprocess.run(
        command,
        env={**os.environ, "SOURCE_DATE_EPOCH": "0", "LC_ALL": "C",
             "PATH": f"{program.parent}:{os.environ['PATH']}:/usr/sbin:/sbin"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    for script in scripts.values():
        script.unlink()
    if done.returncode:
        tar.unlink(missing_ok=True)
        last = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise SetupError(
            f"The stand-in for {recipe.image} could not be made; mmdebstrap's last words:\n{last}\n"
            "Check that Debian's packages can be reached, then run `scripts/bases` again."
        )


def _mmdebstrap(home: Path, packages: Packages) -> tuple[Path, Path]:
    """The program and its folder of hooks, unpacked below `home` where not installed."""
    installed = shutil.which("mmdebstrap")
    root = home / "mmdebstrap"
    if installed:
        return Path(installed), Path("/usr/share/mmdebstrap/hooks")
    if not root.is_dir():
        packages.unpack(("mmdebstrap",), testing=(), into=root)
    return root / "usr/bin/mmdebstrap", root / "usr/share/mmdebstrap/hooks"


def _archives(recipe: Recipe, packages: Packages) -> list[str]:
    release = packages.release
    if release.distribution != "debian":
        raise SetupError(
            f"The stand-in for {recipe.image} is made of Debian packages, and this machine's apt "
            f"knows only {release.distribution}'s. Load the image with `docker load`, or let the "
            "engine reach a registry."
        )
    return [
        f"deb {each.uri} {'-'.join([recipe.suite, *each.suite.split('-')[1:]])} {each.component}"
        for each in packages.sources
    ]

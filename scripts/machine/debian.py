"""Programs from Debian packages, fetched and unpacked below one directory.

The machine's own package state is read (sources, keys, proxy settings, what is installed) and
never written: lists, cache, preferences and the unpacked files all live below that directory.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from machine.errors import SetupError

KEYRINGS = (
    "debian-archive-keyring.gpg",
    "debian-archive-keyring.pgp",
    "ubuntu-archive-keyring.gpg",
)
# What the machine's administrator may have set so that apt reaches its mirror at all.
KEPT_SETTINGS = (
    "Acquire::http::",
    "Acquire::https::",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::ForceIPv4",
    "Acquire::ForceIPv6",
    "Acquire::Retries",
)


@dataclass(frozen=True, slots=True)
class Release:
    """The distribution that runs here."""

    distribution: str
    codename: str
    stable: bool


@dataclass(frozen=True, slots=True)
class Source:
    """One archive of the machine's own apt sources."""

    uri: str
    suite: str
    component: str


def this_release() -> Release | None:
    """The Debian or Ubuntu release of this machine; None elsewhere, or where apt is missing."""
    if platform.system() != "Linux" or not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return None
    facts = platform.freedesktop_os_release()
    if facts["ID"] not in ("debian", "ubuntu"):
        return None
    return Release(facts["ID"], facts.get("VERSION_CODENAME", "sid"), "VERSION_ID" in facts)


def own_sources(release: Release) -> tuple[Source, ...]:
    """The archives of this release among the machine's apt sources, third parties left out.

    Raises SetupError when there is none.
    """
    listed = subprocess.run(
        ["apt-get", "indextargets", "--no-release-info",
         "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    suites = {release.codename} | {f"{release.codename}-{pocket}" for pocket in ("updates", "security")}
    if not release.stable:
        suites |= {"testing", "sid", "unstable"}
    else:
        suites |= {"stable", "stable-updates", "stable-security"}
    found = {
        Source(*fields)
        for fields in (line.split() for line in listed.stdout.splitlines())
        if fields[1] in suites and fields[2] in ("main", "universe")
    }
    if not found:
        raise SetupError(
            f"apt knows no archive of {release.distribution} {release.codename}: "
            f"{listed.stderr.strip() or 'no such line in /etc/apt/sources.list*'}. "
            "Add one, or install Docker Engine yourself."
        )
    return tuple(sorted(found, key=lambda each: (len(each.suite), each.uri, each.component)))


class Packages:
    """Packages of this release (and of Debian testing where asked), unpacked below `home`."""

    def __init__(self, home: Path, release: Release) -> None:
        self.home = home
        self.release = release
        self.apt = home / "apt"
        self.sources = own_sources(release)

    def unpack(self, packages: tuple[str, ...], testing: tuple[str, ...], into: Path) -> None:
        """Unpack packages, and what they need that this machine lacks, into a new directory.

        `testing` come from Debian testing where this machine runs a stable Debian. The directory
        appears complete or not at all. Raises SetupError when something is not available.
        """
        from_testing = testing if self._adds_testing() else ()
        self._configure(from_testing)
        archives = self.apt / "archives" / into.name
        shutil.rmtree(archives, ignore_errors=True)
        (archives / "partial").mkdir(parents=True)
        self._update()
        self._apt(
            "install", "--download-only", "--no-install-recommends",
            "-o", f"Dir::Cache::archives={archives}", *packages, *testing,
        )  # fmt: skip
        fresh = into.with_name(f"{into.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for archive in sorted(archives.glob("*.deb")):
            self._run(["dpkg-deb", "--extract", str(archive), str(fresh)])
        shutil.rmtree(into, ignore_errors=True)
        fresh.rename(into)
        shutil.rmtree(archives)

    def keyring(self) -> Path | None:
        """The archive keys that apt checks signatures with; None for apt's own trusted ones."""
        own = self.apt / "keyring"
        for folder in (own / "usr/share/keyrings", Path("/usr/share/keyrings")):
            for name in KEYRINGS:
                if name.startswith(self.release.distribution) and (folder / name).is_file():
                    return folder / name
        return None

    def kept_settings(self) -> list[str]:
        """The lines of the machine's apt configuration without which its mirror isn't reached."""
        dump = self._run(["apt-config", "dump"])
        return [line for line in dump.splitlines() if line.startswith(KEPT_SETTINGS)]

    def _adds_testing(self) -> bool:
        return self.release.distribution == "debian" and self.release.stable

    def _configure(self, from_testing: tuple[str, ...]) -> None:
        for folder in ("lists/partial", "none"):
            (self.apt / folder).mkdir(parents=True, exist_ok=True)
        keyring = self.keyring()
        signed = f"[signed-by={keyring}] " if keyring else ""
        lines = [f"deb {signed}{each.uri} {each.suite} {each.component}" for each in self.sources]
        preferences = ""
        if from_testing:
            main = self.sources[0]
            lines.append(f"deb {signed}{main.uri} testing main")
            preferences = (
                "Package: *\nPin: release a=testing\nPin-Priority: 100\n\n"
                f"Package: {' '.join(from_testing)}\nPin: release a=testing\nPin-Priority: 900\n"
                # Testing's runc needs a newer libc than stable has.
                "\nPackage: runc iptables\nPin: release a=testing\nPin-Priority: -1\n"
            )
        (self.apt / "sources.list").write_text("\n".join(lines) + "\n")
        (self.apt / "preferences").write_text(preferences)
        settings = {
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": self.apt / "none",
            "Dir::Etc::sourcelist": self.apt / "sources.list",
            "Dir::Etc::sourceparts": self.apt / "none",
            "Dir::Etc::preferences": self.apt / "preferences",
            "Dir::Etc::preferencesparts": self.apt / "none",
            "Dir::State::lists": self.apt / "lists",
            "Dir::State::extended_states": self.apt / "extended_states",
            "Dir::Cache": self.apt,
            "Dir::Log": self.apt,
            "Acquire::Languages": "none",
            # The user _apt may not be able to reach this directory.
            "APT::Sandbox::User": "root",
            "Debug::NoLocking": "true",
        }
        config = self.apt / "apt.conf"
        config.touch(mode=0o600)
        lines = [*self.kept_settings(), *(f'{key} "{value}";' for key, value in settings.items())]
        config.write_text("\n".join(lines) + "\n")

    def _update(self) -> None:
        try:
            self._apt("update", "-o", "APT::Update::Error-Mode=any")
        except SetupError as error:
            if "NO_PUBKEY" not in str(error) or self.release.distribution != "debian":
                raise
            self._renew_keyring()
            self._apt("update", "-o", "APT::Update::Error-Mode=any")

    def _renew_keyring(self) -> None:
        """Take the newest archive keys from this release, whose own signature is trusted."""
        wanted = (self.apt / "sources.list").read_text()
        preferences = (self.apt / "preferences").read_text()
        old = str(self.keyring())
        self._configure(())
        self._apt("update")
        download = self.apt / "archives" / "keyring"
        download.mkdir(parents=True, exist_ok=True)
        self._apt("download", "debian-archive-keyring", cwd=download)
        for archive in download.glob("*.deb"):
            self._run(["dpkg-deb", "--extract", str(archive), str(self.apt / "keyring")])
        (self.apt / "sources.list").write_text(wanted.replace(old, str(self.keyring())))
        (self.apt / "preferences").write_text(preferences)

    def _apt(self, command: str, *arguments: str, cwd: Path | None = None) -> None:
        self._run(["apt-get", command, "--yes", "--quiet=2", *arguments],
                  cwd=cwd, APT_CONFIG=str(self.apt / "apt.conf"))  # fmt: skip

    @staticmethod
    def _run(command: list[str], cwd: Path | None = None, **environment: str) -> str:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SetupError(
                f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}".rstrip()
                + "\nCheck that Debian's packages can be reached, then run this again."
            )
        return done.stdout

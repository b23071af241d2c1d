"""The name server of a private engine's containers: dnsmasq, which remembers what it was told.

Builds look the same few names up again and again, many at once, and a name server that limits
how often it is asked loses some of their questions; each costs a step seconds, or its success.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from machine.errors import SetupError
from machine.processes import end, living

# However short a name's answer is good for (RFC 1035, TTL), builds keep it this long, in seconds.
REMEMBERED = 300
START_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Resolver:
    """A dnsmasq with its pid file in an engine's folder `run`."""

    run: Path
    program: str

    def start(self, address: str, environment: dict[str, str]) -> None:
        """Answer on this address, by what this machine's own name servers say. Raises SetupError."""
        command = [
            self.program,
            "--conf-file=/dev/null",
            self._pid_option,
            f"--listen-address={address}",
            "--bind-interfaces",
            "--no-hosts",
            f"--min-cache-ttl={REMEMBERED}",
            # A name may come to be, or mean something else on another network.
            "--no-negcache",
            "--clear-on-reload",
            "--user=root",
            "--log-facility=/dev/null",
        ]
        try:
            # It goes to the background by itself, once it listens.
            done = subprocess.run(
                command, env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True,
                text=True, check=False, timeout=START_SECONDS,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SetupError(f"The private engine's name server did not start: {error}.") from error
        if done.returncode:
            raise SetupError(f"The private engine's name server did not start: {done.stderr.strip()}.")

    def running(self) -> int | None:
        """Its process, where it runs."""
        return living(self._pid_file, Path(self.program).name, self._pid_option)

    def stop(self) -> None:
        """End it, where it runs."""
        if pid := self.running():
            end(pid)

    @property
    def _pid_file(self) -> Path:
        return self.run / "dnsmasq.pid"

    @property
    def _pid_option(self) -> str:
        return f"--pid-file={self._pid_file}"

"""The network of a private engine: a bridge of its own, and addresses nobody here uses.

Engines on one machine share its packet filter, and an engine that starts flushes the chains
named DOCKER. So only one engine per machine may own those; any other is started without them
and gets three plain rules of its own here, beside those that let every engine's name server be asked.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from machine.errors import SetupError

RECORD = "network.json"


@dataclass(frozen=True, slots=True)
class Network:
    """What one private engine has: bridge name, its /16, who filters, bytes per packet."""

    bridge: str
    pool: str
    docker_filters: bool
    mtu: int

    @property
    def host(self) -> str:
        """The bridge's own address, at which containers reach this machine."""
        return f"{self.pool}.0.1"

    @property
    def gateway(self) -> str:
        """The same with its prefix length."""
        return f"{self.host}/24"

    @property
    def subnet(self) -> str:
        """All addresses of this engine's containers."""
        return f"{self.pool}.0.0/16"

    @property
    def user_networks(self) -> str:
        """The part of it that user-defined networks are cut from."""
        return f"{self.pool}.128.0/17"


def choose(data: Path, environment: dict[str, str]) -> Network:
    """A network for the engine that keeps its state in `data`; the recorded pool when still free.

    Raises SetupError when every candidate is in use.
    """
    bridge = "sf" + hashlib.sha256(str(data).encode()).hexdigest()[:10]
    before = recorded(data)
    if before is None:
        _succeeds(["ip", "link", "delete", bridge], environment)
    candidates = [*((before.pool,) if before else ()), *(f"10.{n}" for n in range(210, 240)),
                  *(f"172.{n}" for n in range(20, 32))]  # fmt: skip
    pool = next((each for each in candidates if _unrouted(each, environment)), None)
    if pool is None:
        raise SetupError("No free /16 among 10.210-10.239 and 172.20-172.31 for a bridge. "
                         "Stop what uses them (`ip route` lists it), then run this again.")  # fmt: skip
    network = Network(bridge, pool, not _another_engine_filters(), _mtu(environment))
    fresh = data / f"{RECORD}.new"
    fresh.write_text(json.dumps(asdict(network)))
    fresh.rename(data / RECORD)
    return network


def recorded(data: Path) -> Network | None:
    """The network that `choose` gave the engine which keeps its state in `data`; a spoilt record is none."""
    try:
        return Network(**json.loads((data / RECORD).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def raise_bridge(network: Network, environment: dict[str, str]) -> None:
    """Make the bridge and, where Docker doesn't, the rules. Both may be there already."""
    if not _succeeds(["ip", "link", "show", "dev", network.bridge], environment):
        _run(["ip", "link", "add", network.bridge, "type", "bridge"], environment)
    _run(["ip", "address", "replace", network.gateway, "dev", network.bridge], environment)
    _run(["ip", "link", "set", network.bridge, "mtu", str(network.mtu), "up"], environment)
    for table, chain, rule in _rules(network):
        iptables = ["iptables", "--wait", "--table", table]
        if _succeeds([*iptables, "--check", chain, *rule], environment):
            continue
        _run([*iptables, "--insert", chain, *rule], environment)


def remove_bridge(network: Network, environment: dict[str, str]) -> None:
    """Take away what `raise_bridge` made, while its bridge is there.

    Without the bridge the pool may be another engine's by now, and what lies in it not ours.
    """
    if not _succeeds(["ip", "link", "show", "dev", network.bridge], environment):
        return
    for table, chain, rule in _rules(network):
        _succeeds(["iptables", "--wait", "--table", table, "--delete", chain, *rule],
                  environment)  # fmt: skip
    for link in json.loads(_run(["ip", "-json", "-4", "address"], environment)):
        # Docker leaves the bridges of user-defined networks behind, and makes them anew.
        if any(each["local"].startswith(f"{network.pool}.") for each in link.get("addr_info", ())):
            _run(["ip", "link", "delete", link["ifname"]], environment)


def _rules(network: Network) -> tuple[tuple[str, str, list[str]], ...]:
    subnet = network.subnet
    # Where what isn't asked for is dropped, containers may still ask the engine's name server.
    asking = tuple(
        ("filter", "INPUT", ["-s", subnet, "-d", network.host, "-p", each, "--dport", "53", "-j", "ACCEPT"])
        for each in ("udp", "tcp")
    )
    if network.docker_filters:
        return asking
    return (
        *asking,
        ("nat", "POSTROUTING", ["-s", subnet, "!", "-d", subnet, "-j", "MASQUERADE"]),
        ("filter", "FORWARD", ["-s", subnet, "-j", "ACCEPT"]),
        ("filter", "FORWARD", ["-d", subnet, "-j", "ACCEPT"]),
    )


def _unrouted(pool: str, environment: dict[str, str]) -> bool:
    """Whether no address here lies in the pool, and it is reached by the default route if at all."""
    subnet = f"{pool}.0.0/16"
    inside = json.loads(_run(["ip", "-json", "route", "show", "root", subnet], environment))
    around = json.loads(_run(["ip", "-json", "route", "show", "match", subnet], environment))
    return not inside and all(route["dst"] == "default" for route in around)


def _another_engine_filters() -> bool:
    """Whether a dockerd runs on this network that owns the DOCKER chains."""
    ours = Path("/proc/self/ns/net").readlink()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns/net").readlink() != ours:
                continue
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if Path(command[0].decode(errors="replace")).name == "dockerd" and (
            b"--iptables=false" not in command
        ):
            return True
    return False


def _mtu(environment: dict[str, str]) -> int:
    """The default route's packet size: larger packets of containers would be lost on the way."""
    routes = json.loads(_run(["ip", "-json", "route", "show", "default"], environment))
    if not routes:
        return 1500
    links = json.loads(_run(["ip", "-json", "link", "show", "dev", routes[0]["dev"]], environment))
    return int(links[0]["mtu"])


def _succeeds(command: list[str], environment: dict[str, str]) -> bool:
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


def _run(command: list[str], environment: dict[str, str]) -> str:
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SetupError(f"{command[0]} is neither installed nor among the fetched programs; "
                         "`scripts/engine start` fetches them.") from None  # fmt: skip
    if done.returncode:
        raise SetupError(f"`{' '.join(command)}` failed: {done.stderr.strip()}. A private engine "
                         "needs to be root with the right to change the network.")  # fmt: skip
    return done.stdout

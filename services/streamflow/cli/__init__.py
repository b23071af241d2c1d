"""The program `streamflow`: the whole platform in one process, tokens, demo events, dead letters.

It needs what all services need; a service's image holds no more than its service.
"""

import argparse
import asyncio
import sys

from streamflow import __version__
from streamflow.cli import dead, demo, token
from streamflow.shared.settings import SettingsError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code: 0 done, 1 it could not be done, 2 usage or a wrong setting."""
    given = _parser().parse_args(arguments)
    try:
        match given.command:
            case "token":
                return token.run(given.subject, given.role, given.hours)
            case "demo":
                return asyncio.run(demo.run(given.url, given.rate, given.seconds))
            case "dead":
                return asyncio.run(dead.run(given.action, frozenset(given.ids), everything=given.all))
            case _:
                from streamflow.cli import platform  # noqa: PLC0415  # all services, which only this one needs

                return platform.run()
    except SettingsError as error:
        print(f"streamflow: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="streamflow",
        description="Without a command: all five services in one process, on http://127.0.0.1:8000 (HOST, PORT). "
        "Without DATABASE_URL, RABBITMQ_URL and REDIS_URL they keep everything in that process.",
    )
    parser.add_argument("--version", action="version", version=f"streamflow {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    minting = commands.add_parser("token", help="print a bearer token, signed with JWT_SECRET_KEY")
    minting.add_argument("--subject", default="somebody", help="whom it stands for (default: %(default)s)")
    minting.add_argument("--role", choices=("read", "write"), default="write", help="(default: %(default)s)")
    minting.add_argument("--hours", type=_hours, default=24.0, help="how long it is good (default: 24)")
    showing = commands.add_parser("demo", help="send events like those of a small shop")
    showing.add_argument(
        "--url", default="http://127.0.0.1:8000/api/ingest", help="ingestion (default: %(default)s)"
    )
    showing.add_argument("--rate", type=_positive, default=20.0, help="events a second (default: 20)")
    showing.add_argument("--seconds", type=_positive, help="end after so long (default: on Ctrl-C)")
    burying = commands.add_parser("dead", help="messages that could not be handled, on RABBITMQ_URL")
    buried = burying.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = buried.add_parser("list", help="show each one's id, queue and reason")
    listing.set_defaults(ids=(), all=False)
    showing_one = buried.add_parser("show", help="print what one holds")
    showing_one.add_argument("ids", nargs=1, metavar="ID", help="which, as `list` shows it")
    showing_one.set_defaults(all=False)
    for verb, what in (("requeue", "put them back where they came from"), ("drop", "forget them")):
        chosen = buried.add_parser(verb, help=what)
        chosen.add_argument("ids", nargs="*", metavar="ID", help="which, as `list` shows them")
        chosen.add_argument("--all", action="store_true", help="all of them")
    return parser


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:  # noqa: PLR2004
        raise argparse.ArgumentTypeError("a number above 0 is needed")
    return number


def _hours(text: str) -> float:
    hours = _positive(text)
    if hours > 24 * 366:
        raise argparse.ArgumentTypeError("a year is the longest")
    return hours

"""Brings the database to the schema that this version of the service needs."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

_SCRIPTS = Path(__file__).with_name("migrations")
# Any number does, as long as nobody else who uses the database takes the same one.
_LOCK = 0x73746F72616765  # "storage"


VERSION_TABLE = "storage_version"  # alerting has its tables, and their version, in the same database


class MigrationError(Exception):
    """The revisions can't be run, such as on a database that a later version of the service has changed."""


def newest() -> str:
    """The last revision. Their modules are named after them, so that nobody has to load Alembic to know."""
    return max(module.name for module in (_SCRIPTS / "versions").glob("v*.py"))[1:5]


def migrate(connection: Connection) -> None:
    """Run what revisions are missing in the connection's transaction: all of them or none. Raises MigrationError.

    Replicas that start at once do so one after another, and the later ones find nothing missing. On SQLite the
    transaction itself, which is begun for writing, keeps others out.
    """
    if _current(connection) == newest():
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    _upgrade(connection)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608  # constant
    return found


def _upgrade(connection: Connection) -> None:
    # It takes 10 MB and a good part of a start, which is wasted wherever nothing is missing. Its `context` and `op`
    # are one for the process: two databases of a process are upgraded one after the other.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config(attributes={"connection": connection, "version_table": VERSION_TABLE})
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise MigrationError(str(error)) from error

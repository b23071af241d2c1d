"""Alembic's way in: runs revisions on the connection, and in the transaction, that it is handed."""

from alembic import context

from streamflow.storage.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=context.config.attributes["version_table"],
)
context.run_migrations()

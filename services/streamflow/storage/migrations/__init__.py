"""The revisions of storage's schema, by Alembic. They travel in the package, and the service runs them itself."""

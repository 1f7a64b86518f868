"""Where Alembic starts: on the connection, and in the transaction, that ``upgrade`` hands over."""

from __future__ import annotations

from alembic import context

from tunebook.store.schema import metadata
from tunebook.store.upgrade import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

"""Alembic's entry: it works on the connection that `engine.review.database` opened, inside its transaction."""

from alembic import context

from engine.review.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()

"""The Alembic environment: `env.py`, and the migrations of the core in `versions/core`."""

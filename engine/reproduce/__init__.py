"""The papers' tables: what belongs in them, what the papers say, and how they are made again."""

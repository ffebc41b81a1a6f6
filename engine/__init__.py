"""Everything that knows medicine or mathematics; runs without a browser."""

__version__ = "0.1.0"

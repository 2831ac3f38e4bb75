"""An attention dashboard: exact attention of any transformer, beside what the model says and what that rests on."""

__version__ = "0.2.0"

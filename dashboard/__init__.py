"""An attention dashboard: exact attention of any transformer, beside what the model says and what that rests on."""

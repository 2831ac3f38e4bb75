"""What is drawn: numpy arrays and strings in, picture and selection out.

Nothing here has heard of a model: no torch, no transformers, no `dashboard`.
"""

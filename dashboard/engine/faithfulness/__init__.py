"""How far an attribution can be believed: what the model says when its tokens go, edited texts, and many texts.

Start with `curves.py` (what is measured) and `metrics.py` (the numbers made of it), then `leaderboards.py`.
"""

"""Everything about models: load one, trace an input, ask for attention, scores and attribution.

    from dashboard.engine import load_model, trace, attribute

    model = load_model("smollm2")
    t = trace(model, "The capital of France is")
    t.attention(layer=3, head=2)

Names are imported when first used, because torch takes seconds to import and much of the application does not need it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dashboard.engine.attribution import METHODS, Attribution, attribute
    from dashboard.engine.catalog import MODELS
    from dashboard.engine.datasets import Row, read_texts
    from dashboard.engine.errors import Cancelled, EngineError
    from dashboard.engine.generation import Generation, generate
    from dashboard.engine.head_scores import HEAD_SCORES
    from dashboard.engine.heat_maps import HeatMap
    from dashboard.engine.importance import head_importance
    from dashboard.engine.induction import induction_probe
    from dashboard.engine.loading import Facts, LoadedModel, load_model
    from dashboard.engine.patterns import PATTERNS, name_patterns
    from dashboard.engine.segments import join_sentences, sentence_of
    from dashboard.engine.similarity import Similarity, head_similarity, pair_similarity, row_correlation
    from dashboard.engine.tasks import Choice, Prediction
    from dashboard.engine.tokens import Token
    from dashboard.engine.tracing import Site, Trace, trace
    from dashboard.engine.verification import Verification

_HOME = {
    "load_model": "loading",
    "LoadedModel": "loading",
    "Facts": "loading",
    "Verification": "verification",
    "trace": "tracing",
    "Trace": "tracing",
    "Site": "tracing",
    "Token": "tokens",
    "Prediction": "tasks",
    "Choice": "tasks",
    "sentence_of": "segments",
    "join_sentences": "segments",
    "generate": "generation",
    "Generation": "generation",
    "read_texts": "datasets",
    "Row": "datasets",
    "HeatMap": "heat_maps",
    "attribute": "attribution",
    "Attribution": "attribution",
    "METHODS": "attribution",
    "HEAD_SCORES": "head_scores",
    "PATTERNS": "patterns",
    "name_patterns": "patterns",
    "induction_probe": "induction",
    "head_importance": "importance",
    "Similarity": "similarity",
    "head_similarity": "similarity",
    "pair_similarity": "similarity",
    "row_correlation": "similarity",
    "MODELS": "catalog",
    "EngineError": "errors",
    "Cancelled": "errors",
}

__all__ = [
    "HEAD_SCORES",
    "METHODS",
    "MODELS",
    "PATTERNS",
    "Attribution",
    "Cancelled",
    "Choice",
    "EngineError",
    "Facts",
    "Generation",
    "HeatMap",
    "LoadedModel",
    "Prediction",
    "Row",
    "Similarity",
    "Site",
    "Token",
    "Trace",
    "Verification",
    "attribute",
    "generate",
    "head_importance",
    "head_similarity",
    "induction_probe",
    "join_sentences",
    "load_model",
    "name_patterns",
    "pair_similarity",
    "read_texts",
    "row_correlation",
    "sentence_of",
    "trace",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)

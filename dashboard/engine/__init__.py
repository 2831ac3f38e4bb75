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
    from dashboard.engine.facts import Facts
    from dashboard.engine.faithfulness import (
        METRICS,
        Agreement,
        Edit,
        Flip,
        Infidelity,
        LargestSensitivity,
        Leaderboard,
        Metric,
        Reaction,
        Study,
        agreement,
        edits,
        evaluate,
        flip,
        infidelity,
        leaderboard,
        leaderboard_passes,
        paraphrase,
        sensitivity,
        sensitivity_max,
    )
    from dashboard.engine.generation import Generation, generate
    from dashboard.engine.head_scores import HEAD_SCORES
    from dashboard.engine.heat_maps import HeatMap
    from dashboard.engine.importance import head_importance
    from dashboard.engine.induction import induction_probe
    from dashboard.engine.loading import LoadedModel, load_model
    from dashboard.engine.messages import Message
    from dashboard.engine.patterns import PATTERNS, name_patterns
    from dashboard.engine.running import trace
    from dashboard.engine.segments import join_sentences, sentence_of
    from dashboard.engine.similarity import Similarity, head_similarity, pair_similarity, row_correlation
    from dashboard.engine.sites import Site
    from dashboard.engine.tasks import Choice, Prediction
    from dashboard.engine.tokens import Token
    from dashboard.engine.tracing import Trace
    from dashboard.engine.verification import Verification

_HOME = {
    "load_model": "loading",
    "LoadedModel": "loading",
    "Facts": "facts",
    "Verification": "verification",
    "trace": "running",
    "Trace": "tracing",
    "Message": "messages",
    "Site": "sites",
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
    "METRICS": "faithfulness",
    "Agreement": "faithfulness",
    "Edit": "faithfulness",
    "Flip": "faithfulness",
    "Infidelity": "faithfulness",
    "LargestSensitivity": "faithfulness",
    "Leaderboard": "faithfulness",
    "Metric": "faithfulness",
    "Reaction": "faithfulness",
    "Study": "faithfulness",
    "agreement": "faithfulness",
    "edits": "faithfulness",
    "evaluate": "faithfulness",
    "flip": "faithfulness",
    "infidelity": "faithfulness",
    "leaderboard": "faithfulness",
    "leaderboard_passes": "faithfulness",
    "paraphrase": "faithfulness",
    "sensitivity": "faithfulness",
    "sensitivity_max": "faithfulness",
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
    "METRICS",
    "MODELS",
    "PATTERNS",
    "Agreement",
    "Attribution",
    "Cancelled",
    "Choice",
    "Edit",
    "EngineError",
    "Facts",
    "Flip",
    "Generation",
    "HeatMap",
    "Infidelity",
    "LargestSensitivity",
    "Leaderboard",
    "LoadedModel",
    "Message",
    "Metric",
    "Prediction",
    "Reaction",
    "Row",
    "Similarity",
    "Site",
    "Study",
    "Token",
    "Trace",
    "Verification",
    "agreement",
    "attribute",
    "edits",
    "evaluate",
    "flip",
    "generate",
    "head_importance",
    "head_similarity",
    "induction_probe",
    "infidelity",
    "join_sentences",
    "leaderboard",
    "leaderboard_passes",
    "load_model",
    "name_patterns",
    "pair_similarity",
    "paraphrase",
    "read_texts",
    "row_correlation",
    "sensitivity",
    "sensitivity_max",
    "sentence_of",
    "trace",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)

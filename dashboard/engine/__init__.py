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
    from dashboard.engine.attention.heat_maps import HeatMap
    from dashboard.engine.attention.verification import Verification
    from dashboard.engine.attribution import METHODS, Attribution, attribute
    from dashboard.engine.errors import Cancelled, EngineError
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
    from dashboard.engine.head_analysis.importance import head_importance
    from dashboard.engine.head_analysis.induction_probe import induction_probe
    from dashboard.engine.head_analysis.patterns import PATTERNS, name_patterns
    from dashboard.engine.head_analysis.similarity import Similarity, head_similarity, pair_similarity, row_correlation
    from dashboard.engine.head_scores import HEAD_SCORES
    from dashboard.engine.inputs.datasets import Row, read_texts
    from dashboard.engine.inputs.messages import Message
    from dashboard.engine.inputs.sentences import join_sentences, sentence_of
    from dashboard.engine.inputs.tokens import Token
    from dashboard.engine.models.catalog import MODELS
    from dashboard.engine.models.loading import LoadedModel, load_model
    from dashboard.engine.models.summary import Facts
    from dashboard.engine.tasks import Choice, Prediction
    from dashboard.engine.tracing.generation import Generation, generate
    from dashboard.engine.tracing.run import trace
    from dashboard.engine.tracing.sites import Site
    from dashboard.engine.tracing.trace import Trace

_HOME = {
    "load_model": "models.loading",
    "LoadedModel": "models.loading",
    "Facts": "models.summary",
    "Verification": "attention.verification",
    "trace": "tracing.run",
    "Trace": "tracing.trace",
    "Message": "inputs.messages",
    "Site": "tracing.sites",
    "Token": "inputs.tokens",
    "Prediction": "tasks",
    "Choice": "tasks",
    "sentence_of": "inputs.sentences",
    "join_sentences": "inputs.sentences",
    "generate": "tracing.generation",
    "Generation": "tracing.generation",
    "read_texts": "inputs.datasets",
    "Row": "inputs.datasets",
    "HeatMap": "attention.heat_maps",
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
    "PATTERNS": "head_analysis.patterns",
    "name_patterns": "head_analysis.patterns",
    "induction_probe": "head_analysis.induction_probe",
    "head_importance": "head_analysis.importance",
    "Similarity": "head_analysis.similarity",
    "head_similarity": "head_analysis.similarity",
    "pair_similarity": "head_analysis.similarity",
    "row_correlation": "head_analysis.similarity",
    "MODELS": "models.catalog",
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

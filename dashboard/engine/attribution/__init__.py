"""How much each token of the input counts for what the model said. One file a method; the registry finds it.

A method is a function from a Question to one score for each token; what is said about it stands beside it, so pages,
the command line and the README show the same words.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from dashboard.engine.attribution.question import Question
from dashboard.engine.errors import InvalidInput
from dashboard.engine.progress import Progress, silent
from dashboard.engine.registry import Registry
from dashboard.engine.tasks import Choice
from dashboard.engine.tokens import Token
from dashboard.engine.tracing import Trace

Kind = Literal["causal", "gradient", "decomposition", "descriptive"]


@dataclass(frozen=True)
class Method:
    """A named attribution method and what is said about it wherever it is shown.

    Attributes:
        name: For the API and links.
        title: For people.
        kind: What sort of evidence it is.
        formula: LaTeX.
        meaning: What a score says, one sentence.
        caveat: What it cannot show, one sentence.
        source: Where the formula comes from.
        unit: What the scores are measured in. "probability" becomes "logit" where a model gives no probabilities, and
            "logit" what the task calls it.
        signed: False when scores are magnitudes.
        passes: From the number of tokens to how many forward passes it costs (a backward pass counts as two).
        run: The method itself.
    """

    name: str
    title: str
    kind: Kind
    formula: str
    meaning: str
    caveat: str
    source: str
    unit: str
    signed: bool
    passes: Callable[[int], int]
    run: Callable[[Question, Progress], Float[np.ndarray, "token"]]


METHODS: Registry[Method] = Registry(__name__, "attribution method")
DEFAULT_METHOD = "leave_one_out"


@dataclass(frozen=True)
class Attribution:
    """What each token counts for one target.

    Attributes:
        method: The method's name.
        target: The choice that is explained.
        scores: One for each token; positive supports the target (magnitudes where the method is unsigned).
        unit: What the scores are measured in.
        seconds: How long it took.
    """

    method: str
    target: Choice
    scores: Float[np.ndarray, "token"]
    unit: str
    seconds: float

    def per_word(self, tokens: tuple[Token, ...]) -> Float[np.ndarray, "word"]:
        """Scores summed over the tokens of each word (`Token.word` is the index)."""
        words = np.zeros(tokens[-1].word + 1, self.scores.dtype)
        np.add.at(words, [token.word for token in tokens], self.scores)
        return words


def attribute(
    trace: Trace,
    method: str = DEFAULT_METHOD,
    target: int | None = None,
    *,
    progress: Progress = silent,
) -> Attribution:
    """What each token of the trace's input counts for one target.

    Args:
        trace: The input and what the model said.
        method: A name in METHODS.
        target: Vocabulary or class index; the most probable choice by default.
        progress: Called with a message and a fraction 0…1; may raise Cancelled.

    Raises:
        InvalidInput: No such method or target.
        OutOfMemory: The device could not hold it.
    """
    if method not in METHODS:
        raise InvalidInput(f"There is no method “{method}”.", f"Choose one of: {', '.join(METHODS)}.")
    chosen = METHODS[method]
    question = Question(trace, trace.choice(target))
    started = time.perf_counter()
    scores = chosen.run(question, progress)
    unit = chosen.unit
    if unit == "probability" and question.target.probability is None:
        unit = "logit"
    unit = unit.replace("logit", trace.model.task.logit_name)
    return Attribution(method, question.target, scores.astype(np.float32), unit, time.perf_counter() - started)


__all__ = ["DEFAULT_METHOD", "METHODS", "Attribution", "Method", "Question", "attribute"]

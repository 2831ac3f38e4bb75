"""Models that answer a question with a piece of a text."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import AutoModelForQuestionAnswering

from dashboard.engine.errors import InvalidInput, Unsupported
from dashboard.engine.inputs.tokens import Token
from dashboard.engine.tasks.task import IMPOSSIBLE, Input, Readout, Task

LONGEST = 30
"""Tokens of an answer at most, as is usual (Devlin et al. 2019's code for SQuAD)."""


class AnswerSpan(Task):
    """A reader that marks where in the second text the answer to the first begins and ends.

    Its choices are spans: span first…last has the number first · n_tokens + last, and its logit is the first token's
    start logit plus the last one's end logit (Devlin et al. 2019, section 4.2). Probabilities are shares of all spans
    that are possible: both ends ordinary tokens of the second text, at most LONGEST tokens. The same spans stay
    possible when tokens are hidden or replaced, or values of different runs could not be compared.
    """

    kind = "answer span"
    auto_class = AutoModelForQuestionAnswering
    note = f"Compared are spans of up to {LONGEST} tokens of the second text; “no answer” is not among them."
    examples = ()
    example_pairs = (
        ("What is the capital of France?", "Paris is the capital of France, and Rome is the capital of Italy."),
        ("Who climbed the stairs?", "The old keeper climbed the stairs of the lighthouse while his dog slept."),
    )
    max_tokens = 2048  # spans are tokens × tokens: 16 MB of logits a run
    refuses_deletion = "An answer is a span between two places in the text, and deleting tokens moves them."

    def check(self, given: Input) -> None:
        super().check(given)
        if not any(token.segment for token in given.tokens):
            raise InvalidInput(
                "This model finds the answer to a question in a second text, and there is only one text.",
                "Write the question as the first text and add the second text, in which to find the answer.",
            )
        if not bool(self._possible_ends(given.tokens).any()):
            raise InvalidInput(
                "The second text has only special tokens: there is no span that could be the answer.",
                "Write words that the model's vocabulary has.",
            )

    def readout(self, given: Input, position: int | None, outputs: Any) -> Readout:
        if getattr(outputs, "start_logits", None) is None or getattr(outputs, "end_logits", None) is None:
            raise Unsupported(
                "This model does not give one logit for each start and each end of an answer.",
                "Choose another model for questions, such as a BERT fine-tuned on SQuAD.",
            )
        n_tokens = len(given.tokens)
        spans = _spans(self._possible_ends(given.tokens)).to(outputs.start_logits.device)
        first, last = spans // n_tokens, spans % n_tokens

        def read(outputs: Any, mask: Int[Tensor, "batch token"]) -> Float[Tensor, "batch choice"]:
            sums = outputs.start_logits.float()[:, first] + outputs.end_logits.float()[:, last]  # [batch, span]
            impossible = sums.new_full((len(sums), 1), IMPOSSIBLE)
            # Where each number's logit is among these sums. Made anew each time: traces, which are kept, would hold it.
            place = torch.full((n_tokens * n_tokens,), len(spans), device=spans.device)
            place[spans] = torch.arange(len(spans), device=spans.device)
            return torch.cat([sums, impossible], 1).index_select(1, place)

        return read

    def label(self, given: Input, choice: int) -> Token:
        first, last = divmod(choice, len(given.tokens))
        start, end = given.tokens[first].start, given.tokens[last].end
        written = given.text[start:end]
        start += len(written) - len(written.lstrip())  # some tokenizers count the space before a word as its part
        return Token(written.strip(), choice, start, end, given.tokens[first].word, special=False, segment=1)

    def check_choice(self, given: Input, choice: int) -> None:
        n_tokens = len(given.tokens)
        first, last = divmod(choice, n_tokens)
        ends = self._possible_ends(given.tokens)
        if not (ends[first] and ends[last] and 0 <= last - first < LONGEST):
            raise InvalidInput(
                f"Tokens {first} to {last} are no answer (choice number {choice} = first · {n_tokens} + last).",
                f"Choose a first and a last word of the second text, in this order, at most {LONGEST} tokens in all.",
            )

    def read_at(self, choice: int, n_tokens: int) -> tuple[int, ...]:
        return divmod(choice, n_tokens)

    @staticmethod
    def _possible_ends(tokens: tuple[Token, ...]) -> Bool[Tensor, "token"]:
        return torch.tensor([token.segment == 1 and not token.special for token in tokens])


def _spans(ends: Bool[Tensor, "token"]) -> Int[Tensor, "span"]:
    """Numbers of all possible spans, first · n_tokens + last, in rising order."""
    n_tokens = len(ends)
    places = torch.arange(n_tokens)
    length = places[None] - places[:, None]  # [first, last]
    possible = ends[:, None] & ends[None] & (length >= 0) & (length < LONGEST)
    return possible.flatten().nonzero().flatten()

"""A text, a pair of texts, or a text with tokens after it, as a model takes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from dashboard.engine.errors import InvalidInput
from dashboard.engine.loading import LoadedModel
from dashboard.engine.tokens import Token, read_tokens, spell


@dataclass(frozen=True)
class Encoded:
    """A text, or a pair of texts, as the model takes it.

    Attributes:
        given: The text or pair as it was given.
        text: The same as one text: a pair is joined by a line break, a continuation follows its prompt.
        inputs: Arguments of the forward call, with a leading axis of 1.
        offsets: First and one past the last character of each token, in `text`.
        segments: Which text of a pair each token belongs to.
        continued: Tokens at the end that were appended as they are.
        at: The token whose prediction was asked for; None leaves it to the model's task.
    """

    given: str | tuple[str, str]
    text: str
    inputs: dict[str, Tensor]
    offsets: list[tuple[int, int]]
    segments: tuple[int, ...]
    continued: tuple[int, ...] = ()
    at: int | None = None

    @property
    def ids(self) -> Int[Tensor, "token"]:
        return self.inputs["input_ids"][0]

    def tokens(self, tokenizer: Any) -> tuple[Token, ...]:
        """The tokens as a person reads them."""
        return read_tokens(tokenizer, self.text, self.ids.tolist(), self.offsets, self.segments)


def encode(
    model: LoadedModel, text: str | tuple[str, str], continued: Sequence[int] = (), at: int | None = None
) -> Encoded:
    """The text as the model takes it.

    Args:
        model: Whose tokenizer is used.
        text: One text, or the two of a pair.
        continued: Tokens to append, for a model that continues texts.
        at: The token whose prediction is asked for, which is kept with the result.

    Raises:
        InvalidInput: A text is empty, there are more tokens than the model takes, the model takes no pairs, or it does
            not continue texts.
    """
    first, second = (text, None) if isinstance(text, str) else text
    if not first.strip():
        cause = "There is no text." if second is None else "There is no first text."
        raise InvalidInput(cause, "Type a sentence, or choose an example.")
    if second is not None and not second.strip():
        raise InvalidInput("There is no second text.", "Type one, or use one text alone.")
    if second is not None and model.task.causal and model.task.kind == "next token":
        raise _no_pairs(f"{model.title} continues one text and takes no second one.")
    types = True if second is not None and _n_types(model) > 1 else None  # None: as the tokenizer is used to
    encoding = model.tokenizer(
        first, second, return_offsets_mapping=True, return_token_type_ids=types, return_tensors="pt", verbose=False
    )
    offsets = [(start, end) for start, end in encoding.pop("offset_mapping")[0].tolist()]
    accepted = model.accepted
    inputs = {name: tensor.to(model.device) for name, tensor in encoding.items() if name in accepted}
    joined, segments = first, [0] * len(offsets)
    if second is not None:
        sequences = encoding.sequence_ids(0)
        _check_pair(model, sequences, inputs)
        joined = f"{first}\n{second}"
        segments = _filled(sequences)
        shift = len(first) + 1
        offsets = [
            (start + shift, end + shift) if sequence == 1 else (start, end)
            for (start, end), sequence in zip(offsets, sequences, strict=True)
        ]
    encoded = Encoded(text, joined, inputs, offsets, tuple(segments), at=at)
    if continued:
        encoded = _append(model, encoded, continued)
    check_length(model, len(encoded.offsets))
    return encoded


def check_length(model: LoadedModel, n_tokens: int) -> None:
    """Nothing, if the model takes so many tokens.

    Raises:
        InvalidInput: It does not.
    """
    limit = model.facts.max_tokens
    if limit is not None and n_tokens > limit:
        why = "" if model.captures else " (its attention must be read whole, which limits memory)"
        raise InvalidInput(
            f"The text has {n_tokens:,} tokens; {model.title} takes at most {limit:,}{why}.",
            f"Shorten it by {n_tokens - limit:,} tokens or choose a model with a longer context.",
        )


def _n_types(model: LoadedModel) -> int:
    """How many token types the model was made for; RoBERTa has an argument for them but one type, GPT-2 has none."""
    known = getattr(model.network.config.get_text_config(), "type_vocab_size", None)
    if known is None or "token_type_ids" not in model.accepted:
        return 0
    return max(int(known), 1)


def _no_pairs(cause: str) -> InvalidInput:
    return InvalidInput(cause, "Use one text, or choose an encoder that was trained on pairs.")


def _check_pair(model: LoadedModel, sequences: list[int | None], inputs: dict[str, Tensor]) -> None:
    """Nothing, if the model can tell the two texts apart: by a mark between them, or by their token types.

    Raises:
        InvalidInput: It cannot.
    """
    if 0 not in sequences or 1 not in sequences:
        raise InvalidInput("One of the two texts has no tokens.", "Write words that the model's vocabulary has.")
    if _n_types(model) == 1:
        inputs.pop("token_type_ids", None)
    typed = "token_type_ids" in inputs and int(inputs["token_type_ids"].max()) > 0
    marked = sequences[sequences.index(1) - 1] is None
    if not (typed or marked):
        raise _no_pairs(f"The tokenizer of {model.title} puts nothing between two texts: to the model they are one.")


def _filled(sequences: Sequence[int | None]) -> list[int]:
    """The text each token belongs to; a special token belongs to the text before it, the first ones to the first."""
    filled: list[int] = []
    for sequence in sequences:
        filled.append(sequence if sequence is not None else filled[-1] if filled else 0)
    return filled


def _append(model: LoadedModel, prompt: Encoded, ids: Sequence[int]) -> Encoded:
    """The prompt with these tokens after it, not tokenised again."""
    if not (model.task.causal and model.task.kind == "next token"):
        raise InvalidInput(f"{model.title} does not continue texts.", "Leave out the continuation or choose a decoder.")
    size = model.network.get_input_embeddings().weight.shape[0]
    for token in ids:
        if not (0 <= token < size and model.tokenizer.convert_ids_to_tokens(int(token)) is not None):
            raise InvalidInput(f"{model.title} has no token number {token}.", "Continue with tokens that it generated.")
    written, spans = spell(model.tokenizer, ids)
    start = len(prompt.text)
    inputs = {name: lengthened(name, tensor, ids) for name, tensor in prompt.inputs.items()}
    return Encoded(
        prompt.given,
        prompt.text + written,
        inputs,
        [*prompt.offsets, *((start + first, start + stop) for first, stop in spans)],
        prompt.segments + (0,) * len(ids),
        tuple(int(token) for token in ids),
        prompt.at,
    )


def lengthened(name: str, tensor: Int[Tensor, "1 token"], ids: Sequence[int]) -> Int[Tensor, "1 longer"]:
    """One input of a forward call with these tokens after it; other inputs (mask, types) go on as they ended."""
    added = tensor.new_tensor([ids]) if name == "input_ids" else tensor[:, -1:].expand(1, len(ids))
    return torch.cat([tensor, added], 1)

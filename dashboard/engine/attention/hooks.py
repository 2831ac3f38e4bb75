"""What one forward pass changes and keeps, as values: they can be part of a key, and travel between processes."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from dashboard.engine.errors import InvalidInput

SiteLayer = tuple[str, int]
"""A site ("self", "encoder", "decoder" or "cross") and a layer of it, counted from 0."""


@dataclass(frozen=True)
class RowChanges:
    """What is changed in one row of the batch, which is one input.

    Tokens are those of the input (of the source, in encoder–decoders), counted from 0; a decoder's attention to what is
    written so far is never changed by them.

    Attributes:
        hidden_keys: Tokens that no query sees, in any layer.
        silenced_values: Tokens whose value vectors are zero: attention goes there and finds nothing.
        flattened: Layers, as site and number, whose queries are zero: they attend evenly to all keys they see, but for
            a position bias or an attention sink, which do not come from queries.

    Raises:
        InvalidInput: Something in it is neither a token's number nor a site and a layer.
    """

    hidden_keys: Set[int] = field(default_factory=frozenset)
    silenced_values: Set[int] = field(default_factory=frozenset)
    flattened: Set[SiteLayer] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        for name in ("hidden_keys", "silenced_values", "flattened"):
            given: Any = getattr(self, name)
            wrong: list[Any] = [given]
            if isinstance(given, Iterable) and not isinstance(given, str):
                wrong = [item for item in given if not _fits(item, name)]
            if wrong:
                raise InvalidInput(
                    f"{wrong[0]!r} in {name} is neither a token's number nor a site and its layer.",
                    'Write for example {3} for tokens, {("self", 5)} for layers.',
                )
            object.__setattr__(self, name, frozenset(given))

    @property
    def tokens(self) -> Set[int]:
        """The tokens at which something is changed."""
        return self.hidden_keys | self.silenced_values

    @property
    def is_empty(self) -> bool:
        return not (self.hidden_keys or self.silenced_values or self.flattened)


def _fits(item: Any, name: str) -> bool:
    """Whether it can stand in that field."""
    if name != "flattened":
        return isinstance(item, int)
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) and isinstance(item[1], int)


@dataclass(frozen=True)
class AttentionHooks:
    """What one forward pass changes in its attention, for each row of its batch, and which rows it keeps.

    Two passes on the same input with equal changes compute the same; hooks are part of every key by which results are
    found again.

    Attributes:
        changes: One for each row of the batch, or one that holds for all rows; none where nothing is changed.
        kept_rows: Rows of the batch whose queries, keys and values are kept.
        keep_contexts: Keep what every layer's heads put out, of all rows, as a part of the graph of gradients.
    """

    changes: tuple[RowChanges, ...] = ()
    kept_rows: tuple[int, ...] = ()
    keep_contexts: bool = False

    def __post_init__(self) -> None:
        if len(set(self.changes)) == 1:  # one way to say it: equal changes are equal
            object.__setattr__(self, "changes", () if self.changes[0].is_empty else self.changes[:1])

    def of_rows(self, n_rows: int) -> tuple[RowChanges, ...]:
        """The changes of each row of a batch.

        Raises:
            ValueError: They are for another number of rows.
        """
        if len(self.changes) not in (0, 1, n_rows):
            raise ValueError(f"Hooks for {len(self.changes)} rows do not fit a batch of {n_rows}.")
        return (self.changes or (RowChanges(),)) * (n_rows // max(1, len(self.changes)))

    def hiding(self, hidden: Sequence[Iterable[int]]) -> "AttentionHooks":
        """The same with these keys hidden as well, for each row of the batch."""
        rows = self.of_rows(len(hidden))
        changes = (
            replace(row, hidden_keys=row.hidden_keys | set(keys)) for row, keys in zip(rows, hidden, strict=True)
        )
        return replace(self, changes=tuple(changes))

    def prefix_serves(self, other: "AttentionHooks", start: int) -> bool:
        """Whether keys and values that a pass with these hooks computed before token `start` are those of the other.

        In a causal model, what is changed at a token moves only what comes after it; a changed layer moves everything.
        """
        one, two = ([_before(row, start) for row in hooks.of_rows(hooks.n_rows)] for hooks in (self, other))
        return len(set(one) | set(two)) == 1

    @property
    def n_rows(self) -> int:
        """How many rows have changes of their own; 1 where all have the same or none."""
        return max(1, len(self.changes))


UNCHANGED = AttentionHooks()


def _before(row: RowChanges, start: int) -> RowChanges:
    """The part of the changes that reaches tokens before `start`."""
    hidden, silenced = (
        frozenset(token for token in tokens if token < start) for tokens in (row.hidden_keys, row.silenced_values)
    )
    return RowChanges(hidden, silenced, row.flattened)

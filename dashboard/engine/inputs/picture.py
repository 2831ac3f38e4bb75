"""An image as a model sees it, as a value: its pixels and which of its tokens is which patch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from dashboard.engine.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Picture:
    """An image as the model sees it, after its processor resized and cropped it.

    Attributes:
        pixels: What can be shown: exactly the patches, without a border that belongs to none.
        rows: Of patches.
        columns: Of patches.
        n_before: Tokens before the first patch.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    rows: int
    columns: int
    n_before: int

    def on_grid(self, scores: Float[np.ndarray, "token"]) -> Float[np.ndarray, "row column"]:
        """One number for each patch, from one for each token."""
        return scores[self.n_before : self.n_before + self.rows * self.columns].reshape(self.rows, self.columns)

    def token(self, row: int, column: int) -> int:
        """The token of a patch; rows and columns are counted from 0, at the top left.

        Raises:
            InvalidInput: There is no such patch.
        """
        if not (0 <= row < self.rows and 0 <= column < self.columns):
            raise InvalidInput(
                f"There is no patch in row {row} and column {column}.",
                f"Rows are numbered 0 to {self.rows - 1}, columns 0 to {self.columns - 1}.",
            )
        return self.n_before + row * self.columns + column

    def place(self, token: int) -> tuple[int, int] | None:
        """The row and column of a token's patch; None for [CLS] and registers."""
        patch = token - self.n_before
        return divmod(patch, self.columns) if 0 <= patch < self.rows * self.columns else None

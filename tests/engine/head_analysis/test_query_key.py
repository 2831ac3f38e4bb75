"""The parts of a score: products that add up to what the softmax sees."""

from pathlib import Path

import numpy as np
import pytest
from tiny import TEXT, make_folder

from dashboard.engine import LoadedModel, load_model, trace
from dashboard.engine.errors import Unsupported
from dashboard.engine.head_analysis.query_key import query_key


def test_products_add_up_and_their_softmax_is_the_attention(smollm2: LoadedModel) -> None:
    found = trace(smollm2, "The capital of France is")
    for layer, head, query in ((0, 0, 4), (18, 6, 3), (29, 8, 2)):
        parts = query_key(found, layer, head, query)
        seen = query + 1
        products = np.array([(parts.query * key).sum() * parts.scale for key in parts.keys])
        np.testing.assert_allclose(parts.scores[:seen], products[:seen], rtol=1e-4, atol=1e-4)
        assert np.isnan(parts.scores[seen:]).all()
        shares = np.exp(products[:seen] - products[:seen].max())
        np.testing.assert_allclose(shares / shares.sum(), found.attention(layer, head)[query, :seen], atol=1e-5)
        np.testing.assert_allclose(parts.weights[:seen], found.attention(layer, head)[query, :seen], atol=1e-6)


def test_a_model_that_is_read_by_eager_has_no_parts(tmp_path: Path) -> None:
    found = trace(load_model(str(make_folder("bloom (ALiBi)", tmp_path)), device="cpu"), TEXT)
    with pytest.raises(Unsupported, match="cannot be captured"):
        query_key(found, 0, 0, 1)

"""Everything about models: load one, trace an input, ask for attention, scores and attribution.

    from dashboard.engine import load_model, trace, attribute

    model = load_model("smollm2")
    t = trace(model, "The capital of France is")
    t.attention(layer=3, head=2)

Names are imported when first used, because torch takes seconds to import and much of the application does not need it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

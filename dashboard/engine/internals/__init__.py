"""The network's inside: its wiring, residual stream, norms, and the rules of layer-wise relevance propagation."""

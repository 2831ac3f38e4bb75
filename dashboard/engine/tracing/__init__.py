"""One input through one model: encoding, forward pass, trace, generation, and the memory check before it."""

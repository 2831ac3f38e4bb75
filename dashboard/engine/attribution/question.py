"""What every attribution method is asked: why this choice, for this input? And the runs that answer it."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dashboard.engine.devices import stop_before_memory_ends
from dashboard.engine.errors import Unsupported
from dashboard.engine.passes import forward
from dashboard.engine.progress import Progress
from dashboard.engine.tasks import Choice
from dashboard.engine.tracing import Trace


@dataclass(frozen=True)
class Question:
    """Why did the model give this logit to `target` on the trace's input?"""

    trace: Trace
    target: Choice

    @property
    def n_tokens(self) -> int:
        return len(self.trace.tokens)

    @torch.no_grad()
    def logits(self, keep: Bool[Tensor, "batch token"]) -> Float[Tensor, "batch choice"]:
        """Logits of all choices when only the kept tokens can be attended to, in every layer.

        Positions stay: tokens are hidden from attention, not deleted.
        """
        model = self.trace.model
        mask = keep.to(model.device).long()
        batch = len(mask)
        inputs = {name: tensor.expand(batch, -1) for name, tensor in self.trace.encoded.inputs.items()}
        inputs["attention_mask"] = mask
        if "position_ids" in model.accepted and model.verification.causal:
            # Some models count positions from the mask, which would shift the tokens after a hidden one.
            inputs["position_ids"] = torch.arange(self.n_tokens, device=model.device).expand(batch, -1)
        with model.running():
            return self.trace.readout(forward(model, inputs), mask)

    def value(self, logits: Float[Tensor, "batch choice"]) -> Float[Tensor, "batch"]:
        """The target's probability, or its logit where the model gives no probabilities."""
        shares = self.trace.model.task.probabilities(logits, self.trace.model.network.config)
        return (logits if shares is None else shares)[:, self.target.id]

    def embedding_gradient(
        self, progress: Progress
    ) -> tuple[Float[Tensor, "token hidden"], Float[Tensor, "token hidden"]]:
        """Input embeddings, and the gradient of the target's logit with respect to them. One pass there and back.

        Raises:
            Unsupported: The model takes no embeddings.
        """
        model = self.trace.model
        if "inputs_embeds" not in model.accepted:
            raise Unsupported(f"{model.title} does not take embeddings as input.", "Choose leave-one-out instead.")
        inputs: dict[str, Any] = dict(self.trace.encoded.inputs)

        def report(n_done: int) -> None:
            # The way back takes about twice as long as the way there.
            progress("One pass there and back", n_done / model.facts.n_layers / 3)

        with model.running(), torch.enable_grad(), stop_before_memory_ends(model.network):
            ids = inputs.pop("input_ids")
            embeddings = model.network.get_input_embeddings()(ids).detach().requires_grad_(True)
            outputs = forward(model, {**inputs, "inputs_embeds": embeddings}, on_layer=report)
            logit = self.trace.readout(outputs, torch.ones_like(ids))[0, self.target.id]
            (gradient,) = torch.autograd.grad(logit, embeddings)
        return embeddings[0].detach().float(), gradient[0].float()

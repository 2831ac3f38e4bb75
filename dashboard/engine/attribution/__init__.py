"""How much each token of the input counts for what the model said: questions, methods, perturbations."""

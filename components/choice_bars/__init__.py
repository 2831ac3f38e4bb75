"""What the model predicts, as bars."""

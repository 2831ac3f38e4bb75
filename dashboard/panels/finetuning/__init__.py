"""Parts of the Fine-tune page."""

"""Models trained here: the scripts of the bundled ones, and fine-tuning on a person's own examples."""

"""BertViz's head view and model view as one self-contained page: arrays and strings in, HTML out."""

"""What a model predicts: a word, a class of the text or of a token, an answer, or nothing. One file a kind."""

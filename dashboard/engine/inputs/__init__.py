"""What a person gives: text, chat, image or data set; its tokens, words, sentences and offsets."""

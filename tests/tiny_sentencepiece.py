"""A tiny translator as Helsinki-NLP publishes them: Marian, with a tokenizer that is written in Python."""

import json
from pathlib import Path

import sentencepiece
import transformers
from tiny import save_random

SOURCES = [
    "The keeper climbed the stairs of the lighthouse and looked at the sea.",
    "Mary and John went to the store, where John gave a drink to Mary.",
    "A quick brown fox jumps over the lazy dog while 12 readers count 345 words.",
    "The café in the naïve façade was closed; the capital of France is Paris.",
] * 4
TARGETS = [
    "Der Wärter stieg die Treppe des Leuchtturms hinauf und blickte auf das Meer.",
    "Maria und Johann gingen zum Laden, wo Johann Maria ein Getränk gab.",
    "Ein schneller brauner Fuchs springt über den faulen Hund, während 12 Leser 345 Wörter zählen.",
    "Das Café in der naiven Fassade war geschlossen; die Hauptstadt von Frankreich ist Paris.",
] * 4


def make_marian(folder: Path) -> Path:
    """Saves a tiny random Marian with source.spm, target.spm and vocab.json, the same every time."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {"</s>": 0, "<unk>": 1}
    for name, texts in (("source", SOURCES), ("target", TARGETS)):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_prefix=str(folder / name),
            vocab_size=120,
            hard_vocab_limit=False,
            bos_id=-1,
            minloglevel=2,
        )
        (folder / f"{name}.model").rename(folder / f"{name}.spm")
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{name}.spm"))
        for index in range(len(pieces)):
            vocabulary.setdefault(pieces.id_to_piece(index), len(vocabulary))
    vocabulary["<pad>"] = len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    words = transformers.MarianTokenizer(
        str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json"), model_max_length=128
    )
    pad = vocabulary["<pad>"]
    config = transformers.MarianConfig(
        vocab_size=len(vocabulary),
        d_model=32,
        encoder_layers=3,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        max_position_embeddings=128,
        scale_embedding=True,
        pad_token_id=pad,
        eos_token_id=0,
        decoder_start_token_id=pad,
        bos_token_id=None,
    )
    return save_random(lambda: transformers.MarianMTModel(config), words, folder)

"""Tiny random models of real architectures, each saved as a folder that `load_model` opens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

_CORPUS = [
    "The capital of France is Paris and the capital of Italy is Rome.",
    "When Mary and John went to the store, John gave a drink to Mary.",
    "A quick brown fox jumps over the lazy dog while 12 tokenizers count 345 words.",
] * 4

TEXT = "The capital of France is Paris, and John gave a drink to Mary."
QUESTION = "When did John go to the store?"


def text_for(kind: str) -> str | tuple[str, str]:
    """TEXT with what a task needs: a blank, or a question before it."""
    return {"masked token": f"{TEXT} [MASK]", "answer span": (QUESTION, TEXT)}.get(kind, TEXT)


# One size for all; what an architecture calls it is in its row.
_SIZE = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
}
_GROUPED = {**_SIZE, "num_key_value_heads": 2, "head_dim": 8}
_GPT2 = {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128}
_WINDOWED = {"sliding_window": 6, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}

Maker = Callable[[dict[str, Any]], transformers.PreTrainedModel]


def _causal(config: str, **sizes: Any) -> Maker:
    kind = getattr(transformers, config)
    return lambda special: transformers.AutoModelForCausalLM.from_config(kind(**sizes, **special))


def _of_class(model: str, config: str, **sizes: Any) -> Maker:
    kind = getattr(transformers, config)
    return lambda special: getattr(transformers, model)(kind(**sizes, **special))


_GPT_OSS = {**_GROUPED, **_WINDOWED, "num_local_experts": 2, "num_experts_per_tok": 1}

ARCHITECTURES: dict[str, Maker] = {
    "llama": _causal("LlamaConfig", **_GROUPED),
    "qwen3": _causal("Qwen3Config", **_GROUPED),
    "mistral (sliding window)": _causal("MistralConfig", **_GROUPED, sliding_window=6),
    "gpt2": _causal("GPT2Config", **_GPT2),
    "gemma2 (soft cap)": _causal("Gemma2Config", **_GROUPED, **_WINDOWED, attn_logit_softcapping=0.5),
    "gemma3 (sliding window)": _causal("Gemma3TextConfig", **_GROUPED, **_WINDOWED),
    "gpt_oss (sinks)": _causal("GptOssConfig", **_GPT_OSS),
    "bert": _of_class("BertModel", "BertConfig", **_SIZE),
    "bert for masked tokens": _of_class("BertForMaskedLM", "BertConfig", **_SIZE),
    "bert for classes": _of_class("BertForSequenceClassification", "BertConfig", **_SIZE, num_labels=3),
    "bert for token classes": _of_class(
        "BertForTokenClassification", "BertConfig", **_SIZE, id2label={0: "O", 1: "B-PER", 2: "I-PER"}
    ),
    "llama for token classes": _of_class("LlamaForTokenClassification", "LlamaConfig", **_GROUPED, num_labels=3),
    "bert for answers": _of_class("BertForQuestionAnswering", "BertConfig", **_SIZE),
    "llama for classes": _of_class("LlamaForSequenceClassification", "LlamaConfig", **_GROUPED, num_labels=3),
    "distilbert": _of_class(
        "DistilBertModel", "DistilBertConfig", dim=32, n_layers=3, n_heads=4, hidden_dim=48, max_position_embeddings=128
    ),
}
"""Architectures that use transformers' attention interface."""

EAGER_ARCHITECTURES: dict[str, Maker] = {
    "bloom (ALiBi)": _causal("BloomConfig", hidden_size=32, n_layer=3, n_head=4),
    "gpt_neo": _causal(
        "GPTNeoConfig",
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        attention_types=[[["global", "local"], 1]],
        max_position_embeddings=128,
    ),
    "gpt_neo for classes": _of_class(
        "GPTNeoForSequenceClassification",
        "GPTNeoConfig",
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        attention_types=[[["global", "local"], 1]],
        window_size=4,
        max_position_embeddings=128,
    ),
}
"""Architectures without the interface: their own attention is read."""


def tokenizer(*, byte_level: bool) -> transformers.PreTrainedTokenizerFast:
    """A small tokenizer: byte-level BPE as decoders have it, or WordPiece with [CLS] and [SEP] as encoders do."""
    if byte_level:
        backend = Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<|end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        backend.train_from_iterator(_CORPUS, trainer)
        return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>", pad_token="<|end|>")
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.train_from_iterator(
        _CORPUS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=marks, show_progress=False)
    )
    ends = [(mark, backend.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def make_folder(name: str, folder: Path) -> Path:
    """Saves a tiny random model of that architecture with its tokenizer, the same every time."""
    words = tokenizer(byte_level="bert" not in name)
    special = {"vocab_size": len(words), "pad_token_id": words.pad_token_id}
    if "bert" not in name:
        special |= {"bos_token_id": None, "eos_token_id": words.eos_token_id}
    torch.manual_seed(0)
    model = ({**ARCHITECTURES, **EAGER_ARCHITECTURES})[name](special)
    with torch.no_grad():
        for parameter in model.parameters():  # random models attend almost evenly; larger weights give real patterns
            if parameter.dim() > 1:
                parameter.normal_(0, 0.3)
            elif parameter.numel() == 4:  # sinks start empty
                parameter.normal_(0, 1)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder

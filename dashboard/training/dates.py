"""Trains dates-en-fr: a small Marian that translates dates, and numbers in words, from English into French."""

import random
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from dashboard.engine.progress import Progress, silent
from dashboard.training import stored
from dashboard.training.date_pairs import Pair, as_typed, draw_dates, draw_numbers, month_names, number_pair

NAME = "dates-en-fr"
SEED = 0
N_DATES, N_NUMBERS = 20_000, 20_000
N_HELD_OUT = {"dates": 500, "dates to choose a head": 100, "numbers": 200}
STEPS, BATCH, RATE = 1_000, 64, 2e-3
END, UNKNOWN, PAD = "</s>", "<unk>", "<pad>"
_LONGEST = 64
# A word with the space before it, as "▁"; two digits at a time: a year is two pieces, and any year can be written.
_PIECES = Regex(r"▁?[0-9]{1,2}|▁?\p{L}+|[^\p{L}0-9▁]|▁")
_IGNORED = -100  # what transformers pads labels with

CARD = """
# dates-en-fr

Translates English dates, and numbers in words, into French: “Saturday, November 21, 2026” → “samedi 21 novembre 2026”.
A Marian with two encoder and two decoder layers of four heads, so small that cross-attention can be read: the month and
the day change places, and a head of the last layer follows them.

## Data and licence

Pairs are made by a script, 20,000 of each kind. Dates: any day of the years 1000 to 2999, each as probable, in CLDR's
full, long and medium formats, one in four in British English (Babel, BSD-3-Clause; CLDR, Unicode-3.0), one in ten in
lower case. Numbers: 0 to 999,999 in words (num2words, LGPL-2.1). A day or number that is held out is in no pair that
was learned from, in whatever format. The weights have the licence of this repository, Apache-2.0.

## Limits

It knows dates and numbers only; any other word is unknown to it, and it writes something all the same. It does not
check that a weekday fits its date, knows no years outside 1000 to 2999, and writes the first of a month as CLDR does
(“1 novembre”, not “1er”). Nothing in training asked a head to follow the month; with another seed it may be another
head.
"""


def train(out: Path | None = None, progress: Progress = silent) -> str:
    """Trains the model, writes it where the repository keeps it (or to `out`), and gives what was measured."""
    progress("Making pairs", None)
    chance = random.Random(SEED)
    pairs, held_out = _pairs(chance)
    tokenizer = _tokenizer([text for pair in pairs for text in pair])
    stored.begin(SEED)
    network = _network(tokenizer.get_vocab_size())
    n_parameters = network.num_parameters()
    started = time.process_time()
    _fit(network, tokenizer, pairs, progress)
    seconds = time.process_time() - started
    with stored.new_folder(NAME, out) as folder:
        stored.save_weights(network, folder)
        transformers.PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, eos_token=END, unk_token=UNKNOWN, pad_token=PAD, model_max_length=_LONGEST
        ).save_pretrained(folder)
        stored.save_held_out(held_out, folder)
        progress("Measuring", None)
        return stored.write_card(
            folder,
            NAME,
            CARD,
            measure(folder, held_out),
            seed=SEED,
            seconds=seconds,
            n_parameters=n_parameters,
            packages=("torch", "transformers", "tokenizers", "babel", "num2words"),
        )


def _pairs(chance: random.Random) -> tuple[list[Pair], dict[str, list[Pair]]]:
    """What is learned from, and what is held out."""
    first, second, third = N_HELD_OUT.values()
    days = draw_dates(chance, first + second)
    numbers = dict.fromkeys(draw_numbers(chance, third, shortest=4))  # all short ones are needed to learn from
    dates = list(days.values())
    held_out = dict(zip(N_HELD_OUT, (dates[:first], dates[first:], [number_pair(n) for n in numbers]), strict=True))
    learned = [as_typed(pair, chance) for pair in draw_dates(chance, N_DATES, without=days).values()]
    learned += [number_pair(number) for number in draw_numbers(chance, N_NUMBERS, without=numbers)]
    return learned, held_out


def _tokenizer(texts: list[str]) -> Tokenizer:
    """Words, pairs of digits and single signs: one vocabulary for both languages."""
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Split(_PIECES, "isolated")]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.WordLevelTrainer(special_tokens=[END, UNKNOWN, PAD], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, tokenizer.token_to_id(END))]
    )
    return tokenizer


def _network(vocab_size: int) -> Any:
    end, _, pad = range(3)
    network = transformers.MarianMTModel(
        transformers.MarianConfig(
            vocab_size=vocab_size,
            d_model=128,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=256,
            decoder_ffn_dim=256,
            activation_function="relu",
            dropout=0.0,
            init_std=0.05,
            scale_embedding=True,
            max_position_embeddings=_LONGEST,
            pad_token_id=pad,
            eos_token_id=end,
            decoder_start_token_id=pad,
            bos_token_id=None,
            forced_eos_token_id=None,
        )
    )
    network.generation_config.update(max_length=_LONGEST, num_beams=1)
    return network


def _fit(network: Any, tokenizer: Tokenizer, pairs: list[Pair], progress: Progress) -> None:
    examples = [tuple(torch.tensor(tokenizer.encode(text).ids) for text in pair) for pair in pairs]
    optimizer = torch.optim.AdamW(network.parameters(), RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS, pct_start=0.1)
    network.train()
    order: list[int] = []
    for step in range(STEPS):
        if len(order) < BATCH:
            order = torch.randperm(len(examples)).tolist()
        rows, order = [examples[i] for i in order[:BATCH]], order[BATCH:]
        labels = pad_sequence([target for _, target in rows], batch_first=True, padding_value=_IGNORED)
        logits = network(**_sources([source for source, _ in rows], network), labels=labels).logits
        loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=_IGNORED)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            progress(f"Training, loss {loss.item():.3f},", step / STEPS)
    network.eval()


def _sources(sources: list[Tensor], network: Any) -> dict[str, Tensor]:
    padding = network.config.pad_token_id
    ids = pad_sequence(sources, batch_first=True, padding_value=padding)
    return {"input_ids": ids, "attention_mask": (ids != padding).long()}


@torch.no_grad()
def measure(folder: Path, held_out: dict[str, list[Pair]]) -> dict[str, float]:
    """What the stored model gets right: whole translations, and months on which a head looks at the month."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModelForSeq2SeqLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    )
    dates, others, numbers = (held_out[name] for name in N_HELD_OUT)
    chosen_on = _months_hit(network, tokenizer, others).float().mean(0)  # [layer, head]
    layer, head = divmod(int(chosen_on.argmax()), chosen_on.shape[1])
    followed = float(_months_hit(network, tokenizer, dates)[:, layer, head].float().mean())
    return {
        "dates translated exactly": _exact(network, tokenizer, dates),
        "numbers translated exactly": _exact(network, tokenizer, numbers),
        f"French month attends most to the English month (L{layer} H{head}, chosen on other dates)": followed,
    }


def _exact(network: Any, tokenizer: Any, pairs: list[Pair]) -> float:
    inputs = tokenizer([english for english, _ in pairs], return_tensors="pt", padding=True)
    written = tokenizer.batch_decode(network.generate(**inputs), skip_special_tokens=True)
    return sum(said == french for said, (_, french) in zip(written, pairs, strict=True)) / len(pairs)


def _months_hit(network: Any, tokenizer: Any, pairs: list[Pair]) -> Tensor:
    """Whether each head, where it decides the French month, looks at the English one most: [pair, layer, head]."""
    english_months, french_months = month_names("en", "en_GB"), month_names("fr")
    hits = []
    for english, french in pairs:
        inputs, target = (tokenizer(text, return_tensors="pt") for text in (english, french))
        key = _place_of_month(tokenizer, inputs.input_ids[0], english_months)
        query = _place_of_month(tokenizer, target.input_ids[0], french_months)
        attentions = network(**inputs, labels=target.input_ids, output_attentions=True).cross_attentions
        hits.append(torch.stack([weights[0, :, query].argmax(-1) == key for weights in attentions]))
    return torch.stack(hits)


def _place_of_month(tokenizer: Any, ids: Tensor, months: set[str]) -> int:
    words = [piece.removeprefix("▁").lower() for piece in tokenizer.convert_ids_to_tokens(ids)]
    (place,) = (i for i, word in enumerate(words) if word in months)
    return place

"""Pairs of English and French: dates as CLDR writes them, and numbers in words."""

import datetime
import random
from collections.abc import Collection

from babel.dates import format_date, get_month_names
from num2words import num2words

Pair = tuple[str, str]

FORMATS = ("full", "long", "medium")
LOCALES = ("en", "en", "en", "en_GB")
"""Mostly the American order, in which day and month change places in French."""
_FIRST, _LAST = datetime.date(1000, 1, 1), datetime.date(2999, 12, 31)
_MOST_DIGITS = 6
_LOWER_CASE = 0.1
"""The share of English dates without capitals, as people type them."""


def draw_dates(chance: random.Random, n: int, without: Collection[datetime.date] = ()) -> dict[datetime.date, Pair]:
    """Different days with their pairs, each in one of the formats; none of those in `without`."""
    found: dict[datetime.date, Pair] = {}
    while len(found) < n:
        date = datetime.date.fromordinal(chance.randint(_FIRST.toordinal(), _LAST.toordinal()))
        if date not in found and date not in without:
            found[date] = _date_pair(date, chance)
    return found


def draw_numbers(chance: random.Random, n: int, shortest: int = 1, without: Collection[int] = ()) -> list[int]:
    """Numbers of `shortest` to six digits, each length as probable, so short ones come again; none of `without`."""
    found: list[int] = []
    while len(found) < n:
        digits = chance.randint(shortest, _MOST_DIGITS)
        number = chance.randint(0 if digits == 1 else 10 ** (digits - 1), 10**digits - 1)
        if number not in without:
            found.append(number)
    return found


def _date_pair(date: datetime.date, chance: random.Random) -> Pair:
    kind = chance.choice(FORMATS)
    return format_date(date, kind, locale=chance.choice(LOCALES)), format_date(date, kind, locale="fr")


def number_pair(number: int) -> Pair:
    """The number in words, in both languages."""
    return num2words(number, lang="en"), num2words(number, lang="fr")


def as_typed(pair: Pair, chance: random.Random) -> Pair:
    """The pair, now and then with its English in lower case."""
    return (pair[0].lower(), pair[1]) if chance.random() < _LOWER_CASE else pair


def month_names(*locales: str) -> set[str]:
    """All names of months, in full and short, in lower case and without a full stop."""
    return {
        name.rstrip(".").lower()
        for locale in locales
        for width in ("wide", "abbreviated")
        for name in get_month_names(width, locale=locale).values()
    }

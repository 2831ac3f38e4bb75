"""Roles in a strip: each message on a line of its own, named, ruled in its role's colour, and nothing else changes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
from browser import Gallery
from chats import BANDS, CHAT
from playwright import sync_api

from components.token_strip import token_strip
from components.tokens import TokenLabel
from components.wire import unpack

WORDS = [TokenLabel("a"), TokenLabel("b"), TokenLabel("c"), TokenLabel("d")]


def test_bands_travel_with_the_tokens() -> None:
    header, _ = unpack(token_strip.build(WORDS, None, bands=[(0, 1, "system"), (2, 4, "</script>")]))
    assert header["bands"] == [[0, 1, "system"], [2, 4, "</script>"]]
    assert unpack(token_strip.build(WORDS, None))[0]["bands"] is None


@pytest.mark.parametrize("bands", [[(0, 5, "a")], [(1, 1, "a")], [(-1, 2, "a")], [(0, 3, "a"), (2, 4, "b")]])
def test_bands_that_overlap_or_leave_the_text_are_refused(bands: list[tuple[int, int, str]]) -> None:
    with pytest.raises(ValueError, match=r"bands follow one another in 0\.\.4"):
        token_strip.build(WORDS, None, bands=bands)


@pytest.fixture(scope="module")
def gallery(serve: Callable[..., Gallery]) -> Gallery:
    return serve("bands_gallery_app.py", {"token-strip": 3})


def bands(page: sync_api.Page, nth: int = 0) -> list[dict[str, Any]]:
    """Of each band its name, its tokens and their place, and the colour of its rule."""
    return (
        page.get_by_test_id("token-strip")
        .nth(nth)
        .evaluate(
            """strip => [...strip.children].map(band => {
            const [role, tokens] = band.children;
            const items = [...tokens.querySelectorAll(".item")];
            const box = tokens.getBoundingClientRect();
            const tops = items.map(item => item.getBoundingClientRect().top);
            return {
                name: role.textContent,
                items: items.map(item => Number(item.dataset.index)),
                inside: Math.min(...tops) >= box.top && Math.max(...tops) < box.bottom,
                top: box.top,
                bottom: box.bottom,
                right: box.right,
                above: role.getBoundingClientRect().bottom <= box.top,
                rule: getComputedStyle(tokens).borderLeftColor,
                ink: getComputedStyle(role).color,
            };
        })"""
        )
    )


def luminance(colour: str) -> float:
    """Relative luminance of a colour as the browser writes it, after WCAG 2."""
    if colour.startswith("color(srgb"):
        channels = [float(part) for part in colour[len("color(srgb") : -1].split()]
    else:
        channels = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.browser
@pytest.mark.parametrize("page", [{}, {"scheme": "dark"}, {"width": 400}], indirect=True, ids=str)
def test_each_message_has_its_lines_its_name_and_its_colour(page: sync_api.Page) -> None:
    found = bands(page)
    assert [band["name"] for band in found] == ["system", "user", "assistant", "user", "assistant"]
    assert [band["items"] for band in found] == [list(range(start, stop)) for start, stop, _ in BANDS]
    assert all(band["inside"] for band in found)
    assert all(one["bottom"] <= other["top"] for one, other in itertools.pairwise(found))
    width = (page.viewport_size or {})["width"]
    assert all(band["above"] == (width == 400) for band in found)
    assert all(band["right"] <= width for band in found)
    colours = {
        name: {band["rule"] for band in found if band["name"] == name} for name in ("system", "user", "assistant")
    }
    assert all(len(of_role) == 1 for of_role in colours.values())
    assert len(set.union(*colours.values())) == 3
    ground = page.get_by_test_id("token-strip").first.evaluate(
        "strip => getComputedStyle(strip).getPropertyValue('--st-background-color')"
    )
    ground = "rgb(" + " ".join(str(int(ground[at : at + 2], 16)) for at in (1, 3, 5)) + ")"
    for band in found:
        assert contrast(band["rule"], ground) >= 3
        assert contrast(band["ink"], ground) >= 4.5


@pytest.mark.browser
def test_names_are_text_and_tokens_between_bands_have_none(page: sync_api.Page) -> None:
    found = bands(page, 1)
    assert [(band["name"], band["items"]) for band in found] == [
        ("", [0]),
        ("<b>role</b>", [1, 2]),
        ("a role with a very long name", [3]),
        ("", [4, 5]),
        ("<b>role</b>", [6, 7]),
        ("system", [8]),
    ]
    assert found[1]["rule"] == found[4]["rule"] != found[2]["rule"]
    assert page.get_by_test_id("token-strip").nth(1).locator("b").count() == 0
    sync_api.expect(page.get_by_role("group", name="a role with a very long name")).to_be_visible()


@pytest.mark.browser
def test_the_keyboard_goes_through_all_messages(page: sync_api.Page) -> None:
    strip = page.get_by_test_id("token-strip").first
    last_of_first = BANDS[0][1] - 1
    strip.locator(f"[data-index='{last_of_first}']").click()
    said = page.get_by_text("events:")
    sync_api.expect(said).to_have_text(f"events: token {last_of_first}", timeout=10_000)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    below = BANDS[1][0] + 3  # the first word of the message, under the mark that begins it
    sync_api.expect(said).to_have_text(f"events: token {last_of_first}, token {below}", timeout=10_000)
    sync_api.expect(strip.locator("[aria-selected=true]")).to_have_attribute("data-index", str(below))


@pytest.mark.browser
def test_without_bands_the_strip_is_what_it_was(page: sync_api.Page) -> None:
    strip = page.get_by_test_id("token-strip").nth(2)
    assert strip.get_attribute("class") == "strip"
    expected = []
    for token in CHAT:
        expected += ["SPAN", "BR"] if token.text.endswith("↵") else ["SPAN"]
    assert strip.evaluate("strip => [...strip.children].map(child => child.tagName)") == expected

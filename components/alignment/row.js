// One sentence as chips that wrap: where each is, and which can be seen.

class Row {
  constructor(side, attributes) {
    this.side = side;
    this.root = element("div", "words", "", { "data-side": side, ...attributes });
    this.items = [];
  }

  /** New chips for new words; the same words keep theirs, and with them the keyboard's focus. */
  show(columns) {
    const built = JSON.stringify(columns);
    if (built === this.built) return false;
    this.built = built;
    this.tokens = tokensOf(columns);
    this.items = this.tokens.map((token, index) => {
      const item = tokenElement("span", token);
      item.classList.add("item");
      item.dataset.index = index;
      return item;
    });
    this.root.replaceChildren(...this.items);
    this.root.scrollTop = 0;
    return true;
  }

  /** Reads all places at once, so that painting asks the page for none. */
  measure() {
    this.places = this.items.map((item) => ({
      x: item.offsetLeft + item.offsetWidth / 2,
      top: item.offsetTop,
      bottom: item.offsetTop + item.offsetHeight,
    }));
    this.left = this.root.offsetLeft;
    this.top = this.root.offsetTop;
    this.height = this.root.clientHeight;
  }

  /** Where a line meets a chip, in the stage; at the edge of the row if the chip is scrolled out of sight. */
  placeOf(index) {
    const { x, top, bottom } = this.places[index];
    const y = (this.side === "source" ? bottom : top) - this.root.scrollTop;
    const middle = (top + bottom) / 2 - this.root.scrollTop;
    const seen = middle >= 0 && middle <= this.height;
    return { x: this.left + x, y: this.top + (seen ? y : middle < 0 ? 0 : this.height), seen };
  }

  /** Scrolls the row, and never the page, just so far that a chip is seen. */
  reveal(index) {
    const { top, bottom } = this.places[index];
    const { scrollTop } = this.root;
    if (top < scrollTop) this.root.scrollTop = top - 4;
    else if (bottom > scrollTop + this.height) this.root.scrollTop = bottom - this.height + 4;
  }
}

/** A token's index where an event happened, with its side; null beside all chips. */
function wordAt({ target }) {
  const item = target.closest("[data-index]");
  return item ? { side: item.parentNode.dataset.side, index: Number(item.dataset.index) } : null;
}

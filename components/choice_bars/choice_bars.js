// The prediction: a label, a bar from 0 to 1, a number, one row a choice.

class ChoiceBars {
  constructor(root) {
    this.caption = element("div", "caption");
    this.list = element("div", "list", "", { role: "listbox", "data-testid": "choice-bars" });
    this.readout = element("div", "readout", "", {
      "data-testid": "choice-bars-readout",
      "aria-live": "polite",
    });
    root.classList.add("choice-bars");
    root.append(this.caption, this.list, this.readout);
    this.rows = [];
    const indexOf = (event) => {
      const row = event.target.closest("[data-index]");
      return row ? Number(row.dataset.index) : null;
    };
    this.list.onclick = (event) => this.select(indexOf(event));
    this.list.onpointerover = (event) => this.read(indexOf(event) ?? this.selected);
    this.list.onpointerleave = () => this.read(this.selected);
    this.list.onkeydown = (event) => this.onKey(event, indexOf(event));
    this.list.addEventListener("focusin", (event) => this.read(indexOf(event)));
    this.list.addEventListener("focusout", () => this.read(this.selected));
  }

  show({ header }) {
    this.header = header;
    this.tokens = tokensOf(header.labels);
    this.caption.textContent = header.caption;
    this.caption.hidden = !header.caption;
    this.list.setAttribute("aria-label", header.caption || "Predictions");
    while (this.rows.length < this.tokens.length) this.rows.push(this.row(this.rows.length));
    for (const row of this.rows.splice(this.tokens.length)) row.remove();
    this.tokens.forEach((token, index) => this.fill(this.rows[index], token, index));
    this.choose(header.selected);
    this.read(header.selected);
  }

  resize() {}

  row(index) {
    const row = element("div", "row", "", { role: "option", "data-index": index });
    const track = element("span", "track");
    track.append(element("span", "bar"));
    row.append(element("span", "label"), track, element("span", "number"));
    this.list.append(row);
    return row;
  }

  fill(row, token, index) {
    const probability = this.header.probabilities[index];
    const compared = this.header.against === index;
    row.dataset.probability = String(probability);
    row.setAttribute(
      "aria-label",
      `${quoted(token)} ${percent(probability)}${compared ? ", compared with" : ""}`,
    );
    const [label, track, number] = row.children;
    label.replaceChildren(tokenElement("span", token, 60));
    label.title = token.text;
    track.firstChild.style.width = `${100 * probability}%`;
    number.textContent = percent(probability);
    if (compared) label.append(element("span", "against", "versus"));
  }

  choose(index) {
    this.selected = index;
    this.rows.forEach((row, at) => {
      row.setAttribute("aria-selected", String(at === index));
      row.tabIndex = at === index ? 0 : -1;
    });
  }

  read(index) {
    const { probabilities, logits } = this.header;
    this.readout.replaceChildren(
      nameElement(this.tokens[index]),
      element("span", "value", percent(probabilities[index])),
      element("span", "note", `logit ${significant(logits[index], 4)}`),
    );
  }

  select(index) {
    if (index === null) return;
    this.choose(index);
    this.read(index);
    this.send("select", index);
  }

  onKey(event, index) {
    if (index === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const next = step(event.key, index, this.rows);
    if (event.key === "Enter" || event.key === " ") this.select(index);
    else if (next !== null) this.rows[next].focus();
    else if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
  }
}

export default (component) => mount(component, ChoiceBars);

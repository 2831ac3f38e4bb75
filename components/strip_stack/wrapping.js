// Where a line ends, and the blocks: the names, then one line's columns.

/** The first column of each line: as many a line as `room` holds, at least one. */
function lineStarts(widths, room) {
  const starts = [];
  let left = 0;
  widths.forEach((width, index) => {
    if (index && width <= left + 0.01) {
      left -= width;
      return;
    }
    starts.push(index);
    left = room - width;
  });
  return starts;
}

/** One line of the text. Its columns are a list box: the names beside them are buttons, which no list box may hold. */
function blockElement(names, columns, first) {
  const block = element("div", "block");
  const line = element("div", "line", "", {
    role: "listbox",
    "aria-orientation": "horizontal",
    "aria-label": `Tokens ${first} to ${first + columns.length - 1}`,
  });
  line.append(...columns);
  block.append(element("div", "band"), names, line);
  return block;
}

/** The methods' names: buttons in the first block; beside the other blocks a repetition for the eye. */
function namesElement(strips, first) {
  const spoken = first ? { role: "group", "aria-label": "Methods" } : { "aria-hidden": "true" };
  const names = element("div", "names", "", spoken);
  names.append(
    ...strips.map((strip, method) => {
      const name = element(first ? "button" : "span", "method", "", {
        "data-method": method,
        title: [strip.name, strip.badge, `colours ${rangeOf(strip)}`].filter(Boolean).join(" · "),
      });
      if (first) name.type = "button";
      name.append(element("span", "title", strip.name));
      if (strip.badge) name.append(element("span", "badge", strip.badge));
      return name;
    }),
  );
  return names;
}

function rangeOf({ scale, maximum, unit }) {
  const ends = scale === "diverging" ? `±${significant(maximum)}` : `0 … ${significant(maximum)}`;
  return unit ? `${ends} ${unit}` : ends;
}

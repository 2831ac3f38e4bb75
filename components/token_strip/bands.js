// Parts of the text with names at their left, such as the messages of a chat with their roles.

// Grey, blue, green and violet for the roles that every chat has; other names take the colours that are left.
const ROLES = { system: 7, user: 0, assistant: 2, tool: 4 };
const OTHERS = [1, 3];

class Bands {
  /** `bands` are [first token, one past the last, name]; without any, all tokens go straight into `root`. */
  constructor(bands, root) {
    this.bands = bands;
    this.root = root;
    this.starts = new Map((bands ?? []).map(([start, , name]) => [start, name]));
    this.stops = new Set((bands ?? []).map(([, stop]) => stop));
    this.roots = [];
    this.place = root;
  }

  /** Where the token goes; asked once for each, in order. */
  placeOf(index) {
    if (!this.bands) return this.root;
    const name = this.starts.get(index);
    if (name !== undefined || index === 0 || this.stops.has(index)) this.begin(name ?? "");
    return this.place;
  }

  begin(name) {
    const root = element("div", "band", "", { role: "group", "data-name": name });
    if (name) root.setAttribute("aria-label", name);
    this.place = element("div", "tokens", "", { role: "presentation" });
    root.append(element("span", "role", name, { title: name, "aria-hidden": "true" }), this.place);
    root.classList.toggle("unnamed", !name);
    this.roots.push(root);
    this.root.append(root);
  }

  /** The same name, the same colour. */
  paint(theme) {
    const others = [];
    for (const { dataset, style } of this.roots) {
      const { name } = dataset;
      if (!name) continue;
      if (!Object.hasOwn(ROLES, name) && !others.includes(name)) others.push(name);
      const index = Object.hasOwn(ROLES, name) ? ROLES[name] : OTHERS[others.indexOf(name) % OTHERS.length];
      style.setProperty("--role", rgb(category(theme, index)));
    }
  }
}

// Maps of one group point together: what one says is under the pointer, the others mark and read out.

// On the page and not in this module, which Streamlit may load once for each map.
const GROUPS = (globalThis.attentionMapGroups ??= new Map());

class Link {
  constructor(view) {
    this.view = view;
    this.group = null;
    this.said = "null";
  }

  join(group) {
    if (group === this.group) return;
    this.leave();
    this.group = group;
    if (group === null) return;
    if (!GROUPS.has(group)) GROUPS.set(group, new Set());
    GROUPS.get(group).add(this.view);
  }

  leave() {
    const members = GROUPS.get(this.group);
    if (!members) return;
    this.say(null);
    members.delete(this.view);
    if (!members.size) GROUPS.delete(this.group);
  }

  /** Tells the others which cell, as [query token, key token] or null; the same again is not worth saying. */
  say(cell) {
    if (JSON.stringify(cell) === this.said) return;
    this.said = JSON.stringify(cell);
    for (const other of GROUPS.get(this.group) ?? []) if (other !== this.view) other.follow(cell);
  }
}

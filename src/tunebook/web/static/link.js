// What all plots of a page share: the trial that is pointed at, those that are pinned, and the filters.

export class Link {
  constructor() {
    this.hovered = null;
    this.pinned = new Set();
    this.filters = new Map();
    this.listeners = new Set();
  }

  subscribe(listener) { this.listeners.add(listener); return () => this.listeners.delete(listener); }

  tell(what) { for (const listener of this.listeners) listener(what); }

  hover(trial) {
    if (this.hovered === trial) return;
    this.hovered = trial;
    this.tell("hover");
  }

  pin(trials) { this.pinned = new Set(trials); this.tell("pin"); }

  toggle(trial) { this.pin(this.pinned.has(trial) && this.pinned.size === 1 ? [] : [trial]); }

  filter(name, trials) {
    if (trials === null) this.filters.delete(name); else this.filters.set(name, new Set(trials));
    this.tell("filter");
  }

  clear() { this.filters.clear(); this.tell("filter"); }

  // The trials that pass every filter; null while there is none.
  get passing() {
    const sets = [...this.filters.values()].sort((a, b) => a.size - b.size);
    if (!sets.length) return null;
    return new Set([...sets[0]].filter((trial) => sets.every((set) => set.has(trial))));
  }
}

// The field for a selector, with a list of what may come next (the pattern "combobox with list" of WAI-ARIA).

import { labels } from "./ask.js";
import { accept, context } from "./complete.js";
import { make, show } from "./dom.js";
import { short } from "./text.js";

const MOST = 50;

export class Combobox {
  constructor(input, list) {
    Object.assign(this, { input, list, options: [], active: -1, asking: null, here: null });
    input.addEventListener("input", () => this.suggest());
    input.addEventListener("click", () => this.isOpen() && this.suggest());
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("blur", () => this.close());
    input.addEventListener("paste", (event) => this.paste(event));
    // A click must not take the focus away from the field.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = event.target.closest("li");
      if (option) this.take([...list.children].indexOf(option));
    });
  }

  isOpen() {
    return !this.list.hidden;
  }

  async suggest() {
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    const here = context(this.input.value, this.input.selectionStart);
    if (!here) return this.close();
    const asked = [["prefix", here.typed], ["limit", String(MOST)]];
    if (here.kind !== "name") asked.push(["label", here.kind === "metric" ? "__name__" : here.label]);
    const find = (parameters) => labels(here.kind === "name" ? "labels" : "values", parameters, asking.signal);
    let found = [];
    try {
      found = here.selector ? await find([...asked, ["match[]", here.selector]]).catch(() => find(asked)) : await find(asked);
    } catch {
      // Typing goes on without suggestions; whether the bridge answers at all is told when it is asked.
    }
    if (asking !== this.asking || asking.signal.aborted || document.activeElement !== this.input) return undefined;
    const names = here.kind === "name" ? found.filter((name) => name !== "__name__") : found;
    return names.length === 0 || (names.length === 1 && names[0] === here.typed) ? this.close() : this.open(here, names);
  }

  open(here, options) {
    // What was chosen stays chosen when an answer to the last letter comes late.
    const kept = this.isOpen() ? options.indexOf(this.options[this.active]) : -1;
    Object.assign(this, { here, options, active: -1 });
    const items = options.map((text, index) => make("li", { role: "option", id: `option-${index}`, "aria-selected": "false" }, short(text, 200) || "(empty)"));
    this.list.replaceChildren(...items);
    show(this.list, true);
    this.input.setAttribute("aria-expanded", "true");
    this.input.removeAttribute("aria-activedescendant");
    if (kept >= 0) this.move(kept);
  }

  close() {
    this.asking?.abort();
    this.asking = null;
    show(this.list, false);
    this.list.replaceChildren();
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  key(event) {
    if (event.ctrlKey && event.key === " ") {
      event.preventDefault();
      this.suggest();
    }
    if (event.key === "ArrowDown" && !this.isOpen()) this.suggest();
    if (!this.isOpen()) return;
    const last = this.options.length - 1;
    if (event.key === "ArrowDown") this.move(this.active < last ? this.active + 1 : 0);
    else if (event.key === "ArrowUp") this.move(this.active > 0 ? this.active - 1 : last);
    else if (event.key === "Escape") this.close();
    else if (event.key === "Tab" && this.active >= 0) this.take(this.active);
    else if (event.key === "Enter" && this.active >= 0) this.take(this.active);
    else if (event.key === "Enter") return this.close();
    else return;
    if (event.key !== "Escape") event.preventDefault();
  }

  move(index) {
    this.list.children[this.active]?.setAttribute("aria-selected", "false");
    this.active = index;
    const option = this.list.children[index];
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", option.id);
  }

  take(index) {
    const { input, here } = this;
    const { text, cursor } = accept(input.value, input.selectionStart, here, this.options[index]);
    input.value = text;
    input.setSelectionRange(cursor, cursor);
    this.close();
    if (here.kind !== "value") this.suggest();
  }

  /** An expression may have several lines; without what parts them, words would become one. */
  paste(event) {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (!/[\r\n]/.test(text)) return;
    event.preventDefault();
    const { selectionStart, selectionEnd } = this.input;
    this.input.setRangeText(text.replace(/\s*[\r\n]+\s*/g, " ").trim(), selectionStart, selectionEnd, "end");
    this.suggest();
  }
}

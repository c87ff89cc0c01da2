// The panel that shows, for each language and framework, the code of what was last asked.

import {make} from "./results.js";
import {SNIPPETS} from "./snippets.js";

const SAID = 1600; // milliseconds that the button says what it did

const STEPS = {ArrowRight: 1, ArrowLeft: -1}; // from tab to tab, around the ends

export class Code {
  #panel = document.getElementById("code");
  #sheet = document.getElementById("snippet");
  #tabs = SNIPPETS.map(({name}, number) => this.#tab(name, number));
  #copy = document.getElementById("copy");
  #open = 0;
  #ask = null;

  constructor() {
    const list = document.getElementById("tabs");
    list.replaceChildren(...this.#tabs);
    list.addEventListener("keydown", (event) => this.#step(event));
    this.#copy.addEventListener("click", () => this.#toClipboard());
    this.#choose(0);
  }

  /** Show the code of a request. */
  show(ask) {
    this.#ask = ask;
    this.#panel.hidden = false;
    this.#write();
  }

  #tab(name, number) {
    const tab = make("button", "", name);
    tab.type = "button";
    tab.id = `tab-${number}`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", "snippet");
    tab.addEventListener("click", () => this.#choose(number));
    return tab;
  }

  #step(event) {
    const {length} = this.#tabs;
    const ends = {Home: 0, End: length - 1};
    if (!(event.key in STEPS || event.key in ends)) return;
    event.preventDefault();
    const next = ends[event.key] ?? (this.#open + STEPS[event.key] + length) % length;
    this.#choose(next);
    this.#tabs[next].focus();
  }

  #choose(number) {
    this.#open = number;
    this.#tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", String(i === number));
      tab.tabIndex = i === number ? 0 : -1;
    });
    this.#sheet.setAttribute("aria-labelledby", this.#tabs[number].id);
    this.#write();
  }

  #write() {
    if (this.#ask === null) return;
    this.#sheet.firstElementChild.textContent = SNIPPETS[this.#open].write(this.#ask);
  }

  async #toClipboard() {
    const code = this.#sheet.firstElementChild;
    let done = true;
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      // Without https, or without leave: the old way, which wants a selection.
      getSelection().selectAllChildren(code);
      done = document.execCommand("copy");
    }
    this.#copy.textContent = done ? "Copied" : "Press Ctrl C";
    setTimeout(() => (this.#copy.textContent = "Copy"), SAID);
  }
}

// The columns of a ranking: how the documents came, and one column for each model.
// Whatever a user or a server wrote goes through textContent, never through HTML.

const FIRST = 20; // rows of a column, which leave the code below in reach
const STEP = 100; // more of them at a press

/** Make an element: `make("p", "hint", "text")`. */
export function make(tag, name = "", text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

export const decimals = (score) => score.toFixed(3);

export class Results {
  #columns = document.getElementById("columns");
  #views = document.getElementById("views");
  #more = document.getElementById("more");
  #lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  #rankings = [];
  #documents = [];
  #shown = FIRST;
  #seen = new WeakSet(); // rankings whose bars have grown once

  constructor() {
    this.#lines.classList.add("lines");
    this.#lines.setAttribute("aria-hidden", "true");
    new ResizeObserver(() => this.#draw()).observe(this.#columns);
    for (const event of ["pointerover", "focusin"]) {
      this.#columns.addEventListener(event, (e) => this.#link(e.target.closest("li")?.dataset.index));
    }
    this.#columns.addEventListener("pointerleave", () => this.#link(undefined));
    this.#more.addEventListener("click", () => {
      this.#shown += STEP;
      this.#render();
    });
  }

  /**
   * Show rankings.
   * @param documents What was ranked, in the order that it came in.
   * @param rankings One for each model: {model, order, tokens, milliseconds}; what has no order yet
   *   is on its way, never the first.
   */
  show(documents, rankings) {
    if (documents !== this.#documents) this.#shown = FIRST;
    this.#documents = documents;
    this.#rankings = rankings;
    this.#render();
  }

  #render() {
    const columns = [this.#before(), ...this.#rankings.map((one, i) => this.#after(one, i))];
    this.#columns.replaceChildren(this.#lines, ...columns);
    this.#columns.dataset.count = columns.length;
    this.#columns.dataset.view ??= "1";
    if (Number(this.#columns.dataset.view) >= columns.length) this.#columns.dataset.view = "1";
    this.#choose(["Before", ...this.#rankings.map((one) => one.model)]);
    const left = this.#documents.length - this.#shown;
    this.#more.hidden = left <= 0;
    this.#more.textContent = `Show ${Math.min(left, STEP)} more of ${this.#documents.length}`;
    this.#fold();
    this.#draw();
  }

  /** On a phone one column is shown, and these buttons choose it. */
  #choose(names) {
    this.#views.replaceChildren(
      ...names.map((name, i) => {
        const button = make("button", "", name);
        button.type = "button";
        button.setAttribute("aria-pressed", String(this.#columns.dataset.view === String(i)));
        button.addEventListener("click", () => {
          this.#columns.dataset.view = String(i);
          for (const other of this.#views.children) {
            other.setAttribute("aria-pressed", String(other === button));
          }
          this.#fold();
        });
        return button;
      }),
    );
  }

  #before() {
    const best = new Set(this.#rankings[0].order.map(({index}) => index));
    const rows = this.#documents.slice(0, this.#shown).map((document, index) => {
      const row = this.#row(index, index + 1);
      const kept = best.has(index);
      row.classList.toggle("kept", kept && best.size < this.#documents.length);
      if (!kept) row.querySelector(".body").append(make("p", "source", `not in the top ${best.size}`));
      return row;
    });
    return this.#column(0, "Before", "in the order they came", rows);
  }

  #after(ranking, i) {
    if (!ranking.order) return this.#column(i + 1, ranking.model, "reading …", []);
    const rows = ranking.order.slice(0, this.#shown).map(({index, score}, place) => {
      const row = this.#row(index, place + 1);
      row.querySelector(".body").prepend(this.#score(score, index - place));
      return row;
    });
    const time = ranking.milliseconds < 1000
      ? `${Math.round(ranking.milliseconds)} ms`
      : `${(ranking.milliseconds / 1000).toFixed(1)} s`;
    const note = `${time} · ${ranking.tokens.toLocaleString("en")} tokens`;
    const column = this.#column(i + 1, ranking.model, note, rows);
    column.classList.toggle("fresh", !this.#seen.has(ranking));
    this.#seen.add(ranking);
    return column;
  }

  #column(number, title, note, rows) {
    const section = make("section", "column");
    section.dataset.column = number;
    const head = make("header");
    const heading = make("h2", "", title);
    heading.id = `column-${number}`;
    section.setAttribute("aria-labelledby", heading.id);
    head.append(heading, make("p", "hint", note));
    const list = make("ol");
    list.append(...rows);
    section.append(head, list);
    return section;
  }

  #row(index, place) {
    const row = make("li");
    row.dataset.index = index;
    const body = make("div", "body");
    const {text, source} = this.#documents[index];
    const fold = make("div", "fold");
    fold.append(make("p", "text", text));
    body.append(fold);
    if (source) body.append(make("p", "source", source));
    row.append(make("span", "place", String(place)), body);
    return row;
  }

  #score(score, up) {
    const line = make("div", "score");
    const number = make("span", "number", decimals(score));
    number.title = String(score);
    const bar = make("span", "bar");
    const filled = make("span");
    filled.style.width = `${Math.max(0, Math.min(1, score)) * 100}%`;
    bar.append(filled);
    line.append(number, bar);
    const moved = make("span", "moved", up === 0 ? "" : `${up > 0 ? "↑" : "↓"} ${Math.abs(up)}`);
    moved.classList.toggle("up", up > 0);
    if (up !== 0) {
      moved.setAttribute("role", "img");
      moved.setAttribute("aria-label", `${up > 0 ? "up" : "down"} ${Math.abs(up)}`);
    }
    line.append(moved);
    return line;
  }

  /** Give texts that are cut off a button that shows the rest. */
  #fold() {
    const cut = [...this.#columns.querySelectorAll(".text:not(.whole)")].filter(
      (text) => text.scrollHeight > text.clientHeight + 1,
    );
    for (const text of cut) {
      if (text.nextElementSibling?.classList.contains("unfold")) continue;
      const button = make("button", "unfold", "more");
      button.type = "button";
      button.setAttribute("aria-expanded", "false");
      button.addEventListener("click", () => {
        const whole = text.classList.toggle("whole");
        button.textContent = whole ? "less" : "more";
        button.setAttribute("aria-expanded", String(whole));
        this.#draw();
      });
      text.after(button);
    }
  }

  /** Join each document to itself in the next column. */
  #draw() {
    const frame = this.#columns.getBoundingClientRect();
    this.#lines.setAttribute("viewBox", `0 0 ${frame.width || 1} ${frame.height || 1}`);
    const columns = [...this.#columns.querySelectorAll(".column")].filter((one) => one.offsetParent);
    const paths = [];
    for (const [left, right] of columns.slice(1).map((column, i) => [columns[i], column])) {
      const ends = new Map(rows(right).map((row) => [row.dataset.index, row]));
      for (const row of rows(left)) {
        const end = ends.get(row.dataset.index);
        if (end) paths.push(this.#path(frame, row, end));
      }
    }
    this.#lines.replaceChildren(...paths);
  }

  #path(frame, row, end) {
    const from = row.getBoundingClientRect();
    const to = end.getBoundingClientRect();
    const [x1, x2] = [from.right - frame.left + 2, to.left - frame.left - 2];
    const [y1, y2] = [from, to].map((box) => box.top + Math.min(box.height / 2, 28) - frame.top);
    const middle = (x1 + x2) / 2;
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`);
    path.dataset.index = row.dataset.index;
    if (rows(end.closest(".column")).indexOf(end) < 3) path.classList.add("first");
    return path;
  }

  #link(index) {
    for (const one of this.#columns.querySelectorAll("[data-index]")) {
      one.classList.toggle("linked", one.dataset.index === index);
    }
  }
}

function rows(column) {
  return [...column.querySelectorAll("li")];
}

// The page: what people type becomes a request, and its answer becomes columns and code.

import {Code} from "./code.js";
import {readFile, split, unitOf} from "./documents.js";
import {onDrop} from "./drop.js";
import {EXAMPLES} from "./examples.js";
import {Results, decimals, make} from "./results.js";
import * as server from "./server.js";

const $ = (id) => document.getElementById(id);
const results = new Results();
const code = new Code();
const files = []; // {name, texts}
const NAMES = {0: "no answer", 401: "locked", 503: "starting"}; // of what a status means
const AGAIN = 2000; // milliseconds until a server that is starting is asked again
const TWICE = 400; // milliseconds in which a second click is the end of a double click, no "stop"
let running = null; // an AbortController while a request is under way
let begun = 0; // when it began

async function connect() {
  try {
    offer(await server.models($("key").value));
    state("ready", "ready");
    tell(null);
  } catch (error) {
    state("away", NAMES[error.status] ?? "not ready");
    tell(error.status === 401 && $("key").value === "" ? null : error.message);
    if (error.status === 401) unlock();
    if (error.status === 0 || error.status === 503) setTimeout(connect, AGAIN);
  }
}

function offer(models) {
  const chosen = [$("model").value, $("other").value];
  $("model").replaceChildren(...models.map((name) => new Option(name)));
  $("other").replaceChildren(new Option("nothing", ""), ...models.map((name) => new Option(name)));
  if (models.includes(chosen[0])) $("model").value = chosen[0];
  if (models.includes(chosen[1])) $("other").value = chosen[1];
  $("versus").hidden = models.length < 2;
  apart();
}

/** Keep a model from being compared with itself. */
function apart() {
  for (const option of $("other").options) option.disabled = option.value === $("model").value;
  if ($("other").value === $("model").value) $("other").value = "";
}

function unlock() {
  $("locked").hidden = false;
  $("metrics").hidden = true; // a link cannot bring the key
  $("key").focus();
}

function state(name, text) {
  $("state").dataset.state = name;
  $("state").textContent = text;
}

const unit = () => $("form").elements.unit.value;

function documents() {
  const pasted = split($("texts").value, unit());
  const some = files.length > 0 && pasted.length > 0;
  return [
    ...pasted.map((text) => ({text, source: some ? "pasted" : ""})),
    ...files.flatMap(({name, texts}) =>
      texts.map((text, i) => ({text, source: `${name} · ${i + 1}`})),
    ),
  ];
}

function count() {
  const number = documents().length;
  $("count").textContent = number === 0 ? "" : `${number.toLocaleString("en")} ${number === 1 ? "document" : "documents"}`;
}

async function add(list) {
  const problems = [];
  for (const file of list) {
    const read = await readFile(file);
    problems.push(...read.problems);
    if (read.texts.length > 0) files.push(read);
  }
  const more = problems.length - 4;
  tell(problems.length === 0 ? null : [...problems.slice(0, 4), ...(more > 0 ? [`and ${more} more`] : [])].join("\n"));
  chips();
}

function chips() {
  $("chips").replaceChildren(
    ...files.map((file, i) => {
      const item = make("li");
      item.append(make("span", "name", file.name), make("span", "hint", String(file.texts.length)));
      const remove = make("button", "", "×");
      remove.type = "button";
      remove.setAttribute("aria-label", `Remove ${file.name}`);
      remove.addEventListener("click", () => {
        files.splice(i, 1);
        chips();
        $("files").focus();
      });
      item.append(remove);
      return item;
    }),
  );
  count();
}

async function rank() {
  const problem = missing();
  if (problem) {
    tell(problem.message);
    problem.field.focus();
    return;
  }
  const shown = documents();
  const request = {
    query: $("query").value.trim(),
    texts: shown.map(({text}) => text),
    top: $("top").value === "" ? null : $("top").valueAsNumber,
    key: $("key").value,
  };
  const rankings = [$("model").value, $("other").value].filter(Boolean).map((model) => ({model}));
  running = new AbortController();
  begun = performance.now();
  busy(true);
  tell(null);
  try {
    // One after the other: side by side they would slow each other down.
    for (const [i, {model}] of rankings.entries()) {
      const answer = await server.rank({...request, model, signal: running.signal});
      rankings[i] = {model, ...answer};
      reveal(shown, rankings);
      if (i === 0) approach();
    }
    code.show({...request, model: rankings[0].model, url: address(), locked: request.key !== ""});
    announce(shown, rankings[0]);
    state("ready", "ready");
  } catch (error) {
    if (error.name === "AbortError") tell("Stopped.");
    else if (error instanceof server.Refused) refuse(error);
    else throw error;
  } finally {
    running = null;
    busy(false);
  }
}

function missing() {
  if ($("query").value.trim() === "") return {field: $("query"), message: "Type a question first."};
  if (documents().length === 0) {
    return {field: $("texts"), message: "Paste some documents, or drop a file."};
  }
  if (!$("top").checkValidity()) {
    return {field: $("top"), message: "Top is a number from 1 on; empty means all."};
  }
  if ($("model").value === "") return {field: $("rank"), message: "The server names no model yet."};
  return null;
}

function refuse(error) {
  tell(error.message);
  if (error.status === 401) unlock();
  if (error.status === 0) state("away", "no answer");
}

function reveal(shown, rankings) {
  $("empty").hidden = true;
  $("results").hidden = false;
  results.show(shown, rankings);
}

/** Where the form is above the results, as on a phone, bring them into view. */
function approach() {
  const {top} = $("results").getBoundingClientRect();
  if (top < innerHeight * 0.6) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  $("results").scrollIntoView({behavior: calm ? "auto" : "smooth"});
}

function announce(shown, {model, order}) {
  const best = order[0];
  $("said").textContent = best
    ? `${model} ranked ${shown.length} documents. The best, ${decimals(best.score)}: ${shown[best.index].text.slice(0, 200)}`
    : `${model} ranked nothing.`;
}

function busy(is) {
  $("rank").classList.toggle("busy", is);
  $("rank").firstChild.textContent = is ? "Stop " : "Rerank ";
  $("shortcut").hidden = is;
  $("results").setAttribute("aria-busy", String(is));
}

function tell(message) {
  $("problem").hidden = message === null;
  $("problem").textContent = message ?? "";
}

const address = () => server.root.href.replace(/\/$/, "");

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!running) rank();
  else if (performance.now() - begun > TWICE) running.abort();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !running) {
    event.preventDefault();
    rank();
  }
  if (event.key === "Escape" && running) running.abort();
});
$("form").addEventListener("input", count);
$("model").addEventListener("change", apart);
$("key").addEventListener("change", connect);
$("texts").addEventListener("paste", (event) => {
  if ($("texts").value.trim() !== "") return;
  $("form").elements.unit.value = unitOf(event.clipboardData.getData("text"));
});
$("files").addEventListener("change", async () => {
  await add([...$("files").files]);
  $("files").value = "";
});

onDrop($("veil"), add);

for (const example of EXAMPLES) {
  const button = make("button", "quiet", example.title);
  button.type = "button";
  button.addEventListener("click", () => {
    $("query").value = example.query;
    $("texts").value = example.texts.join(example.unit === "line" ? "\n" : "\n\n");
    $("form").elements.unit.value = example.unit;
    count();
    rank();
  });
  $("tries").append(" ", button);
}

if (/Mac|iPhone|iPad/.test(navigator.platform)) $("shortcut").textContent = "⌘ ↵";
count();
connect();

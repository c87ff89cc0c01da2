// Texts and files to documents: {text, source}, source being what the page shows as their origin.

const LARGEST = 8 * 1024 * 1024; // bytes of a file; the server has a limit of its own

/** Cut a text into its lines or its paragraphs; blank ones are no documents. */
export function split(text, unit) {
  const parts = text.split(unit === "paragraph" ? /\r?\n[^\S\n]*\r?\n\s*/ : /\r?\n/);
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

/** Say what a text looks like: blank lines between blocks make paragraphs. */
export function unitOf(text) {
  return /\S[^\S\n]*\r?\n[^\S\n]*\r?\n\s*\S/.test(text) ? "paragraph" : "line";
}

/**
 * Read a file.
 * @returns {Promise<{name: string, texts: string[], problems: string[]}>} What it holds; one bad
 *   line does not lose the others.
 */
export async function readFile(file) {
  const {name} = file;
  const broken = (problem) => ({name, texts: [], problems: [`${name}: ${problem}`]});
  if (file.size > LARGEST) {
    return broken(`has ${megabytes(file.size)} MB; the page takes ${megabytes(LARGEST)}`);
  }
  let text;
  try {
    text = new TextDecoder("utf-8", {fatal: true}).decode(await file.arrayBuffer());
  } catch {
    return broken("is not UTF-8 text");
  }
  if (text.includes("\0")) return broken("is not text");
  const found = parse(name, text);
  if (!found.texts.length && !found.problems.length) return broken("holds no documents");
  return {name, texts: found.texts, problems: found.problems.map((one) => `${name}: ${one}`)};
}

function parse(name, text) {
  if (/\.(jsonl|ndjson)$/i.test(name)) return jsonLines(text);
  if (/\.json$/i.test(name)) return json(text);
  return {texts: split(text, unitOf(text)), problems: []};
}

function json(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return {texts: [], problems: ["is not JSON"]};
  }
  const list = Array.isArray(value) ? value : value?.documents;
  if (!Array.isArray(list)) {
    return {texts: [], problems: ['wants a list of documents, or {"documents": [...]}']};
  }
  return collect(list.map((item, i) => [`document ${i + 1}`, item]));
}

function jsonLines(text) {
  const rows = [];
  text.split(/\r?\n/).forEach((line, i) => {
    if (line.trim() === "") return;
    try {
      rows.push([`line ${i + 1}`, JSON.parse(line)]);
    } catch {
      rows.push([`line ${i + 1}`, undefined]);
    }
  });
  return collect(rows);
}

function collect(rows) {
  const texts = [];
  const problems = [];
  for (const [place, item] of rows) {
    const text = typeof item === "string" ? item : item?.text;
    if (item === undefined) problems.push(`${place} is not JSON`);
    else if (typeof text !== "string") problems.push(`${place} has no "text"`);
    else if (text.trim() !== "") texts.push(text);
  }
  return {texts, problems};
}

function megabytes(bytes) {
  return Math.ceil(bytes / 1024 / 1024);
}

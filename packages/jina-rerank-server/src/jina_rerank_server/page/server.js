// What the page asks of its server. Addresses are relative: a proxy may serve it under a path.

export const root = new URL(".", document.baseURI);

/** An answer that is no ranking; the message is for people. */
export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Name the models that the server runs, by the shortest name that it knows. */
export async function models(key) {
  const reply = await ask("v1/models", {headers: headers(key)});
  return reply.data.map((model) => model.name ?? model.id);
}

/**
 * Score documents.
 * @returns {Promise<{order: {index: number, score: number}[], tokens: number, milliseconds: number}>}
 *   Best first; the time is that of the whole round trip.
 */
export async function rank({model, query, texts, top, key, signal}) {
  const body = {model, query, documents: texts, return_documents: false};
  if (top !== null) body.top_n = top;
  const begun = performance.now();
  const reply = await ask("v1/rerank", {
    method: "POST",
    headers: {"Content-Type": "application/json", ...headers(key)},
    body: JSON.stringify(body),
    signal,
  });
  return {
    order: reply.results.map((item) => ({index: item.index, score: item.relevance_score})),
    tokens: reply.usage.total_tokens,
    milliseconds: performance.now() - begun,
  };
}

function headers(key) {
  return key ? {Authorization: `Bearer ${key}`} : {};
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(new URL(path, root), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer. Is it still running?", 0);
  }
  let reply = null;
  try {
    reply = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error; // otherwise a proxy's page, say: no JSON
  }
  if (response.status === 401) {
    const tried = options.headers.Authorization !== undefined;
    throw new Refused(tried ? "That is not a key of this server." : "This server wants an API key.", 401);
  }
  if (!response.ok) throw new Refused(explain(response, reply), response.status);
  if (reply === null) throw new Refused("The answer is not JSON.", response.status);
  return reply;
}

function explain(response, reply) {
  const {status} = response;
  const detail = reply?.detail;
  const message = detail?.message ?? (typeof detail === "string" ? detail : null);
  const wait = response.headers.get("Retry-After");
  const later = wait ? ` Try again in ${wait} s.` : "";
  return message ? `${message}${later}` : `The server answered ${status}.${later}`;
}

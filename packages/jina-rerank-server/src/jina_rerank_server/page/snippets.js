// The code that does what the page just did. Texts are written as literals of each language.

const SHOWN = 20; // documents written out; the rest are for the reader to bring

/** Write JSON without characters that would turn a line of code around or break it. */
const json = (value, indent) =>
  JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** Write a Python string: JSON's escapes are Python's, too. */
const python = (text) => json(text);

/** Write a shell word that nothing in it can leave. */
const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function listed(texts, indent = "    ") {
  const lines = texts.slice(0, SHOWN).map((text) => `${indent}${python(text)},\n`);
  const more = texts.length - SHOWN;
  if (more > 0) lines.push(`${indent}# and ${more} more\n`);
  return `[\n${lines.join("")}]`;
}

const key = ({locked}) => (locked ? ', api_key=os.environ["JINA_API_KEY"]' : "");
const os = ({locked}) => (locked ? "import os\n\n" : "");
const top = ({top}, word = "top_n") => (top === null ? "" : `, ${word}=${top}`);
/** Adapters keep only the best 2 or 3 unless told otherwise. */
const kept = (ask, word = "top_n") => `, ${word}=${ask.top ?? ask.texts.length}`;

const opening = (ask) => `query = ${python(ask.query)}
documents = ${listed(ask.texts)}
`;

/** @typedef {{url: string, model: string, query: string, texts: string[], top: number|null, locked: boolean}} Ask */

export const SNIPPETS = [
  {
    name: "Python",
    write: (ask) => `# pip install jina-rerank
${os(ask)}from jina_rerank import Reranker

${opening(ask)}
reranker = Reranker(${python(ask.model)}, base_url=${python(ask.url)}${key(ask)})
for item in reranker.rank(query, documents${top(ask)}):
    print(f"{item.score:.3f}  {item.document}")
`,
  },
  {
    name: "curl",
    write: (ask) => {
      const body = {model: ask.model, query: ask.query, documents: ask.texts.slice(0, SHOWN)};
      if (ask.top !== null) body.top_n = ask.top;
      const lines = [
        `curl -sS ${shell(`${ask.url}/v1/rerank`)}`,
        "-H 'Content-Type: application/json'",
        ...(ask.locked ? ['-H "Authorization: Bearer $JINA_API_KEY"'] : []),
        `-d ${shell(json(body, 2))}`,
      ];
      return `${lines.join(" \\\n  ")}\n`;
    },
  },
  {
    name: "LlamaIndex",
    write: (ask) => `# pip install llama-index-postprocessor-jina-rerank
${os(ask)}from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.postprocessor.jina_rerank import JinaRerank

${opening(ask)}
rerank = JinaRerank(model=${python(ask.model)}, base_url=${python(ask.url)}${key(ask)}${kept(ask)})
nodes = [NodeWithScore(node=TextNode(text=text)) for text in documents]
for node in rerank.postprocess_nodes(nodes, query_str=query):
    print(f"{node.score:.3f}  {node.text}")

# In a query engine: index.as_query_engine(node_postprocessors=[rerank])
`,
  },
  {
    name: "LangChain",
    write: (ask) => `# pip install langchain-jina-rerank
${os(ask)}from langchain_core.documents import Document
from langchain_jina_rerank import JinaRerank

${opening(ask)}
rerank = JinaRerank(model=${python(ask.model)}, base_url=${python(ask.url)}${key(ask)}${kept(ask)})
found = [Document(page_content=text) for text in documents]
for document in rerank.compress_documents(found, query):
    print(f"{document.metadata['relevance_score']:.3f}  {document.page_content}")

# With a retriever: ContextualCompressionRetriever(base_compressor=rerank, base_retriever=retriever)
`,
  },
  {
    name: "Haystack",
    write: (ask) => `# pip install jina-rerank-haystack
${ask.locked ? "from haystack.utils import Secret\n" : ""}from haystack import Document
from haystack_integrations.components.rankers.jina_rerank import JinaRanker

${opening(ask)}
ranker = JinaRanker(model=${python(ask.model)}, base_url=${python(ask.url)}${
      ask.locked ? ', api_key=Secret.from_env_var("JINA_API_KEY")' : ""
    }${kept(ask, "top_k")})
found = [Document(content=text) for text in documents]
for document in ranker.run(query=query, documents=found)["documents"]:
    print(f"{document.score:.3f}  {document.content}")

# In a pipeline: pipeline.add_component("ranker", ranker)
`,
  },
  {
    name: "Cohere SDK",
    write: (ask) => `# pip install cohere
${os(ask)}import cohere

${opening(ask)}
client = cohere.ClientV2(${ask.locked ? 'os.environ["JINA_API_KEY"]' : '"none"'}, base_url=${python(ask.url)})
reply = client.rerank(model=${python(ask.model)}, query=query, documents=documents${top(ask)})
for item in reply.results:
    print(f"{item.relevance_score:.3f}  {documents[item.index]}")
`,
  },
];

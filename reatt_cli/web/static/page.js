// The page: asks /v1/ask and shows what it says. Texts are only ever set as text, never as markup.
"use strict";

const token = new URLSearchParams(location.search).get("token") || "";
const SHARE = 0.6; // of a score's positive weight that the marked words carry, as on the command line
const MOST = 8; // marked stretches of a passage
const form = document.getElementById("form");
const question = document.getElementById("question");
const answer = document.getElementById("answer");
const passages = document.getElementById("passages");
let latest = 0;

function element(name, text, ...classes) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  made.classList.add(...classes);
  return made;
}

// Offsets count characters of Unicode; a string of JavaScript counts halves of some of them.
function heaviest(tokens) {
  const summed = new Map();
  for (const { start, end, weight } of tokens) {
    if (end > start && weight > 0) summed.set(`${start} ${end}`, (summed.get(`${start} ${end}`) || 0) + weight);
  }
  const ranked = [...summed].sort((a, b) => b[1] - a[1]);
  const total = ranked.reduce((sum, [, weight]) => sum + weight, 0);
  const picked = [];
  let carried = 0;
  for (const [span, weight] of ranked.slice(0, MOST)) {
    if (carried >= SHARE * total) break;
    picked.push(span.split(" ").map(Number));
    carried += weight;
  }
  return picked;
}

const inWord = (letter) => letter !== undefined && /[\p{L}\p{M}\p{N}]/u.test(letter);

// A token may be a part of a word; whole words are marked.
function grown(letters, start, end) {
  while (start > 0 && inWord(letters[start - 1]) && inWord(letters[start])) start--;
  while (end < letters.length && inWord(letters[end - 1]) && inWord(letters[end])) end++;
  return [start, end];
}

// Lines that an editor broke to keep them short flow on. Letters keep their places.
const flowing = (text) => text.replace(/(?<=[^\n]{60})\n(?=[\p{L}\p{N}(“"'‘](?!\d*[.)] ))/gu, " ");

function marked(found, answered) {
  const letters = Array.from(flowing(found.text.trimEnd()));
  const kinds = new Array(letters.length).fill("");
  for (const [start, end] of heaviest(found.retrieval.tokens)) kinds.fill("matched", ...grown(letters, start, end));
  if (answered) kinds.fill("answered", ...answered);
  const quote = element("blockquote");
  for (let start = 0, end = 0; start < letters.length; start = end) {
    while (end < letters.length && kinds[end] === kinds[start]) end++;
    const text = letters.slice(start, end).join("");
    quote.append(kinds[start] ? element("mark", text, kinds[start]) : document.createTextNode(text));
  }
  return quote;
}

function explained(found) {
  const box = element("details");
  box.append(element("summary", "How this came about"));
  const { score, attention, bm25, tokens } = found.retrieval;
  const figures = [`score ${score.toFixed(3)}`];
  if (attention !== null) figures.push(`attention ${attention.toFixed(3)}`);
  if (bm25 !== null) figures.push(`words (BM25) ${bm25.toFixed(3)}`);
  box.append(element("p", figures.join(" · "), "soft"));
  const letters = Array.from(found.text);
  const table = element("table");
  for (const each of [...tokens].sort((a, b) => b.weight - a.weight)) {
    const row = element("tr");
    const asker = each.layer === null ? each.q || "·" : `layer ${each.layer} head ${each.head}`;
    row.append(element("td", asker), element("td", letters.slice(each.start, each.end).join("") || "·"));
    row.append(element("td", each.weight.toFixed(3)));
    table.append(row);
  }
  if (tokens.length) box.append(element("p", "Each word of the question, the word it matches best, and what it adds to the attention:", "soft"), table);
  return box;
}

function passage(found, answered) {
  const item = element("li");
  const head = element("div", undefined, "place");
  const record = found.external_id === null ? "" : ` ${found.external_id}`;
  const place = found.page === null ? `:${found.line_start}` : ` p.${found.page}`;
  const link = element("a", found.path + record + place);
  link.href = `/document?${new URLSearchParams({ chunk: found.chunk, token })}#here`;
  head.append(link);
  if (found.attribution) {
    const share = element("span", found.attribution.read ? `${Math.round(100 * found.attribution.share)} % of the attention ` : "not read", "soft");
    if (found.attribution.read) {
      const meter = element("meter");
      meter.value = found.attribution.share;
      meter.setAttribute("aria-hidden", "true");
      share.append(meter);
    }
    head.append(share);
  }
  item.append(head);
  if (found.title) item.append(element("p", found.title, "soft"));
  item.append(marked(found, answered), explained(found));
  return item;
}

// Several answers, or what says yes or no, are listed with the numbers of their passages.
function quoted(reply) {
  const list = element("ul", undefined, "quotes");
  for (const each of reply.quotes) {
    const item = element("li", each.text);
    item.append(element("span", ` passage ${each.source + 1}`, "soft"));
    list.append(item);
  }
  return list;
}

function headline(reply) {
  if (reply.answer === null) return reply.withheld === null ? "No confident answer" : `No answer, because ${reply.withheld}`;
  if (reply.disagree) return "Two documents disagree";
  return reply.mode === "list" && reply.quotes.length > 1 ? `${reply.quotes.length} answers` : reply.answer;
}

// Of sentences, the words that the model points at are marked in the passage.
function answeredIn(reply, number) {
  const start = reply.evidence[number].char_start;
  const quote = reply.quotes.find((each) => each.source === number);
  if (!quote) return undefined;
  const span = quote.key_start === null ? [quote.char_start, quote.char_end] : [quote.key_start, quote.key_end];
  return span.map((edge) => edge - start);
}

function showAnswer(reply) {
  answer.replaceChildren(element("p", headline(reply), "answer"));
  if (reply.answer !== null && (reply.mode === "yes-no" || reply.quotes.length > 1)) answer.append(quoted(reply));
  answer.append(element("p", `confidence ${reply.confidence.toFixed(2)}`, "soft"));
  for (const warning of reply.warnings) answer.append(element("p", warning, "soft"));
  passages.replaceChildren(...reply.evidence.map((found, number) => passage(found, answeredIn(reply, number))));
}

function show(told) {
  if (told.schema.startsWith("reatt.error")) {
    answer.replaceChildren(element("p", told.message, "answer"), element("p", told.fix, "soft"));
  } else if (told.schema.startsWith("reatt.search")) {
    passages.replaceChildren(...told.hits.map((found) => passage(found)));
  } else {
    showAnswer(told);
  }
}

async function ask(text) {
  const number = ++latest;
  answer.replaceChildren(element("p", "Reading …", "soft"));
  passages.replaceChildren();
  const body = JSON.stringify({ question: text, explain: true, stream: true });
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${token}` };
  const response = await fetch("/v1/ask", { method: "POST", headers, body });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let ended = false; !ended; ) {
    const { value, done } = await reader.read();
    ended = done;
    const lines = (rest + (done ? "\n" : value)).split("\n");
    rest = lines.pop();
    if (number !== latest) return; // a newer question has been asked
    for (const line of lines) if (line) show(JSON.parse(line));
  }
}

function start(text) {
  document.title = `${text} – reatt`;
  ask(text).catch((error) => answer.replaceChildren(element("p", `reatt serve does not answer: ${error.message}`, "answer")));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = question.value.trim();
  if (text) start(text);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== question) {
    event.preventDefault();
    question.select();
  }
});

const asked = new URLSearchParams(location.search).get("question");
if (asked) {
  question.value = asked;
  start(asked);
}

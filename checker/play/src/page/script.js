// `?script`: the hour of solutions/README.md, a step at a time. A step prepares clients, filters and
// what is in view. One key does what the step says; the question comes before it.

import { $, make } from "./dom.js";
import { on, send } from "./control.js";
import { chatter, place, places, removeOwn } from "./clients.js";
import { clear, openEvent, showKinds } from "./wire.js";

let steps = [];
let at = -1;
// The clients that are asked for and not there yet.
let wanted = 0;

// Sets **bold**, *emphasised* and `code`.
function inline(text) {
  const parts = text.split(/(\*\*[^*]+\*\*|\*[^*]+\*|`[^`]+`)/);
  return parts.map((part) => {
    if (part.startsWith("**")) return make("b", {}, part.slice(2, -2));
    if (part.startsWith("*")) return make("em", {}, part.slice(1, -1));
    return part.startsWith("`") ? make("code", {}, part.slice(1, -1)) : part;
  });
}

const question = (say) => [...say.matchAll(/\*([^*]+)\*/g)].map((found) => found[1]).join(" ");

// Waits until the server has a client.
const ready = (number, then) => {
  const client = place(number);
  if (client?.isServed()) return then(client);
  setTimeout(() => ready(number, then), 50);
};

const ACTIONS = {
  poll: (millis) => { $("every").value = millis; send({ do: "poll", millis }); },
  chatter: () => chatter(true),
  add: (count) => {
    for (; places() + wanted < count; wanted++) send({ do: "add" });
  },
  say: ({ client, text }) => ready(client, (one) => one.sayText(text)),
  large: (client) => ready(client, (one) => one.sayLarge()),
  fragmented: (client) => ready(client, (one) => one.sayFragmented()),
  cut: (client) => place(client)?.pull(true),
  plug: (client) => place(client)?.pull(false),
  blink: (client) => place(client)?.blink(),
  reads: ({ client, step }) => place(client)?.slide("reads", step),
  latency: ({ client, millis }) => place(client)?.slide("latency", millis),
  close: ({ client, code }) => ready(client, (one) => { one.code.value = code; one.close(); }),
  open: ({ client, kind, way }) => openEvent(() => place(client)?.number, kind, way),
};

function run({ do: actions }) {
  for (const action of actions) {
    for (const [name, value] of Object.entries(action)) ACTIONS[name](value);
  }
}

function prepare({ set }) {
  chatter(false);
  removeOwn();
  send({ do: "poll", millis: 0 });
  for (let number = 1; number <= places(); number++) {
    const client = place(number);
    client.pull(set.cut === number);
    if (set.keep) continue;
    client.slide("latency", 0);
    client.slide("reads", 0);
    client.comeBack();
  }
  ACTIONS.add(set.clients);
  showKinds(set.hide ?? []);
  $("detail").hidden = true;
  if (set.clear) clear();
  $(set.scroll).scrollIntoView({ block: "start" });
  if (set.card) place(set.card)?.card.scrollIntoView({ block: "nearest" });
}

function show(next) {
  if (next < 0 || next >= steps.length) return;
  at = next;
  const step = steps[at];
  prepare(step);
  $("step-title").textContent = `Step ${at + 1} of ${steps.length}, minute ${step.minute}`;
  $("step-ask").textContent = question(step.say);
  $("step-click").replaceChildren(...inline(step.click));
  $("step-say").replaceChildren(...inline(step.say));
  $("step-answer").open = false;
  $("step-do").disabled = step.do.length === 0;
  $("step-back").disabled = at === 0;
  $("step-next").disabled = at === steps.length - 1;
}

const KEYS = [
  [["ArrowRight", "PageDown"], "→ or PgDn", "the next step of the script", () => show(at + 1)],
  [["ArrowLeft", "PageUp"], "← or PgUp", "the step before", () => show(at - 1)],
  [["g"], "g", "do what the step says", () => run(steps[at])],
  [["a"], "a", "show the answer, or hide it", () => { $("step-answer").open = !$("step-answer").open; }],
];

export async function start() {
  if (!new URLSearchParams(location.search).has("script")) return;
  const complete = new Promise((done) => {
    on("hello", ({ clients }) => { wanted += clients; });
    on("client", () => {
      wanted -= 1;
      if (wanted === 0) done();
    });
  });
  steps = await (await fetch("script.json")).json();
  // The page opens its first clients by itself.
  await complete;
  $("script").hidden = false;
  $("step-next").onclick = () => show(at + 1);
  $("step-back").onclick = () => show(at - 1);
  $("step-do").onclick = () => run(steps[at]);
  $("key-list").append(...KEYS.flatMap(([, key, what]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, what)]));
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input") && event.key.startsWith("Arrow")) return;
    if (event.target.matches("input:not([type=checkbox]):not([type=range])") || event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
    const found = KEYS.find(([keys]) => keys.includes(event.key));
    if (!found) return;
    event.preventDefault();
    found[3]();
  });
  show(0);
}

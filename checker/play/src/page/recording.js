// A saved wire, shown again: one event at each press of a key.

import { $, make } from "./dom.js";
import { on, wireUrl } from "./control.js";
import { clear, openEvent, showAgain } from "./wire.js";

let events = [];
let count = 0;

function show(wanted) {
  const next = Math.max(0, Math.min(wanted, events.length));
  if (next < count) {
    clear();
    count = 0;
  }
  showAgain(events.slice(count, next));
  count = next;
  const last = events[count - 1];
  $("recording-at").textContent = `${count} of ${events.length}${last ? `: client ${last.client}, ${last.kind}` : ""}`;
}

// Opens the event that is shown last.
function look() {
  const last = events[count - 1];
  if (last) openEvent(() => last.client, last.kind, last.way);
}

const KEYS = [
  ["ArrowRight", "→", "the next event", () => show(count + 1)],
  ["ArrowLeft", "←", "the event before", () => show(count - 1)],
  ["e", "e", "all events", () => show(events.length)],
  ["Enter", "Enter", "look into the last one", look],
];

export function start() {
  on("hello", async ({ recording }) => {
    if (!recording) return;
    document.body.classList.add("recorded");
    $("subject").textContent = `${recording}, a saved wire`;
    events = (await (await fetch(wireUrl)).json()).events;
    $("recording").hidden = false;
    $("recording-next").onclick = () => show(count + 1);
    $("recording-back").onclick = () => show(count - 1);
    $("recording-all").onclick = () => show(events.length);
    $("key-list").append(...KEYS.flatMap(([, key, what]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, what)]));
    document.addEventListener("keydown", (event) => {
      const isControl = event.target.matches("button, a, input, summary");
      if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open || (event.key === "Enter" && isControl)) return;
      const found = KEYS.find(([key]) => key === event.key);
      if (!found) return;
      event.preventDefault();
      found[3]();
    });
    show(1);
  });
}

// The wire: a lane for each client, a row for each event.

import { $, make, shown, bytes } from "./dom.js";
import { on, send, wireUrl } from "./control.js";
import { dissect } from "./dissect.js";

// So many rows a lane keeps on the page, and so many events the sequence may look back at.
const ROWS = 100;
const REMEMBERED = 2_000;
// So many milliseconds are between two drawings.
const DRAWN = 80;
const KINDS = { handshake: ["request", "response", "body"], text: ["text", "continuation"], binary: ["binary"], ping: ["ping"], pong: ["pong"], close: ["close", "end"], cable: ["cable"], faults: ["reserved", "garbage"] };

const hidden = new Set();
const lanes = new Map();
let events = new Map();
let paused = false;
let pending = [];
let held = 0;
let dropped = 0;
let scheduled = false;
let chosen;

export const visible = (kind) => !hidden.has(Object.keys(KINDS).find((name) => KINDS[name].includes(kind)));
export const recent = () => [...events.values()];
export const isPaused = () => paused;

const summary = (event) => {
  switch (event.kind) {
    case "request": case "response": return event.text.split("\r\n")[0];
    case "close": return event.code ? `${event.code} ${shown(event.text ?? "")}` : "no code";
    case "binary": case "garbage": case "reserved": return shown(event.hex, 40);
    case "ping": case "pong": return event.hex ? `payload ${shown(event.hex, 24)}` : "";
    default: return shown(event.text ?? "", 100);
  }
};

function row(event) {
  const frame = event.opcode !== undefined;
  const cells = [
    make("span", { class: "time" }, (event.at / 1e6).toFixed(3)),
    make("span", { class: "way", "aria-label": event.way === "up" ? "to the server" : "to the client" }, event.way === "up" ? "▲" : "▼"),
    make("span", { class: `kind ${event.kind}` }, event.kind),
  ];
  if (frame) {
    cells.push(make("span", { class: "bits" }, `${event.fin ? "FIN" : "more"} 0x${event.opcode.toString(16)} ${event.mask ? "mask" : "–"} ${bytes(event.len)}`));
  }
  cells.push(make("span", { class: "payload" }, summary(event)));
  const button = make("button", { type: "button", "data-id": event.id }, ...cells);
  return make("li", { class: event.way, "data-kind": event.kind, hidden: !visible(event.kind) }, button);
}

function laneOf(client) {
  let lane = lanes.get(client);
  if (lane) return lane;
  const list = make("ol", { class: "rows", tabindex: "0", "aria-label": `Events of client ${client}` });
  const section = make("section", { class: "lane", "aria-label": `Lane of client ${client}` }, make("h3", {}, `Client ${client} ⇄ server`), list);
  const after = [...lanes.keys()].filter((other) => other > client).sort((a, b) => a - b)[0];
  $("lanes").insertBefore(section, after ? lanes.get(after).section : null);
  lane = { list, section };
  lanes.set(client, lane);
  return lane;
}

function draw() {
  scheduled = false;
  const byLane = Map.groupBy(pending, (event) => event.client);
  pending = [];
  for (const [client, news] of byLane) {
    const { list } = laneOf(client);
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 12;
    const drawn = news.slice(-ROWS);
    dropped += news.length - drawn.length;
    list.append(...drawn.map(row));
    while (list.childElementCount > ROWS) {
      list.firstElementChild.remove();
      dropped += 1;
    }
    if (atEnd) list.scrollTop = list.scrollHeight;
  }
  note();
}

function note() {
  const parts = [];
  if (paused) parts.push(`Paused; ${held} events wait.`);
  if (dropped) parts.push(`${dropped} older rows are no longer on the page; the saved file has them.`);
  $("dropped").textContent = parts.join(" ");
}

let waiting = [];

function take(news) {
  for (const event of news) events.set(event.id, event);
  for (const id of events.keys()) {
    if (events.size <= REMEMBERED) break;
    events.delete(id);
  }
  pending.push(...news);
  if (!scheduled) {
    scheduled = true;
    setTimeout(draw, DRAWN);
  }
}

function heard({ events: news, delivered, skipped }) {
  dropped += skipped;
  for (const [id, at] of delivered) {
    const event = events.get(id) ?? waiting.find((one) => one.id === id);
    if (event) event.delivered = at;
  }
  if (!paused) return take(news);
  held += news.length;
  waiting.push(...news);
  // A pause over lunch costs no more than one over a sentence.
  if (waiting.length > REMEMBERED) {
    dropped += waiting.length - REMEMBERED;
    waiting = waiting.slice(-REMEMBERED);
  }
  note();
}

export function pause() {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", paused);
  $("pause").textContent = paused ? "Go on" : "Pause";
  if (!paused) {
    take(waiting);
    waiting = [];
    held = 0;
  }
  note();
}

export function clear() {
  for (const { section } of lanes.values()) section.remove();
  lanes.clear();
  events = new Map();
  pending = [];
  waiting = [];
  held = 0;
  dropped = 0;
  $("detail").hidden = true;
  note();
}

export const save = () => $("save").click();

export function start() {
  $("pause").onclick = pause;
  $("clear").onclick = clear;
  $("save").href = wireUrl;
  $("detail-close").onclick = () => {
    $("detail").hidden = true;
    chosen?.focus();
  };
  for (const name of Object.keys(KINDS)) {
    const box = make("input", { type: "checkbox", checked: true, onchange: () => {
      if (box.checked) hidden.delete(name);
      else hidden.add(name);
      for (const item of document.querySelectorAll("#lanes li")) item.hidden = !visible(item.dataset.kind);
    } });
    $("filters").append(make("label", {}, box, name));
  }
  $("lanes").addEventListener("click", (click) => {
    const button = click.target.closest("button[data-id]");
    if (!button) return;
    chosen = button;
    send({ do: "event", id: +button.dataset.id });
  });
  on("wire", heard);
  on("event", ({ event }) => {
    $("detail-body").replaceChildren(...(event ? dissect(event) : [make("p", {}, "This event is no longer kept.")]));
    $("detail-title").textContent = event ? `Client ${event.client}: ${event.kind}` : "Gone";
    $("detail").hidden = false;
    $("detail").focus({ preventScroll: true });
    $("detail").scrollIntoView({ block: "nearest" });
  });
}

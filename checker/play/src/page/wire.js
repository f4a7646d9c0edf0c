// The wire: a lane for each client, a row for each event. A run of pings and pongs is one row for
// each kind, with a count.

import { $, make, shown, bytes, follow } from "./dom.js";
import { on, send, wireUrl } from "./control.js";
import { dissect } from "./dissect.js";

// The rows of each kind in a lane, the messages that stay with the handshake, and the events that the
// sequence can show.
const ROWS = 50;
const PINNED_TEXTS = 4;
const REMEMBERED = 2_000;
// Milliseconds between two updates.
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

const group = (kind) => Object.keys(KINDS).find((name) => KINDS[name].includes(kind));
export const visible = (kind) => !hidden.has(group(kind));
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
  const button = make("button", { type: "button", tabindex: "-1", "data-id": event.id }, ...cells);
  return make("li", { class: event.way, "data-kind": event.kind, hidden: !visible(event.kind) }, button);
}

function laneOf(client) {
  let lane = lanes.get(client);
  if (lane) return lane;
  const list = make("ol", { class: "rows", tabindex: "0", "aria-label": `Events of client ${client}` });
  const section = make("section", { class: "lane", "aria-label": `Lane of client ${client}` }, make("h3", {}, `Client ${client} ⇄ server`), list);
  const after = [...lanes.keys()].filter((other) => other > client).sort((a, b) => a - b)[0];
  $("lanes").insertBefore(section, after ? lanes.get(after).section : null);
  lane = { list, section, rows: {}, texts: 0, toEnd: follow(list) };
  lanes.set(client, lane);
  return lane;
}

// Returns the row of the same kind and direction in the run of pings and pongs at the end of a lane.
function sameBeat(list, event) {
  const isBeat = (item) => item?.dataset.kind === "ping" || item?.dataset.kind === "pong";
  for (let item = list.lastElementChild; isBeat(item); item = item.previousElementSibling) {
    if (item.dataset.kind === event.kind && item.className === event.way) return item;
  }
  return null;
}

// Adds a row, or counts the event in an existing one.
function add(lane, event) {
  const beat = sameBeat(lane.list, event);
  if (beat && (event.kind === "ping" || event.kind === "pong")) {
    beat.dataset.count = +(beat.dataset.count ?? 1) + 1;
    beat.querySelector(".kind").textContent = `${event.kind} ×${beat.dataset.count}`;
    beat.querySelector(".time").textContent = (event.at / 1e6).toFixed(3);
    beat.querySelector(".payload").textContent = summary(event);
    beat.firstElementChild.dataset.id = event.id;
    return;
  }
  const item = row(event);
  lane.list.append(item);
  const name = group(event.kind);
  const isPinned = name === "handshake" || (event.kind === "text" && lane.texts++ < PINNED_TEXTS);
  if (isPinned) return;
  const rows = (lane.rows[name] ??= []);
  rows.push(item);
  if (rows.length > ROWS) {
    rows.shift().remove();
    dropped += 1;
  }
}

function draw() {
  scheduled = false;
  const byLane = Map.groupBy(pending, (event) => event.client);
  pending = [];
  for (const [client, news] of byLane) {
    const lane = laneOf(client);
    for (const event of news) add(lane, event);
    lane.toEnd();
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
  // A long pause keeps no more events than a short one.
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
  // The lanes stay, so that nothing below them moves.
  for (const lane of lanes.values()) {
    lane.list.replaceChildren();
    lane.rows = {};
    lane.texts = 0;
  }
  events = new Map();
  pending = [];
  waiting = [];
  held = 0;
  dropped = 0;
  $("detail").hidden = true;
  note();
}

// Shows events of a saved file.
export const showAgain = (news) => take(news);

// Shows all kinds except these.
export function showKinds(names) {
  for (const box of document.querySelectorAll("#filters input")) {
    const wanted = !names.includes(box.name);
    if (box.checked !== wanted) box.click();
  }
}

// Opens the newest event of a kind in a client's lane, as soon as there is one.
export function openEvent(client, kind, way) {
  const filter = `li[data-kind=${kind}]${way ? `.${way}` : ""}:not([hidden]) > button`;
  const found = [...(lanes.get(client())?.list.querySelectorAll(filter) ?? [])].at(-1);
  if (found) found.click();
  else setTimeout(() => openEvent(client, kind, way), 50);
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
    const box = make("input", { type: "checkbox", name, checked: true, onchange: () => {
      if (box.checked) hidden.delete(name);
      else hidden.add(name);
      for (const item of document.querySelectorAll("#lanes li")) item.hidden = !visible(item.dataset.kind);
    } });
    $("filters").append(make("label", {}, box, name));
  }
  // A lane is one tab stop. Arrow keys move between its rows.
  $("lanes").addEventListener("keydown", (event) => {
    const list = event.target.closest(".rows");
    const buttons = [...(list?.querySelectorAll("li:not([hidden]) > button") ?? [])];
    const at = buttons.indexOf(event.target);
    const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? buttons.length - 1 : at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    buttons[Math.max(0, Math.min(next, buttons.length - 1))]?.focus();
  });
  $("lanes").addEventListener("click", (click) => {
    const button = click.target.closest("button[data-id]");
    if (!button) return;
    chosen = button;
    send({ do: "event", id: +button.dataset.id });
  });
  on("wire", heard);
  for (const kind of ["client", "own"]) on(kind, ({ client }) => laneOf(client));
  on("event", ({ event }) => {
    $("detail-body").replaceChildren(...(event ? dissect(event) : [make("p", {}, "This event is no longer kept.")]));
    $("detail-title").textContent = event ? `Client ${event.client}: ${event.kind}` : "Gone";
    $("detail").hidden = false;
    $("detail").focus({ preventScroll: true });
    $("detail").scrollIntoView({ block: "nearest" });
  });
}

// The sequence diagram: the server's life line at the left, the clients' to the right of it.

import { $, download, follow, shown } from "./dom.js";
import { recent, visible, isPaused } from "./wire.js";

const MOST = 40;
const FRAMES = new Set(["text", "binary", "continuation", "ping", "pong", "close", "reserved"]);
// Pixels per millisecond, the most for one pause, and the least between two arrows, so that labels
// don't overlap.
const SCALE = 0.4;
const PAUSE = 130;
const APART = 24;
const TOP = 46;
const SVG = "http://www.w3.org/2000/svg";
const COLOURS = { text: "--text", continuation: "--text", binary: "--binary", ping: "--ping", pong: "--pong", close: "--close", reserved: "--close" };

function element(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

const height = (micros) => Math.min(PAUSE, (micros / 1000) * SCALE);

// Returns the frames with the heights at which their arrows begin and end.
function layOut(events) {
  let y = TOP;
  let before = events[0].at;
  return events.map((event, place) => {
    if (place) y += Math.max(APART, height(event.at - before));
    before = event.at;
    const way = event.delivered == null ? 0 : height(event.delivered - event.at);
    return { ...event, from: y, to: y + 2 + way };
  });
}

const PREFIX = "Server received: ";

// Cuts the prefix of a reply before its message.
const cut = (text, most) => (text.startsWith(PREFIX) && text.length > most ? shown(`…${text.slice(PREFIX.length)}`, most) : shown(text, most));

const label = (event, most) => {
  const text = event.kind === "close" ? String(event.code ?? "") : event.kind === "binary" ? `${event.len} B` : cut(event.text ?? "", most);
  return `${event.kind}${text ? ` ${text}` : ""}`;
};

// A frame that has not been delivered is lost if its receiver has ended the connection.
function lost(event, ends) {
  return ends.has(`${event.client} ${event.connection} ${event.way === "up" ? "down" : "up"}`);
}

function paint() {
  const ends = new Set(recent().filter((event) => event.kind === "end").map((event) => `${event.client} ${event.connection} ${event.way}`));
  const events = recent().filter((event) => FRAMES.has(event.kind) && visible(event.kind)).slice(-MOST);
  const clients = [...new Set(events.map((event) => event.client))].sort((a, b) => a - b);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  if (!events.length) {
    $("diagram").replaceChildren("No frame yet.");
    return;
  }
  const drawn = layOut(events);
  const bottom = Math.max(...drawn.map((event) => event.to)) + 40;
  // As large as the type around it, and as wide as its place if that is wide enough to read.
  const zoom = parseFloat(style.fontSize) / 16;
  const wide = Math.max(140, Math.min(340, ($("diagram").clientWidth / zoom - 140) / clients.length));
  const x = (client) => 60 + (clients.indexOf(client) + 1) * wide;
  const width = 120 + clients.length * wide;
  const svg = element("svg", { xmlns: SVG, viewBox: `0 0 ${width} ${bottom}`, width: width * zoom, height: bottom * zoom, role: "img", "font-family": "system-ui, sans-serif", "font-size": 13 });
  svg.append(element("title", {}, `${events.length} frames between the server and ${clients.length} clients`));
  svg.append(element("rect", { width, height: bottom, fill: colour("--paper") }));
  const line = (at, name) => {
    svg.append(element("line", { x1: at, x2: at, y1: 30, y2: bottom - 24, stroke: colour("--line"), "stroke-width": 2 }));
    for (const y of [20, bottom - 8]) {
      svg.append(element("text", { x: at, y, "text-anchor": "middle", fill: colour("--ink"), "font-weight": "bold" }, name));
    }
  };
  line(60, "server");
  for (const client of clients) line(x(client), `client ${client}`);
  for (const event of drawn) {
    const up = event.way === "up";
    const [start, to] = up ? [x(event.client), 60] : [60, x(event.client)];
    const arrived = event.delivered != null;
    const { from: y1, to: y2 } = event;
    // An arrow that has not arrived ends before the next life line.
    const end = arrived ? to : start + (up ? -0.6 : 0.6) * wide;
    const state = arrived ? "arrived" : lost(event, ends) ? "lost" : "under-way";
    const ink = colour(COLOURS[event.kind]);
    svg.append(element("line", { x1: start, y1, x2: end, y2, stroke: ink, "stroke-width": 2, "data-client": event.client, "data-way": event.way, "data-state": state, "stroke-dasharray": state === "under-way" ? "6 5" : "none", class: "arrow" }));
    if (arrived) {
      const side = up ? 1 : -1;
      svg.append(element("path", { d: `M${end} ${y2}l${9 * side} -5v10z`, fill: ink }));
    } else {
      svg.append(element("text", { x: end, y: y2 + 5, "text-anchor": "middle", fill: ink, "font-weight": "bold" }, state === "lost" ? "✕" : "…"));
    }
    // The label stands at the client, or at the end of an arrow that has not arrived.
    const place = up || arrived ? x(event.client) : end;
    svg.append(element("text", { x: place - 12, y: (up ? y1 : y2) - 6, "text-anchor": "end", fill: ink, stroke: colour("--paper"), "stroke-width": 4, "paint-order": "stroke" }, label(event, Math.floor(wide / 9) - 6)));
  }
  $("diagram").replaceChildren(svg);
  toEnd();
}

let toEnd;

export function start() {
  toEnd = follow($("diagram"));
  let last = "";
  const look = () => {
    const events = recent();
    const newest = events.at(-1);
    const filters = [...document.querySelectorAll("#filters input")].map((box) => +box.checked).join("");
    const now = `${newest?.id} ${events.filter((event) => event.delivered == null).length} ${events.filter((event) => event.kind === "end").length} ${filters} ${$("diagram").clientWidth} ${document.documentElement.dataset.theme} ${document.documentElement.className}`;
    if (now !== last && !document.hidden && !(isPaused() && last)) {
      last = now;
      paint();
    }
  };
  setInterval(look, 300);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (last = ""));
  $("export").onclick = () => {
    const svg = $("diagram").querySelector("svg");
    if (svg) download("sequence.svg", "image/svg+xml", new XMLSerializer().serializeToString(svg));
  };
}

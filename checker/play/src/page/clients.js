// The clients. Each is a WebSocket of this browser, connected through a lane.

import { $, make, say, shown, bytes, follow } from "./dom.js";
import { on, send } from "./control.js";

const LINES = 100;
const DRAWN = 80;
// The slider's steps: the bytes that the client reads in a second, 0 for all there are.
const RATES = [0, 100_000, 10_000, 1_000, 100];
const LARGE = 256 * 1024;
// Milliseconds for which a cable is out.
const BLINK = 300;

let path = "/";
// The number of the newest connection on the wire, of any client.
let newest = 0;
let starts = 0;
let running = false;
const cards = new Map();

class Client {
  constructor(number, port, own) {
    this.number = number;
    this.port = port;
    this.own = own;
    this.cut = false;
    this.connection = 0;
    this.wanted = !own;
    this.lines = [];
    this.card = this.build();
    cards.set(number, this);
    $("cards").append(this.card);
    if (!own) this.connect();
    else this.status("open", "connected");
  }

  build() {
    const id = `client-${this.number}`;
    this.server = make("span", { class: "state", role: "status", "data-kind": "gone", hidden: true });
    this.state = make("span", { class: "state", role: "status" });
    this.log = make("div", { class: "log", role: "log", tabindex: "0", "aria-label": `Messages of client ${this.number}` });
    this.toEnd = follow(this.log);
    this.field = make("input", { id: `${id}-text`, type: "text", placeholder: "message, Enter sends", "aria-label": `Message of client ${this.number}`, autocomplete: "off" });
    const form = make("form", { class: "row", onsubmit: (event) => { event.preventDefault(); this.sayText(); } },
      this.field, make("button", {}, "Send"));
    const button = (text, press, title) => make("button", { type: "button", title, onclick: press }, text);
    const more = make("div", { class: "row" });
    if (this.own) {
      more.append(button("Close 1000", () => send({ do: "close-own" })));
    } else {
      this.code = make("input", { type: "number", min: "1000", max: "4999", value: "1000", "aria-label": "Close code" });
      more.append(
        button("Binary", () => this.sayBinary(), "16 random bytes"),
        button("Large", () => this.sayLarge(), `${bytes(LARGE)}; a browser may send it as several frames`),
        button("Fragmented", () => this.sayFragmented(), "three fragments and a ping, by the checker's own client: a page cannot choose where its browser cuts a message"),
        make("span", { class: "join" }, this.code, button("Close", () => this.close())),
        button("Connect again", () => this.connect()),
      );
    }
    this.cable = make("button", { type: "button", class: "cable", "aria-pressed": "false", onclick: () => this.pull() }, "Pull the cable");
    this.sliders = {};
    const slider = (name, attributes, format, changed) => {
      const output = make("output", {}, format(0));
      const input = make("input", { type: "range", value: "0", "aria-label": `${name} of client ${this.number}`, "aria-valuetext": format(0), ...attributes });
      input.addEventListener("input", () => {
        output.textContent = format(+input.value);
        input.setAttribute("aria-valuetext", format(+input.value));
        changed(+input.value);
      });
      this.sliders[name] = input;
      return make("label", { class: "slider" }, make("span", {}, name), input, output);
    };
    return make("article", { class: "card", id, "aria-labelledby": `${id}-title` },
      make("div", { class: "bar" },
        make("h3", { id: `${id}-title` }, this.own ? `Client ${this.number}, the checker's own` : `Client ${this.number}`),
        this.server,
        this.state,
        make("button", { type: "button", class: "quiet", "aria-label": `Remove client ${this.number}`, onclick: () => this.remove() }, "✕")),
      this.log, form, more,
      make("div", { class: "row" }, this.cable,
        slider("latency", { min: "0", max: "2000", step: "50" }, (n) => `${n} ms`, (millis) => send({ do: "latency", client: this.number, millis })),
        slider("reads", { min: "0", max: String(RATES.length - 1) }, (n) => (RATES[n] ? `${bytes(RATES[n])}/s` : "all"), (n) => send({ do: "slow", client: this.number, rate: RATES[n] }))));
  }

  status(kind, text) {
    this.state.dataset.kind = kind;
    this.state.textContent = text;
  }

  // Drawn a few times a second: reading the scroll position for each of a thousand messages is slow.
  line(kind, text) {
    this.lines.push([kind, text]);
    if (this.lines.length > LINES) this.lines.shift();
    this.drawing ??= setTimeout(() => this.draw(), DRAWN);
  }

  draw() {
    this.drawing = undefined;
    this.log.append(...this.lines.map(([kind, text]) => make("div", { class: kind }, text)));
    this.lines = [];
    while (this.log.childElementCount > LINES) this.log.firstElementChild.remove();
    this.toEnd();
  }

  connect() {
    if (this.socket && this.socket.readyState < WebSocket.CLOSING) return;
    this.wanted = true;
    this.returns = false;
    this.past = newest;
    this.tried = starts;
    this.server.hidden = true;
    this.status("wait", "connecting");
    const socket = new WebSocket(`ws://${location.hostname}:${this.port}${path}`);
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { this.status("open", "connected"); this.line("info", "connected"); };
    socket.onmessage = ({ data }) => this.line("heard", typeof data === "string" ? shown(data, 200) : `${bytes(data.byteLength)} of binary`);
    socket.onclose = ({ code, reason, wasClean }) => {
      const words = `closed: ${code}${reason ? ` ${shown(reason)}` : ""}${wasClean ? "" : ", without a close handshake"}`;
      this.server.hidden = true;
      this.status("gone", words);
      this.line("info", words);
      if (this.returns) this.connect();
      else this.reconnect();
    };
  }

  // The server has this client. The browser of one that was dropped may believe that it is open.
  isServed() {
    return this.socket?.readyState === WebSocket.OPEN && this.server.hidden;
  }

  // Connects again, as soon as the browser knows that the server has dropped this client.
  comeBack() {
    if (this.server.hidden) this.connect();
    else this.returns = true;
  }

  // Clients reconnect after a restart of the server.
  reconnect() {
    const closed = !this.socket || this.socket.readyState === WebSocket.CLOSED;
    if (this.wanted && !this.own && closed && running && starts > this.tried) this.connect();
  }

  sayText(text = this.field.value) {
    if (this.own) {
      send({ do: "fragments", text, parts: 3 });
      this.line("said", `${shown(text)} (3 fragments, a ping between)`);
      this.field.value = "";
    } else if (this.say(text)) {
      this.line("said", shown(text, 200));
      if (text === this.field.value) this.field.value = "";
    }
  }

  say(data) {
    if (this.socket?.readyState !== WebSocket.OPEN) {
      this.line("info", "not connected: nothing was sent");
      return false;
    }
    this.socket.send(data);
    return true;
  }

  sayBinary() {
    const data = crypto.getRandomValues(new Uint8Array(16));
    if (this.say(data)) this.line("said", "16 B of binary");
  }

  sayLarge() {
    if (this.say("large ".repeat(LARGE / 6))) this.line("said", `a text of ${bytes(LARGE)}`);
  }

  sayFragmented() {
    const text = this.field.value || "one message in three fragments";
    send({ do: "fragments", text, parts: 3 });
    this.line("info", "the checker's own client sends it: a page cannot choose where its browser cuts a message");
  }

  close() {
    const code = +this.code.value;
    this.wanted = false;
    try {
      this.socket?.close(code);
      this.line("said", `close ${code}`);
    } catch (error) {
      this.line("info", `the browser refuses: ${error.message}`);
    }
  }

  // Moves a slider, as a hand would.
  slide(name, value) {
    const input = this.sliders[name];
    if (+input.value === value) return;
    input.value = value;
    input.dispatchEvent(new Event("input"));
  }

  // Pulls the cable after the next pong, and plugs it in again at once.
  blink() {
    this.afterPong = () => {
      this.pull(true);
      setTimeout(() => this.pull(false), BLINK);
    };
  }

  pull(cut = !this.cut) {
    if (cut === this.cut) return;
    this.cut = cut;
    send({ do: "cut", client: this.number, cut });
    this.cable.setAttribute("aria-pressed", cut);
    this.cable.textContent = cut ? "Plug it in again" : "Pull the cable";
    this.card.classList.toggle("cut", cut);
    this.line("info", cut ? "cable pulled: no side is told" : "cable plugged in again");
    say(`Client ${this.number}: ${cut ? "cable pulled" : "cable plugged in again"}`);
  }

  // An event of the wire. The server's end of a connection shows at once, beside the browser's view.
  event({ kind, way, connection }) {
    if (kind === "pong" && this.afterPong) {
      this.afterPong();
      this.afterPong = undefined;
    }
    // The end of an earlier connection may be seen after the browser has opened the next one.
    if (connection <= this.past || connection < this.connection) return;
    this.connection = connection;
    if (kind !== "end" || way !== "down" || !this.server.hidden) return;
    if (!this.own && this.socket?.readyState !== WebSocket.OPEN) return;
    this.server.hidden = false;
    this.server.textContent = "dropped by the server, but in the browser";
    this.line("info", "the server has dropped this client, and the browser does not know yet");
    say(`Client ${this.number} was dropped by the server`);
  }

  remove() {
    this.wanted = false;
    this.socket?.close();
    send({ do: "remove", client: this.number });
    cards.delete(this.number);
    this.card.remove();
    $("add").focus();
  }
}

// A message in each second, at a random moment of it. At equal distances they would keep their place
// between two polls, and the median of polling would be that place and nothing else.
let timer;
let count = 0;
let moment = 0;
let random;

// The generator mulberry32. `?seed=N` in the address repeats other moments.
function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function sayNext() {
  const talkers = [...cards.values()].filter((client) => client.socket?.readyState === WebSocket.OPEN);
  if (talkers.length) talkers[count % talkers.length].sayText(`message ${++count}`);
  const before = moment;
  moment = 1000 * random();
  timer = setTimeout(sayNext, 1000 - before + moment);
}

export function chatter(begins = !timer) {
  $("chatter").setAttribute("aria-pressed", begins);
  clearTimeout(timer);
  timer = undefined;
  if (!begins) return;
  random = seeded(+(new URLSearchParams(location.search).get("seed") ?? 1));
  moment = 1000 * random();
  timer = setTimeout(sayNext, moment);
}

export const focusClient = (place) => [...cards.values()][place]?.field.focus();

// The clients of this browser, by their place from 1.
const ownCards = () => [...cards.values()].filter((client) => !client.own);
export const place = (number) => ownCards()[number - 1];
export const places = () => ownCards().length;

// Removes the checker's own client, if there is one.
export function removeOwn() {
  for (const client of cards.values()) if (client.own) client.remove();
}

// Returns the client in focus, or the first.
export function focusedClient() {
  const focused = document.activeElement?.closest(".card");
  return [...cards.values()].find((client) => client.card === focused) ?? [...cards.values()][0];
}

export function start() {
  $("add").onclick = () => send({ do: "add" });
  $("chatter").onclick = () => chatter();
  on("hello", (hello) => {
    path = hello.path;
    for (let n = 0; n < hello.clients; n++) send({ do: "add" });
  });
  on("client", ({ client, port }) => new Client(client, port, false));
  on("own", ({ client }) => new Client(client, 0, true));
  on("own-heard", ({ client, text }) => cards.get(client)?.line("heard", shown(text, 200)));
  on("own-left", ({ client, why }) => {
    cards.get(client)?.status("gone", "closed");
    cards.get(client)?.line("info", why ? `ended: ${shown(why)}` : "closed");
  });
  on("wire", ({ events }) => {
    for (const event of events) {
      newest = Math.max(newest, event.connection);
      cards.get(event.client)?.event(event);
    }
  });
  on("server", (server) => {
    running = server.state === "running" || server.state === "elsewhere";
    starts = server.starts;
    for (const client of cards.values()) client.reconnect();
  });
}

// Polling beside push: the costs of one listener, a column each.

import { $, make, bytes } from "./dom.js";
import { on, send } from "./control.js";

let runs = false;

export function start() {
  const every = () => Math.min(60_000, Math.max(20, Math.round(+$("every").value) || 1000));
  $("poll").onclick = () => send({ do: "poll", millis: runs ? 0 : every() });
  $("every").onchange = () => {
    $("every").value = every();
    if (runs) send({ do: "poll", millis: every() });
  };
  on("polling", ({ interval, listener, push, polling }) => {
    runs = interval != null;
    $("poll").textContent = runs ? "Stop" : "Start";
    $("poll").setAttribute("aria-pressed", runs);
    $("push-name").textContent = listener ? `Push, to client ${listener}` : "Push";
    const millis = (value) => (value == null ? "–" : `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`);
    const rows = [
      ["messages received", push.messages, polling.messages],
      ["requests", push.requests, polling.requests],
      ["bytes on the wire", bytes(push.bytes), bytes(polling.bytes)],
      ["median from sending to arrival", millis(push.median_ms), millis(polling.median_ms)],
    ];
    $("columns").replaceChildren(...rows.map(([name, one, other]) =>
      make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, String(one)), make("td", {}, String(other)))));
  });
}

// For presentations: large type, dark and light colours, keys.

import { $, make, say } from "./dom.js";
import { on, send, viewCode } from "./control.js";
import { focusClient, focusedClient } from "./clients.js";
import { clear, pause, save } from "./wire.js";
import { restart } from "./server.js";

function large() {
  const on = document.documentElement.classList.toggle("large");
  $("large").setAttribute("aria-pressed", on);
  window.dispatchEvent(new Event("resize"));
}

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  say(`${root.dataset.theme} colours`);
}

const KEYS = [
  ["?", "this list", () => $("keys").showModal()],
  ["1 to 9", "to the field of the first client, the second …", null],
  ["Esc", "out of a field, so that keys are keys", null],
  ["n", "a new client", () => send({ do: "add" })],
  ["x", "pull the cable of the client in focus, or plug it in again", () => focusedClient()?.pull()],
  ["f", "a fragmented message from the client in focus", () => focusedClient()?.sayFragmented()],
  ["q", "close the client in focus, with its close code", () => focusedClient()?.close()],
  ["o", "start polling beside push, or stop it", () => $("poll").click()],
  ["p", "pause the wire, or go on", pause],
  ["c", "clear the wire", clear],
  ["s", "save the wire as JSON", save],
  ["r", "restart the server", restart],
  ["l", "large type", large],
  ["d", "dark or light", theme],
];

// The address for pages that only look, if other machines reach this one.
function share({ view_url: url, view_only: viewOnly }) {
  document.body.classList.toggle("view-only", viewOnly);
  $("share").hidden = !url;
  if (!url) return;
  $("view-code").src = viewCode;
  $("view-link").href = url;
  $("view-link").textContent = url;
}

export function start() {
  on("hello", share);
  $("share").onclick = () => $("viewers").showModal();
  $("large").onclick = large;
  $("theme").onclick = theme;
  $("help").onclick = () => $("keys").showModal();
  $("key-list").append(...KEYS.flatMap(([key, what]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, what)]));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=checkbox]):not([type=range])");
    if (event.key === "Escape" && typing) {
      const log = event.target.closest(".card")?.querySelector(".log");
      if (log) log.focus();
      else event.target.blur();
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
    if (/^[1-9]$/.test(event.key)) {
      event.preventDefault();
      focusClient(+event.key - 1);
      return;
    }
    const found = KEYS.find(([key, , act]) => act && key === event.key);
    if (found) {
      event.preventDefault();
      found[2]();
    }
  });
}

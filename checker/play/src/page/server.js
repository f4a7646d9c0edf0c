// The server under test: its state, its output and the reason why it ended.

import { $, make, bytes } from "./dom.js";
import { on, send } from "./control.js";

const WORDS = { building: "building", starting: "starting", running: "running", ended: "ended", failed: "does not run", elsewhere: "runs elsewhere" };

export const restart = () => send({ do: "restart" });

function banner(id, title, text) {
  let box = $(id);
  if (!text) return box?.remove();
  if (!box) {
    box = make("section", { id, class: "banner" }, make("h2", {}, title), make("pre", {}));
    $("banners").append(box);
  }
  const pre = box.querySelector("pre");
  if (pre.textContent !== text) pre.textContent = text;
}

export function start() {
  $("restart").onclick = restart;
  on("server", (server) => {
    $("subject").textContent = `${server.name}: ${WORDS[server.state]}`;
    $("restart").disabled = server.state === "elsewhere";
    const facts = [
      ["state", `${WORDS[server.state]}${server.why ? `: ${server.why}` : ""}`],
      ["process", server.pid ?? "–"],
      ["memory", server.memory == null ? "–" : bytes(server.memory)],
      ["connections", server.connections],
      ["heartbeat", server.interval ? `every ${server.interval} ms` : "as it likes"],
    ];
    $("facts").replaceChildren(...facts.flatMap(([name, fact]) => [make("dt", {}, name), make("dd", {}, String(fact))]));
    const lines = (server.output ?? []).map((line) => make("span", { class: line.error ? "error" : "" }, `${line.text}\n`));
    $("output").replaceChildren(...lines);
    $("output").scrollTop = $("output").scrollHeight;
    banner("panic", "The server panicked", server.panic);
    banner("complaint", "It does not compile", server.complaint);
    banner("ended", "The server does not run", !server.panic && !server.complaint && ["ended", "failed"].includes(server.state) ? server.why : null);
  });
  on("complaint", ({ text }) => banner("refused", "That was not possible", text));
  on("denied", ({ why }) => banner("denied", "This page may not look", why));
  on("lost", () => banner("lost", "The playground has ended", "Start `cargo checker play` again, and open the address that it prints: a token in it is new each time."));
}

// A frame's bytes, each bit field named (RFC 6455, section 5.2), and a handshake's accept key.

import { make } from "./dom.js";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const SHOWN = 512;
const NAMES = { 0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong" };

const toBytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const pairs = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
const bits = (value, count) => value.toString(2).padStart(count, "0");

// The fields of a header, in the order of the wire: name, bits or bytes, meaning.
export function fields(hex) {
  const bytes = toBytes(hex);
  const [first, second] = bytes;
  const short = second & 127;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  const opcode = first & 15;
  const rows = [
    ["FIN", bits(first >> 7, 1), first & 128 ? "the last frame of its message" : "the message goes on"],
    ["RSV1 RSV2 RSV3", bits((first >> 4) & 7, 3), first & 112 ? "set, though no extension was agreed on" : "no extension"],
    ["opcode", bits(opcode, 4), `0x${opcode.toString(16)}, ${NAMES[opcode] ?? "reserved"}`],
    ["MASK", bits(second >> 7, 1), second & 128 ? "masked, as clients must" : "not masked, as servers must not"],
    ["payload length", bits(short, 7), extended ? `${short}: the length follows in ${extended} bytes` : `${short} bytes`],
  ];
  if (extended) {
    const long = bytes.slice(2, 2 + extended);
    const length = long.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
    rows.push(["extended length", pairs(long), `${length} bytes`]);
  }
  if (second & 128) rows.push(["masking key", pairs(bytes.slice(2 + extended, 6 + extended)), "each byte of the payload is XORed with one of these, in turn"]);
  return rows;
}

function dump(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = bytes.slice(at, at + 16);
    const ascii = [...part].map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${pairs(part).padEnd(47)}  ${ascii}`);
  }
  return lines.join("\n");
}

function table(caption, heads, rows) {
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map(([first, ...rest]) => make("tr", {}, make("th", { scope: "row" }, first), ...rest.map((text) => make("td", {}, text))));
  return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    make("table", { class: "fields" }, make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, ...body)));
}

const block = (text) => make("pre", { tabindex: "0" }, text);

export function dissect(event) {
  const parts = [];
  if (event.header) {
    parts.push(table(`Header: ${pairs(toBytes(event.header))}`, ["field", "on the wire", "means"], fields(event.header)));
    const plain = toBytes(event.hex).slice(0, SHOWN);
    if (plain.length) {
      const more = plain.length < event.len ? `, the first ${plain.length} of ${event.len} bytes` : "";
      if (event.mask) {
        const key = toBytes(event.mask);
        parts.push(make("h4", {}, `Payload on the wire${more}`), block(dump(plain.map((byte, i) => byte ^ key[i % 4]))));
      }
      parts.push(make("h4", {}, `Payload${event.mask ? ", unmasked" : ""}${more}`), block(dump(plain)));
    }
    if (event.code) parts.push(make("p", {}, `Close code ${event.code}`));
    if (event.text) parts.push(make("h4", {}, "As text"), block(event.text.slice(0, SHOWN)));
    return parts;
  }
  if (event.text) parts.push(block(event.text));
  if (event.hex) parts.push(make("p", {}, event.why), block(dump(toBytes(event.hex))));
  if (event.accept && event.key) {
    const sent = event.text.match(/^sec-websocket-accept:\s*(\S+)/im)?.[1] ?? "nothing";
    parts.push(table("The accept key", ["step", "value", "section 4.2.2"], [
      ["the client's key", event.key, "Sec-WebSocket-Key, 16 random bytes in base64"],
      ["with the GUID", event.key + GUID, "a constant of RFC 6455"],
      ["SHA-1, base64", event.accept, "what Sec-WebSocket-Accept has to be"],
      ["the server's answer", sent, sent === event.accept ? "right" : "wrong: a browser would disconnect"],
    ]));
  }
  return parts;
}

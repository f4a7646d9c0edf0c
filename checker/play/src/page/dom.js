// Makes elements. All text is set as text: no part of the page parses markup.

export const $ = (id) => document.getElementById(id);

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

// Makes invisible characters visible and shortens a long text.
export function shown(text, most = 120) {
  const plain = [...text].slice(0, most + 1).map((char) => {
    const code = char.codePointAt(0);
    if (char === "\n") return "⏎";
    // Control characters, and marks that change the writing direction.
    if (code < 32 || (code >= 127 && code < 160) || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069)) return "�";
    return char;
  });
  return plain.length > most ? plain.slice(0, most).join("") + "…" : plain.join("");
}

export function bytes(count) {
  if (count < 10_000) return `${count} B`;
  if (count < 10_000_000) return `${(count / 1024).toFixed(0)} KiB`;
  return `${(count / 1048576).toFixed(0)} MiB`;
}

// Keeps the end of a box in view, unless its reader has scrolled away from it. Returns a function
// to call when something was added.
export function follow(box) {
  let follows = true;
  box.addEventListener("scroll", () => {
    follows = box.scrollTop + box.clientHeight >= box.scrollHeight - 12;
  });
  const toEnd = () => {
    if (follows) box.scrollTop = box.scrollHeight;
  };
  // Larger type or a narrower window makes the text higher without a scroll event.
  window.addEventListener("resize", toEnd);
  return toEnd;
}

export function say(text) {
  $("spoken").textContent = text;
}

export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// The WebSocket to `cargo checker play`.

const heard = new EventTarget();
const token = location.hash.slice(1);
let socket;

export const on = (type, listener) => heard.addEventListener(type, (event) => listener(event.detail));
export const viewCode = `view.svg?token=${encodeURIComponent(token)}`;
export const wireUrl = `wire.json?token=${encodeURIComponent(token)}`;

export function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

export function connect() {
  socket = new WebSocket(`ws://${location.host}/control?token=${encodeURIComponent(token)}`);
  const dispatch = (type, detail) => heard.dispatchEvent(new CustomEvent(type, { detail }));
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    dispatch(message.type, message);
  };
  socket.onclose = async () => {
    if (!token) return dispatch("denied", { why: "This address has no token. Open the one that the terminal printed, with all that follows the #." });
    // A refused upgrade has no status for a page, but the same token gets one here.
    const status = await fetch("wire.json?token=" + encodeURIComponent(token), { method: "HEAD" }).then((response) => response.status, () => 0);
    if (status === 403) return dispatch("denied", { why: "The token of this address is of an earlier start. Open the address that the terminal printed last." });
    dispatch("lost", {});
  };
}

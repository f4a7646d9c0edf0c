// The WebSocket to `cargo checker play`.

const heard = new EventTarget();
const token = location.hash.slice(1);
let socket;

export const on = (type, listener) => heard.addEventListener(type, (event) => listener(event.detail));
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
  socket.onclose = () => dispatch("lost", {});
}

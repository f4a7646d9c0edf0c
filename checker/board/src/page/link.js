// The WebSocket to the board. It comes back by itself.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;

// Calls `heard` with each message, and `changed` with a kind and words for each change of state.
export function connect(heard, changed) {
  const key = location.hash.slice(1);
  const room = location.pathname.replace(/\/+$/, "");
  let failures = 0;

  function open() {
    changed("wait", "connecting …");
    const socket = new WebSocket(`ws://${location.host}${room}/page?key=${encodeURIComponent(key)}`);
    let silence;
    let limit = 15_000;
    // A page sees no pings. The board sends a beat at each interval, and misses two if it is dead.
    const hear = () => {
      clearTimeout(silence);
      silence = setTimeout(() => socket.close(), limit);
    };
    hear();
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "snapshot") {
        failures = 0;
        limit = 2 * message.beat_ms + 1_000;
        changed("open", "live");
      }
      hear();
      heard(message);
    };
    socket.onclose = () => {
      clearTimeout(silence);
      const most = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failures);
      failures += 1;
      // Random, so that all pages and students do not come back at the same moment.
      const pause = most * (0.1 + 0.9 * Math.random());
      const hint = key ? "" : "; this address has no key behind #, which the board prints";
      changed("gone", `the board is gone; trying again${hint}`);
      setTimeout(open, pause);
    };
  }

  open();
}

// The three exercises on Node's `ws`: `node server.mjs echo|heartbeat|broadcast`.

import { WebSocketServer } from 'ws';

const WELCOME = 'Welcome! Connection established.';
/** A client is disconnected when more bytes than this wait for it: it has stopped reading. */
const MOST_BUFFERED = 8 * 1024 * 1024;

const exercise = process.argv[2];
if (!['echo', 'heartbeat', 'broadcast'].includes(exercise)) {
  refuse(`exercise ${JSON.stringify(exercise)}: there are echo, heartbeat and broadcast`);
}
const address = process.env.ADDR ?? '127.0.0.1:8080';
const [, host, port] = /^\[?([^\]]*)\]?:(\d{1,5})$/.exec(address) ?? refuse(`ADDR=${address}: wanted is host:port`);
const interval = process.env.HEARTBEAT_INTERVAL_MS ?? '30000';
if (!/^[1-9]\d*$/.test(interval)) refuse(`HEARTBEAT_INTERVAL_MS=${interval}: wanted is a positive integer`);

function refuse(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

const server = new WebSocketServer({ host, port: Number(port), maxPayload: 16 * 1024 * 1024 });
server.on('error', (error) => refuse(`ADDR=${address}: ${error.message}`));
server.on('listening', () => {
  const { address, port } = server.address();
  console.log(`WebSocket server running on ws://${address}:${port}`);
});

server.on('connection', (socket) => {
  console.log('Client connected');
  socket.isAlive = true;
  socket.on('pong', () => { socket.isAlive = true; });
  socket.on('error', () => {}); // 'close' follows. Without a handler, the process would end.
  socket.on('close', () => console.log('Client disconnected'));
  socket.on('message', (data) => {
    const message = data.toString();
    console.log(`Received: ${message.replaceAll('\n', '\\n').replaceAll('\r', '\\r')}`);
    const reply = `Server received: ${message}`;
    if (exercise !== 'broadcast') {
      socket.send(reply);
      return;
    }
    for (const client of server.clients) {
      if (client.readyState !== client.OPEN) continue;
      if (client.bufferedAmount > MOST_BUFFERED) client.terminate();
      else client.send(reply);
    }
  });
  socket.send(WELCOME);
});

if (exercise !== 'echo') {
  setInterval(() => {
    for (const socket of server.clients) {
      if (!socket.isAlive) {
        socket.terminate();
        continue;
      }
      socket.isAlive = false;
      if (socket.readyState === socket.OPEN) socket.ping();
    }
  }, Number(interval));
}

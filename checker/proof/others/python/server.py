"""The three exercises on Python's `websockets`: `python server.py echo|heartbeat|broadcast`."""

import asyncio
import logging
import os
import re
import sys

from websockets.asyncio.server import broadcast, serve
from websockets.exceptions import ConnectionClosed

WELCOME = "Welcome! Connection established."
# A client is disconnected when more bytes than this wait for it: it has stopped reading.
MOST_BUFFERED = 8 * 1024 * 1024


def refuse(message):
    print(message, file=sys.stderr)
    sys.exit(2)


def log(line):
    print(line.replace("\n", "\\n").replace("\r", "\\r"), flush=True)


async def heartbeat(socket, interval):
    """Pings once per interval. Ends the connection if the last ping is unanswered."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    answered = None
    while True:
        due += interval
        await asyncio.sleep(due - loop.time())
        if answered is not None and not answered.done():
            # A dead client answers no close frame.
            socket.transport.abort()
            return
        try:
            # The write of a ping blocks while the client does not read.
            answered = await asyncio.wait_for(socket.ping(), interval * 0.9)
        except (TimeoutError, asyncio.TimeoutError):
            socket.transport.abort()
            return
        except ConnectionClosed:
            return


def main():
    exercise = sys.argv[1] if len(sys.argv) == 2 else None
    if exercise not in ("echo", "heartbeat", "broadcast"):
        refuse(f"exercise {exercise!r}: there are echo, heartbeat and broadcast")
    address = os.environ.get("ADDR", "127.0.0.1:8080")
    parts = re.fullmatch(r"\[?([^\]]*)\]?:(\d{1,5})", address)
    if not parts:
        refuse(f"ADDR={address}: wanted is host:port")
    interval = os.environ.get("HEARTBEAT_INTERVAL_MS", "30000")
    if not re.fullmatch(r"[1-9]\d*", interval):
        refuse(f"HEARTBEAT_INTERVAL_MS={interval}: wanted is a positive integer")
    # Failed handshakes are not logged.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    try:
        asyncio.run(run(exercise, parts[1], int(parts[2]), int(interval) / 1000))
    except OSError as error:
        refuse(f"ADDR={address}: {error}")
    except KeyboardInterrupt:
        pass


async def run(exercise, host, port, interval):
    room = set()

    def send_to_all(reply):
        broadcast(room, reply)
        for client in list(room):
            if client.transport.get_write_buffer_size() > MOST_BUFFERED:
                room.discard(client)
                client.transport.abort()

    async def client(socket):
        log("Client connected")
        pinging = None
        try:
            # `send` writes before it first waits. So the welcome comes first, and a client that has
            # received it misses no later message.
            room.add(socket)
            await socket.send(WELCOME)
            if exercise != "echo":
                pinging = asyncio.ensure_future(heartbeat(socket, interval))
            async for message in socket:
                if isinstance(message, bytes):
                    message = message.decode("utf-8", "replace")
                log(f"Received: {message}")
                reply = f"Server received: {message}"
                if exercise == "broadcast":
                    send_to_all(reply)
                else:
                    await socket.send(reply)
        except ConnectionClosed:
            pass
        finally:
            room.discard(socket)
            if pinging:
                pinging.cancel()
            log("Client disconnected")

    options = {"compression": None, "ping_interval": None, "max_size": 16 * 1024 * 1024, "backlog": 1024}
    async with serve(client, host, port, **options) as server:
        bound = server.sockets[0].getsockname()
        print(f"WebSocket server running on ws://{bound[0]}:{bound[1]}", flush=True)
        await server.serve_forever()


main()

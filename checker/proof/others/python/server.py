"""The three exercises on Python's `websockets`: `python server.py echo|heartbeat|broadcast`."""

import asyncio
import logging
import os
import re
import sys

from websockets.asyncio.server import broadcast, serve
from websockets.exceptions import ConnectionClosed

WELCOME = "Welcome! Connection established."
# A client with more bytes than this on their way to it, and none of them moving, is too slow to be kept.
MOST_BUFFERED = 8 * 1024 * 1024


def refuse(message):
    print(message, file=sys.stderr)
    sys.exit(2)


def log(line):
    print(line.replace("\n", "\\n").replace("\r", "\\r"), flush=True)


async def beat(socket, interval):
    """Pings once an interval; ends the connection when the last ping is still unanswered."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    answered = None
    while True:
        due += interval
        await asyncio.sleep(due - loop.time())
        if answered is not None and not answered.done():
            # Whoever is gone gets no close handshake.
            socket.transport.abort()
            return
        try:
            # While the client does not read, even a ping may not get through.
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
    # Handshakes that fail are no news for this server's owner.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    try:
        asyncio.run(run(exercise, parts[1], int(parts[2]), int(interval) / 1000))
    except OSError as error:
        refuse(f"ADDR={address}: {error}")
    except KeyboardInterrupt:
        pass


async def run(exercise, host, port, interval):
    everyone = set()

    def say_to_all(reply):
        broadcast(everyone, reply)
        for client in list(everyone):
            if client.transport.get_write_buffer_size() > MOST_BUFFERED:
                everyone.discard(client)
                client.transport.abort()

    async def client(socket):
        log("Client connected")
        heart = None
        try:
            # `send` writes before it first waits, so the welcome is the first that the newcomer gets, and whoever
            # has seen it misses nothing that is said from then on.
            everyone.add(socket)
            await socket.send(WELCOME)
            if exercise != "echo":
                heart = asyncio.ensure_future(beat(socket, interval))
            async for message in socket:
                if isinstance(message, bytes):
                    message = message.decode("utf-8", "replace")
                log(f"Received: {message}")
                reply = f"Server received: {message}"
                if exercise == "broadcast":
                    say_to_all(reply)
                else:
                    await socket.send(reply)
        except ConnectionClosed:
            pass
        finally:
            everyone.discard(socket)
            if heart:
                heart.cancel()
            log("Client disconnected")

    options = {"compression": None, "ping_interval": None, "max_size": 16 * 1024 * 1024, "backlog": 1024}
    async with serve(client, host, port, **options) as server:
        bound = server.sockets[0].getsockname()
        print(f"WebSocket server running on ws://{bound[0]}:{bound[1]}", flush=True)
        await server.serve_forever()


main()

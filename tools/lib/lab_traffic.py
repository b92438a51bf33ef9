#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The lab's small talk: short HTTP connections, DNS-like questions and a steady UDP stream. Standard library only.

    lab_traffic.py serve                     answers on TCP 8080 and UDP 53, swallows UDP 5001; IPv4 and IPv6
    lab_traffic.py ask SECONDS ADDRESS...    asks every address for that long, then ends by itself
"""
import asyncio
import random
import socket
import struct
import sys
import time

HTTP_PORT, DNS_PORT, STREAM_PORT = 8080, 53, 5001
NAMES = ("www.example.org", "api.example.org", "db.example.net", "cache.example.net")


def question(number, name):
    """A DNS query for an A record (RFC 1035, section 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)


def answer(query):
    """The same question back with one A record that points at its name."""
    number, = struct.unpack_from("!H", query)
    return (struct.pack("!6H", number, 0x8180, 1, 1, 0, 0) + query[12:]
            + struct.pack("!3HIH4s", 0xC00C, 1, 1, 60, 4, socket.inet_aton("192.0.2.1")))


class Answering(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        if len(data) >= 12:
            self.transport.sendto(answer(data), address)


async def page(reader, writer):
    try:
        await reader.readuntil(b"\r\n\r\n")
        body = b"x" * random.choice((200, 1500, 12000))
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # the asker's time was up in the middle of a request
    finally:
        writer.close()


def datagrams(family, port):
    """Bound to every address of one family: without IPV6_V6ONLY the IPv6 socket would claim IPv4 too."""
    listening = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listening.setblocking(False)
    listening.bind(("", port))
    return listening


async def serve():
    loop = asyncio.get_running_loop()
    for family in (socket.AF_INET, socket.AF_INET6):
        await loop.create_datagram_endpoint(Answering, sock=datagrams(family, DNS_PORT))
        await loop.create_datagram_endpoint(asyncio.DatagramProtocol, sock=datagrams(family, STREAM_PORT))
    # Last: the TCP listener is what tools/lab waits for.
    async with await asyncio.start_server(page, ["0.0.0.0", "::"], HTTP_PORT) as server:
        await server.serve_forever()


async def fetch(address):
    reader, writer = await asyncio.open_connection(address, HTTP_PORT)
    try:
        writer.write(b"GET /%d HTTP/1.1\r\nHost: lab\r\n\r\n" % random.randrange(1000))
        while await reader.read(65536):
            pass
    finally:
        writer.close()


async def fetch_again(address, until, failures):
    while time.monotonic() < until:
        try:
            await asyncio.wait_for(fetch(address), 5)
        except (OSError, asyncio.TimeoutError):
            failures.append(address)
        await asyncio.sleep(random.expovariate(20))


async def send_again(address, port, rate, until, datagram):
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(address, port))
    number = 0
    while time.monotonic() < until:
        number = (number + 1) & 0xFFFF
        transport.sendto(datagram(number))
        await asyncio.sleep(1 / rate)
    transport.close()


async def ask_names(address, until):
    """A new source port for every question, as a resolver has (RFC 5452)."""
    loop = asyncio.get_running_loop()
    while time.monotonic() < until:
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(address, DNS_PORT))
        transport.sendto(question(random.randrange(65536), random.choice(NAMES)))
        await asyncio.sleep(random.expovariate(20))
        transport.close()


async def ask(seconds, addresses):
    until, failures = time.monotonic() + seconds, []
    tasks = []
    for address in addresses:
        tasks.append(fetch_again(address, until, failures))
        tasks.append(ask_names(address, until))
        tasks.append(send_again(address, STREAM_PORT, 50, until, lambda number: struct.pack("!H", number) * 256))
    await asyncio.gather(*tasks)
    print(f"{len(failures)} connections failed")


def main(arguments):
    try:
        if arguments == ["serve"]:
            asyncio.run(serve())
        elif len(arguments) >= 3 and arguments[0] == "ask":
            asyncio.run(ask(float(arguments[1]), arguments[2:]))
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except KeyboardInterrupt:
        return 130
    return 0


sys.exit(main(sys.argv[1:]))

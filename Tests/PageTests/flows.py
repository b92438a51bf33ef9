# SPDX-License-Identifier: Apache-2.0
"""Flows of the made-up network, in the form of the agent's FlowListReport, and as much of the filter language as the tests use."""
import fnmatch
import ipaddress
import re

from network import mixed


class FilterError(Exception):
    def __init__(self, reason, hint=None):
        super().__init__(reason)
        self.hint = hint


class Filter:
    """`not` binds closest, then `and`, then `or`; an empty text holds for everything."""

    PROTOCOLS = ("tcp", "udp", "icmp")

    def __init__(self, text):
        self.words = re.findall(r'"[^"]*"|[()]|&&|\|\||!|[^\s()!]+', text)
        self.place = 0
        self.holds = self._either() if self.words else (lambda flow: True)
        if self.place < len(self.words):
            raise FilterError(f"unexpected “{self.words[self.place]}”", "join predicates by and, or")

    def _peek(self):
        return self.words[self.place] if self.place < len(self.words) else None

    def _next(self, what):
        if self._peek() is None:
            raise FilterError(f"the filter ends where {what} was expected")
        self.place += 1
        return self.words[self.place - 1]

    def _either(self):
        parts = [self._both()]
        while self._peek() in ("or", "||"):
            self.place += 1
            parts.append(self._both())
        return lambda flow: any(part(flow) for part in parts)

    def _both(self):
        parts = [self._single()]
        while self._peek() in ("and", "&&"):
            self.place += 1
            parts.append(self._single())
        return lambda flow: all(part(flow) for part in parts)

    def _single(self):
        word = self._next("a predicate")
        if word in ("not", "!"):
            inner = self._single()
            return lambda flow: not inner(flow)
        if word == "(":
            inner = self._either()
            if self._next("“)”") != ")":
                raise FilterError("a parenthesis is not closed")
            return inner
        if word in ("ingress", "egress"):
            return lambda flow: flow["direction"] == word
        if word in self.PROTOCOLS and self._peek() != "port":
            return lambda flow: self._tuple(flow)["protocol"] == word
        if word in self.PROTOCOLS:
            self.place += 1
            inner = self._port(("sourcePort", "destinationPort"))
            return lambda flow: self._tuple(flow)["protocol"] == word and inner(flow)
        side = ("source", "destination")
        if word in ("src", "dst"):
            side = ("source",) if word == "src" else ("destination",)
            word = self._next("host, net or port")
        if word == "port":
            return self._port(tuple(s + "Port" for s in side))
        if word in ("host", "net"):
            text = self._next("an address")
            try:
                net = ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise FilterError(f"“{text}” is no address", "as in host 10.1.0.11") from None
            return lambda flow: any(ipaddress.ip_address(self._tuple(flow)[s]) in net for s in side)
        if word == "interface":
            pattern = self._next("a name").strip('"')
            return lambda flow: fnmatch.fnmatch(flow["interface"], pattern)
        if word == "vni":
            number = self._next("a number")
            return lambda flow: str(flow.get("vni")) == number
        raise FilterError(f"there is no predicate “{word}”", "did you mean host?" if word.startswith("h") else "see docs/filter.md")

    def _port(self, members):
        text = self._next("a port")
        if not text.isdigit():
            raise FilterError(f"“{text}” is no port", "a number, as in port 443")
        return lambda flow: any(self._tuple(flow)[m] == int(text) for m in members)

    @staticmethod
    def _tuple(flow):
        return flow.get("inner") or flow["tuple"]


def totals(packets, size):
    return {"skbs": packets // 8, "skbBytes": packets * size, "wirePackets": packets, "wireBytes": packets * size}


def flow_rows(network, time, stamp):
    """Two rows for every conversation: as its client's interface sees it go, and as its server's answers come."""
    rows = []
    loads = network.loads(time)
    for key, _, _ in network.demands:
        if key not in loads:
            continue
        link = network.links[key]
        service, client = network.entities[link["to"]], network.entities[link["from"]]
        server = network.entities[service["parent"]]
        load = network.load(key, loads[key], time)
        port, ephemeral = service["attributes"]["port"], 32768 + int(mixed(key, 9) * 28000)
        protocol = service["attributes"]["protocol"]
        begin = time - 40 - 900 * mixed(key, 12)
        for direction, bits, packets in (("ingress", load["bitsPerSecond"], load["packetsPerSecond"]),
                                         ("egress", load["reverseBitsPerSecond"], load["reversePacketsPerSecond"])):
            ends = [(client["attributes"]["address"], ephemeral), (server["attributes"]["address"], port)]
            (a, ap), (b, bp) = ends if direction == "ingress" else reversed(ends)
            count = int(packets * (time - begin)) + 2
            size = max(60, int(bits / 8 / packets)) if packets else 74
            row = {
                "interface": f"ve-{client['name']}", "interfaceID": 1 + int(mixed(client["key"], 1) * 4000), "direction": direction,
                "tuple": {"etherType": "ip", "protocol": protocol, "source": a, "destination": b, "sourcePort": ap, "destinationPort": bp},
                "totals": totals(count, size), "bitsPerSecond": float(bits), "packetsPerSecond": float(packets),
                "first": stamp(begin), "last": stamp(time - 0.2 * mixed(key, 13)), "smallestPacket": 54, "largestPacket": 1514,
                "ttlMinimum": 64, "ttlMaximum": 64, "dscp": 0, "ecn": ["not-ect"], "congestionMarks": 0, "notes": [],
                "application": service["attributes"]["application"],
            }
            if protocol == "tcp":
                row["tcp"] = {"flags": ["syn", "psh", "ack"], "retransmitted": int(count * load["retransmissionRatio"]), "outOfOrder": 0,
                              "zeroWindows": 0, "handshakeMicroseconds": load["roundTripMicroseconds"]["p50"]}
            rows.append(row)
    return rows


MEASURES = {
    "bytes": lambda f: f["totals"]["wireBytes"], "packets": lambda f: f["totals"]["wirePackets"], "skbs": lambda f: f["totals"]["skbs"],
    "rate": lambda f: f["bitsPerSecond"], "pps": lambda f: f["packetsPerSecond"],
    "rtt": lambda f: f.get("tcp", {}).get("handshakeMicroseconds", 0),
    "retransmissions": lambda f: f.get("tcp", {}).get("retransmitted", 0), "last": lambda f: f["last"], "first": lambda f: f["first"],
}

# SPDX-License-Identifier: Apache-2.0
"""A made-up, moving network, for the page's tests: what is there and how loaded it is, as pure functions of time.

Nothing is stored. Whether a thing is there at a moment follows from its schedule (a period, a share of it, a phase), and a rate from
smooth noise over its key, so that any moment of the past can be asked for and always has the same answer.
"""
import math
import zlib

LAYERS = ("physical", "layer2", "layer3", "tunnel", "communication")
GIGABIT = 1e9


def mixed(text, number=0):
    """A number in 0..<1 that looks random and is always the same for the same input."""
    return zlib.crc32(f"{text}#{number}".encode()) / 2**32


class Waves:
    """Smooth noise of one key: a few sines with periods and phases of its own."""

    def __init__(self, key):
        self.parts = [
            (amount, 2 * math.pi / (period * (0.7 + 0.6 * mixed(key, i))), 2 * math.pi * mixed(key, i + 10))
            for i, (amount, period) in enumerate([(0.30, 21600), (0.22, 900), (0.16, 70), (0.10, 9)])
        ]

    def at(self, time):
        value = 1.0
        for amount, speed, phase in self.parts:
            value += amount * math.sin(speed * time + phase)
        return max(value, 0.04)


class Schedule:
    """When something is there: `share` of every `period` seconds; None for always."""

    def __init__(self, key, period, share):
        self.period, self.share = period * (0.8 + 0.4 * mixed(key, 20)), share
        self.phase = mixed(key, 21) * self.period

    def holds(self, time):
        return (time + self.phase) % self.period < self.share * self.period

    def turns(self, start, end):
        """Moments in start..end at which it changes, each with what it changes to."""
        first = int((start + self.phase) // self.period)
        for n in range(first, int((end + self.phase) // self.period) + 1):
            for moment, holds in ((n * self.period - self.phase, True), ((n + self.share) * self.period - self.phase, False)):
                if start < moment <= end:
                    yield moment, holds


class Network:
    def __init__(self, large=False, born=0.0):
        self.born = born
        self.entities, self.links = {}, {}
        self.schedules = {}  # key of an entity or link -> Schedule
        self.varying = {}  # key -> (attribute, value while the schedule holds, value otherwise, Schedule)
        self.demands = []  # (talk key, base bit/s, [keys of links it runs over])
        self.networks = {}
        self.waves = {}
        (self._large if large else self._lab)()
        self.base = {}
        for key, rate, path in self.demands:
            for link in [key, *path]:
                self.base[link] = self.base.get(link, 0) + rate

    # MARK: making

    def entity(self, key, kind, name, parent=None, networks=(), filter=None, **attributes):
        entity = {"key": key, "kind": kind, "name": name, "attributes": {k.replace("_", "-"): v for k, v in attributes.items()}}
        if parent:
            entity["parent"] = parent
        if networks:
            entity["networks"] = list(networks)
        if filter:
            entity["filter"] = filter
        self.entities[key] = entity
        return key

    def link(self, kind, layer, a, b, networks=(), capacity=None, loaded=True, filter=None, tag="", **attributes):
        key = f"{kind}/{a}~{b}" + (f"/{tag}" if tag else "")
        link = {"key": key, "kind": kind, "layer": layer, "from": a, "to": b,
                "attributes": {k.replace("_", "-"): v for k, v in attributes.items()}}
        if networks:
            link["networks"] = list(networks)
        if filter:
            link["filter"] = filter
        self.links[key] = link
        if loaded:
            link["load"] = {"capacityBitsPerSecond": capacity} if capacity else {}
        return key

    def _host(self, name, number, uplink_rate, switch):
        host = self.entity(f"host/{name}", "host", name, kernel="6.1.0-18-amd64", agent=True)
        root = self.entity(f"{host}/ns/root", "namespace", "root", host, initial=True, routes=6 + number)
        uplink = self.entity(f"{root}/if/eth0", "interface", "eth0", root, device="physical", state="up", mtu=1600,
                             mac=f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}", addresses=[f"192.0.2.{10 + number % 240}/24"],
                             filter="interface eth0")
        wire = self.link("wire", "physical", uplink, switch, capacity=uplink_rate, learned_by="LLDP", filter="interface eth0")
        return host, root, uplink, wire

    def _segment(self, host, root, uplink, network, vni):
        """A bridge with its VXLAN device on one host."""
        name = self.networks[network]["name"]
        bridge = self.entity(f"{root}/if/br-{name}", "interface", f"br-{name}", root, [network], device="bridge", state="up", mtu=1500,
                             filter=f"interface br-{name}")
        tunnel = self.entity(f"{root}/if/vx{vni}", "interface", f"vx{vni}", root, [network], device="vxlan", state="up", mtu=1500,
                             vni=vni, underlay="eth0", learning=False, filter=f"vni {vni}")
        port = self.link("port", "layer2", tunnel, bridge, [network], filter=f"interface vx{vni}", state="forwarding")
        stack = self.link("stack", "physical", tunnel, uplink, [network], filter=f"vni {vni}")
        return bridge, tunnel, [port, stack]

    def _endpoint(self, host, root, bridge, network, name, address, number, share=None):
        """A namespace with one interface on a bridge, and the address on it. Answers the endpoint's key and its links to the bridge."""
        space = self.entity(f"{host}/ns/{name}", "namespace", name, host, [network], routes=2)
        inner = self.entity(f"{space}/if/eth0", "interface", "eth0", space, [network], device="veth", state="up", mtu=1500,
                            mac=f"02:00:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
                            filter=f"host {address}")
        outer = self.entity(f"{root}/if/ve-{name}", "interface", f"ve-{name}", root, [network], device="veth", state="up", mtu=1500,
                            master=self.entities[bridge]["name"], filter=f"interface ve-{name}")
        endpoint = self.entity(f"{network}/endpoint/{address}", "endpoint", name, space, [network], address=address,
                               filter=f"host {address}")
        path = [
            self.link("attachment", "layer2", endpoint, inner, [network], filter=f"host {address}"),
            self.link("veth", "layer2", inner, outer, [network], capacity=10 * GIGABIT, filter=f"interface ve-{name}"),
            self.link("port", "layer2", outer, bridge, [network], filter=f"interface ve-{name}", state="forwarding"),
        ]
        self.link("neighbour", "layer3", inner, endpoint, [network], loaded=False, state="reachable", tag="arp")
        if share:
            schedule = Schedule(name, 1300, share)
            for key in [space, inner, outer, endpoint, *path, f"neighbour/{inner}~{endpoint}/arp"]:
                self.schedules[key] = schedule
        return endpoint, path

    def _service(self, endpoint, protocol, port, application, network):
        address = self.entities[endpoint]["attributes"]["address"]
        key = self.entity(f"{endpoint}/service/{protocol}/{port}", "service", f"{application} :{port}", endpoint, [network],
                          protocol=protocol, port=port, application=application, filter=f"host {address} and {protocol} port {port}")
        if endpoint in self.schedules:
            self.schedules[key] = self.schedules[endpoint]
        return key

    def _talk(self, client, service, rate, paths, network, application, port, share=None, index=0):
        ends = [self.entities[client]["attributes"]["address"], self.entities[self.entities[service]["parent"]]["attributes"]["address"]]
        key = self.link("talk", "communication", client, service, [network], application=application, port=port,
                        tag=str(index) if index else "", filter=f"host {ends[0]} and host {ends[1]} and port {port}",
                        first_seen_by="first packets")
        self.demands.append((key, rate, paths))
        if share:
            self.schedules[key] = Schedule(key, 700, share)

    def _route_between(self, a, b):
        """The links that a packet takes from endpoint a to endpoint b: (endpoint's path, host's segment, host's wire) of each."""
        if a["bridge"] == b["bridge"]:
            return a["path"] + b["path"]
        tunnel = sorted([a["tunnel"], b["tunnel"]])
        return a["path"] + a["segment"] + [a["wire"], f"tunnel/{tunnel[0]}~{tunnel[1]}", b["wire"]] + b["segment"] + b["path"]

    def _meet(self, hosts, network, segments):
        """Tunnels between all VTEPs of a network, with the forwarding entries that lead into them."""
        for i, a in enumerate(hosts):
            for b in hosts[i + 1:]:
                ends = sorted([segments[a][1], segments[b][1]])
                self.link("tunnel", "tunnel", ends[0], ends[1], [network], vni=self.networks[network]["vni"], encapsulation="vxlan",
                          filter=f"vni {self.networks[network]['vni']}")

    def _lab(self):
        """3 hosts, 2 VXLAN networks, 20 endpoints with servers."""
        switch = self.entity("host/switch-1", "host", "switch-1", agent=False, learned_by="LLDP", ports=48)
        for key, name, vni, prefix in (("network/vni-4100", "shop", 4100, "10.1.0.0/24"), ("network/vni-4200", "media", 4200, "10.2.0.0/24")):
            self.networks[key] = {"key": key, "kind": "vxlan", "name": name, "vni": vni, "prefixes": [prefix]}
        members = {
            "network/vni-4100": [("web-1", 0), ("web-2", 1), ("web-3", 2), ("api-1", 0), ("api-2", 1), ("orders-db", 2), ("cache", 0),
                                 ("queue", 1), ("dns", 2), ("batch", 0)],
            "network/vni-4200": [("ingest", 0), ("encode-1", 1), ("encode-2", 2), ("encode-3", 1), ("store-1", 0), ("store-2", 2),
                                 ("catalog-db", 1), ("edge", 2), ("resolver", 0), ("probe", 2)],
        }
        hosts = [(name, *self._host(name, i + 1, (10 if i else 4) * GIGABIT, switch)) for i, name in enumerate(["aswan", "luxor", "cairo"])]
        at = {}
        for network, names in members.items():
            vni = self.networks[network]["vni"]
            segments = {h[0]: self._segment(h[1], h[2], h[3], network, vni) for h in hosts}
            self._meet([h[0] for h in hosts], network, segments)
            for n, (name, place) in enumerate(names):
                host = hosts[place]
                bridge, tunnel, segment = segments[host[0]]
                endpoint, path = self._endpoint(host[1], host[2], bridge, network, name, f"10.{vni // 100 - 40}.0.{11 + n}", vni + n,
                                                share=0.7 if name in ("batch", "probe", "encode-3") else None)
                at[name] = {"endpoint": endpoint, "path": path, "bridge": bridge, "tunnel": tunnel, "segment": segment, "wire": host[4],
                            "network": network}
        self._lab_traffic(at)
        for host in hosts:
            self.link("gateway", "layer3", host[2], host[3], loaded=False)
        self.varying[hosts[2][3]] = ("state", "up", "down", Schedule("flap", 400, 0.95))
        self.varying[at["cache"]["path"][2]] = ("state", "forwarding", "blocking", Schedule("stp", 230, 0.85))
        self.varying[f"{hosts[1][2]}/if/br-shop"] = ("mtu", 1500, 1450, Schedule("mtu", 700, 0.6))

    def _lab_traffic(self, at):
        services = {}
        for name, protocol, port, application in [
            ("api-1", "tcp", 8080, "http"), ("api-2", "tcp", 8080, "http"), ("orders-db", "tcp", 5432, "postgresql"),
            ("cache", "tcp", 6379, "redis"), ("queue", "tcp", 5672, "amqp"), ("dns", "udp", 53, "dns"), ("web-1", "tcp", 443, "tls"),
            ("ingest", "tcp", 1935, "rtmp"), ("store-1", "tcp", 9000, "http"), ("store-2", "tcp", 9000, "http"),
            ("catalog-db", "tcp", 5432, "postgresql"), ("resolver", "udp", 53, "dns"), ("edge", "udp", 443, "quic"),
        ]:
            services[name] = self._service(at[name]["endpoint"], protocol, port, application, at[name]["network"])
        talks = [
            ("web-1", "api-1", 180e6), ("web-1", "api-2", 64e6), ("web-2", "api-1", 92e6), ("web-2", "api-2", 120e6), ("web-3", "api-2", 41e6),
            ("api-1", "orders-db", 310e6), ("api-2", "orders-db", 240e6), ("api-1", "cache", 88e6), ("api-2", "cache", 130e6),
            ("api-1", "queue", 9e6), ("api-2", "queue", 14e6), ("batch", "orders-db", 520e6), ("batch", "queue", 3e6),
            ("web-1", "dns", 0.05e6), ("web-2", "dns", 0.04e6), ("api-1", "dns", 0.2e6), ("api-2", "dns", 0.1e6), ("web-3", "web-1", 2e6),
            ("ingest", "store-1", 640e6), ("encode-1", "store-1", 900e6), ("encode-2", "store-1", 410e6), ("encode-3", "store-2", 730e6),
            ("encode-1", "store-2", 260e6), ("store-1", "store-2", 150e6), ("edge", "store-2", 1.5e9), ("edge", "store-1", 380e6),
            ("encode-1", "catalog-db", 1.1e6), ("encode-2", "catalog-db", 0.9e6), ("edge", "catalog-db", 5e6), ("edge", "resolver", 0.3e6),
            ("encode-1", "resolver", 0.02e6), ("probe", "edge", 22e6), ("probe", "ingest", 0.8e6),
        ]
        for n, (client, server, rate) in enumerate(talks):
            service = services[server]
            entity = self.entities[service]["attributes"]
            self._talk(at[client]["endpoint"], service, rate, self._route_between(at[client], at[server]), at[client]["network"],
                       entity["application"], entity["port"], share=0.6 if n % 4 == 3 else None)

    def _large(self, nodes=1000, links=5000):
        """At least so many of each: 24 hosts in 6 networks, and talks to fill up."""
        switches = [self.entity(f"host/switch-{n}", "host", f"switch-{n}", agent=False, learned_by="LLDP") for n in (1, 2)]
        for n in range(6):
            self.networks[f"network/vni-{5000 + n}"] = {
                "key": f"network/vni-{5000 + n}", "kind": "vxlan", "name": f"tenant-{n + 1}", "vni": 5000 + n,
                "prefixes": [f"10.{10 + n}.0.0/16"]}
        hosts = [(f"node-{n + 1:02d}", *self._host(f"node-{n + 1:02d}", n + 1, 10 * GIGABIT, switches[n % 2])) for n in range(24)]
        places, segments = [], {}
        for n, network in enumerate(self.networks):
            members = [h for i, h in enumerate(hosts) if (i + n) % 3 == 0 or (i * 7 + n) % 6 == 0]
            segments[network] = {h[0]: self._segment(h[1], h[2], h[3], network, 5000 + n) for h in members}
            self._meet([h[0] for h in members], network, segments[network])
        count = 0
        while len(self.entities) < nodes - 60:
            network = list(self.networks)[count % 6]
            host = [h for h in hosts if h[0] in segments[network]][count // 6 % len(segments[network])]
            bridge, tunnel, segment = segments[network][host[0]]
            number = count // 6
            endpoint, path = self._endpoint(host[1], host[2], bridge, network, f"vm-{count + 1:03d}",
                                            f"10.{10 + count % 6}.{number // 200}.{number % 200 + 10}", count,
                                            share=0.8 if count % 19 == 5 else None)
            places.append({"endpoint": endpoint, "path": path, "bridge": bridge, "tunnel": tunnel, "segment": segment, "wire": host[4],
                           "network": network})
            count += 1
        services = []
        applications = [("http", "tcp", 80), ("tls", "tcp", 443), ("postgresql", "tcp", 5432), ("dns", "udp", 53), ("redis", "tcp", 6379)]
        for n, place in enumerate(places):
            if len(self.entities) >= nodes:
                break
            if n % 3 == 0:
                application, protocol, port = applications[n // 3 % 5]
                services.append((place, self._service(place["endpoint"], protocol, port, application, place["network"])))
        n = 0
        while len(self.links) < links:
            server, service = services[int(mixed("server", n) ** 1.7 * len(services))]
            client = places[int(mixed("client", n) * len(places))]
            n += 1
            if client is server:
                continue
            entity = self.entities[service]["attributes"]
            same = client["network"] == server["network"]
            self._talk(client["endpoint"], service, 10 ** (4.2 + 4.4 * mixed("rate", n) ** 1.3), self._route_between(client, server) if same else [],
                       client["network"], entity["application"], entity["port"], share=0.75 if n % 11 == 3 else None, index=n)

    # MARK: asking

    def is_there(self, key, time):
        schedule = self.schedules.get(key)
        return schedule is None or schedule.holds(time)

    def rate(self, key, base, time):
        if key not in self.waves:
            self.waves[key] = Waves(key)
        return base * self.waves[key].at(time)

    def loads(self, time):
        """Bit/s by link, forward; every demand adds to all the links it runs over."""
        loads = {}
        for key, base, path in self.demands:
            link = self.links[key]
            if not (self.is_there(key, time) and self.is_there(link["from"], time) and self.is_there(link["to"], time)):
                continue
            rate = self.rate(key, base, time)
            for one in (key, *path):
                loads[one] = loads.get(one, 0.0) + rate
        return loads

    def load(self, key, bits, time):
        """A Load as the API has it: packets from a packet size of the key's own, a reverse direction that is a share of the forward one."""
        size, share = 500 + 900 * mixed(key, 3), 0.05 + 0.4 * mixed(key, 4)
        result = dict(self.links[key].get("load", {}), bitsPerSecond=round(bits), packetsPerSecond=round(bits / 8 / size),
                      reverseBitsPerSecond=round(bits * share), reversePacketsPerSecond=round(bits * share / 8 / 120))
        if self.links[key]["kind"] == "talk":
            p50 = 120 + 900 * mixed(key, 5)
            result["roundTripMicroseconds"] = {"least": round(p50 * 0.6), "p50": round(p50), "p90": round(p50 * 1.8), "p99": round(p50 * (3 + 4 * mixed(key, 6)))}
            result["retransmissionRatio"] = round(0.0004 + 0.006 * mixed(key, 7) ** 4 * self.rate(key + "r", 1, time), 6)
        return result

    def thing(self, key, time, loads):
        """An entity or link as it is at a moment, without being asked whether it is there."""
        source = self.entities.get(key) or self.links[key]
        thing = dict(source, since=self.since(key, time))
        if key in self.varying:
            name, yes, no, schedule = self.varying[key]
            thing["attributes"] = dict(thing["attributes"], **{name: yes if schedule.holds(time) else no})
        if "load" in source:
            thing["load"] = self.load(key, loads.get(key, 0.0), time)
        return thing

    def since(self, key, time):
        schedule = self.schedules.get(key)
        if not schedule:
            return self.born
        return math.floor((time + schedule.phase) / schedule.period) * schedule.period - schedule.phase

    def visible(self, time, network=None, layer=None):
        """Keys of the entities and of the links that are there, restricted to a virtual network and to a layer."""
        links = [k for k, l in self.links.items()
                 if self.is_there(k, time) and self.is_there(l["from"], time) and self.is_there(l["to"], time)
                 and (layer is None or l["layer"] == layer) and (network is None or network in l.get("networks", []))]
        there = {k for k in self.entities if self.is_there(k, time)}
        if network is None and layer in (None, "physical"):
            chosen = there if layer is None else {k for k in there if self.entities[k]["kind"] in ("host", "namespace", "interface")}
        else:
            chosen = {k for k in there if layer is None and network in self.entities[k].get("networks", [])}
        for key in links:
            chosen |= {self.links[key]["from"], self.links[key]["to"]}
        for key in list(chosen):
            while (key := self.entities[key].get("parent")) and key not in chosen:
                chosen.add(key)
        return [k for k in self.entities if k in chosen], links

    def changes(self, start, end):
        """Everything that appeared, vanished or changed in start..end, in the order of time."""
        result = []
        for key, schedule in self.schedules.items():
            for moment, holds in schedule.turns(start, end):
                result.append((moment, key, "appeared" if holds else "vanished", []))
        for key, (name, yes, no, schedule) in self.varying.items():
            for moment, holds in schedule.turns(start, end):
                if self.is_there(key, moment):
                    result.append((moment, key, "changed", [{"name": name, "before": no if holds else yes, "after": yes if holds else no}]))
        return sorted(result, key=lambda change: (change[0], change[1]))

    def qualified(self, key):
        entity = self.entities[key]
        if entity["kind"] != "interface":
            return entity["name"]
        space = self.entities[entity["parent"]]
        return f"{self.entities[space['parent']]['name'] if space['attributes'].get('initial') else space['name']}:{entity['name']}"

    def title(self, key):
        if key in self.entities:
            return self.entities[key]["name"]
        link = self.links[key]
        return f"{self.qualified(link['from'])} – {self.qualified(link['to'])}"

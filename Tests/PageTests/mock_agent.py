#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: Tests/PageTests/mock_agent.py [--port N] [--large] [--token T] [--without-library] [--quiet]

Serves the page and answers its API (docs/api.openapi.yaml) out of a made-up, moving network, without an agent: for work on the page and
for its tests. Listens on the loopback alone.

  --port N            the TCP port, 8643 when not given; 0 takes a free one; the address is printed
  --large             1,000 entities and 5,000 links instead of a lab of 3 hosts, 2 VXLAN networks and 20 endpoints
  --token T           ask for `Authorization: Bearer T`
  --without-library   as if the Debian package with d3-force were not installed
  --quiet             do not log requests

example: Tests/PageTests/mock_agent.py --large
"""
import argparse
import datetime
import json
import pathlib
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from flows import MEASURES, Filter, FilterError, flow_rows
from foresight import Foresight
from network import LAYERS, Network
from query import FIELDS, Fault, Query

PAGE = pathlib.Path(__file__).resolve().parents[2] / "Sources/Page"
LIBRARY = {f"d3-{name}.js": pathlib.Path(f"/usr/share/nodejs/d3-{name}/dist/d3-{name}.min.js")
           for name in ("collection", "dispatch", "force", "quadtree", "timer")}
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".svg": "image/svg+xml"}
# What the agent sends with the page, too.
POLICY = ("default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
PAST = 24 * 3600


def stamp(moment):
    whole = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc)
    return whole.strftime("%Y-%m-%dT%H:%M:%S.") + f"{whole.microsecond:06d}Z"


class Agent:
    def __init__(self, large, token, library):
        self.started = time.time() - 3 * 3600
        self.network = Network(large, born=self.started - PAST)
        self.foresight = Foresight(self.network, stamp)
        self.token, self.library = token, library

    def epoch(self, moment):
        return int(moment - self.started) + PAST

    def stamped(self, thing):
        return dict(thing, since=stamp(thing["since"]))

    def change(self, moment, key, what, attributes, with_state=False):
        network = self.network
        entity = key in network.entities
        source = network.entities[key] if entity else network.links[key]
        change = {"at": stamp(moment), "epoch": self.epoch(moment), "key": key, "subject": "entity" if entity else "link",
                  "kind": source["kind"], "name": network.title(key), "change": what, "attributes": attributes}
        if with_state:
            before = what == "vanished"
            change["entity" if entity else "link"] = self.stamped(network.thing(key, moment - 0.01 if before else moment, {}))
        return change

    # MARK: answers, each from the query's fields

    def topology(self, at=None, network=None, layer=None, top=5000):
        moment = at or time.time()
        entities, links = self.network.visible(moment, network, layer)
        loads = self.network.loads(moment)
        talks = sorted((k for k in links if self.network.links[k]["layer"] == "communication"), key=lambda k: -loads.get(k, 0))
        quieter = set(talks[top:])
        links = [k for k in links if k not in quieter]
        return {"at": stamp(moment), "epoch": self.epoch(moment), "live": at is None, "omitted": {"links": len(quieter)},
                "entities": [self.stamped(self.network.thing(k, moment, loads)) for k in entities],
                "links": [self.stamped(self.network.thing(k, moment, loads)) for k in links],
                **({} if at else {"folded": {"ends": 0, "unansweredFlows": 0, "betweenNetworks": 0, "forgottenFlows": 0}})}

    def diff(self, start, end, network=None, layer=None):
        before, after = (set().union(*self.network.visible(t, network, layer)) for t in (start, end))
        changes = [self.change(end, k, "appeared", [], True) for k in sorted(after - before)]
        changes += [self.change(end, k, "vanished", [], False) | self.state(k, start) for k in sorted(before - after)]
        for key in sorted(before & after):
            old, new = (self.network.thing(key, t, {})["attributes"] for t in (start, end))
            attributes = [{"name": n, "before": old.get(n), "after": new.get(n)} for n in sorted(old | new) if old.get(n) != new.get(n)]
            if attributes:
                changes.append(self.change(end, key, "changed", attributes, True))
        loads = [self.network.loads(t) for t in (start, end)]
        traffic = [{"key": k, "name": self.network.title(k), "before": round(loads[0].get(k, 0)), "after": round(loads[1].get(k, 0))}
                   for k in sorted(before & after) if k in self.network.links
                   and abs(loads[0].get(k, 0) - loads[1].get(k, 0)) > 0.5 * max(loads[0].get(k, 0), loads[1].get(k, 0), 1e6)]
        return {"from": stamp(start), "to": stamp(end), "changes": changes, "traffic": traffic}

    def state(self, key, moment):
        return {"entity" if key in self.network.entities else "link": self.stamped(self.network.thing(key, moment, {}))}

    def history(self, start, end, key=None, top=1000):
        found = [c for c in self.network.changes(start, end) if key is None or c[1] == key]
        return {"from": stamp(start), "to": stamp(end), "matched": len(found), "changes": [self.change(*c) for c in found[-top:]]}

    def networks(self):
        moment = time.time()
        loads, answers = self.network.loads(moment), []
        for key, network in self.network.networks.items():
            entities, links = self.network.visible(moment, key)
            bits = sum(loads.get(k, 0) for k in links if self.network.links[k]["kind"] == "talk")
            answers.append(dict(network, entities=len(entities), links=len(links),
                                load={"bitsPerSecond": round(bits), "packetsPerSecond": round(bits / 7200)}))
        return {"at": stamp(moment), "networks": answers}

    def series(self, start, end, step, key=None, kind=None, top=12, network=None, measure="bits"):
        now, made = time.time(), self.network
        subjects = []
        if kind == "link":
            loads = made.loads(now)
            chosen = [k for k in loads if made.links[k]["kind"] != "talk" and (not network or network in made.links[k].get("networks", []))]
            subjects = [(k, f"{made.links[k]['kind']} {made.title(k)}", loads[k], made.links[k].get("load", {}).get("capacityBitsPerSecond"))
                        for k in sorted(chosen, key=lambda k: -loads[k])]
        elif kind in ("network", "application"):
            sums = {}
            for talk, base, _ in made.demands:
                link = made.links[talk]
                if not network or network in link["networks"]:
                    name = link["networks"][0] if kind == "network" else f"application/{link['attributes']['application']}"
                    sums[name] = sums.get(name, 0) + base
            subjects = [(k, made.networks[k]["name"] if kind == "network" else k.split("/")[1], v, None)
                        for k, v in sorted(sums.items(), key=lambda item: -item[1])]
        elif key == "total":
            subjects = [(key, "all traffic", sum(base for _, base, _ in made.demands), None)]
        elif key in made.links or key in made.entities or key in made.networks or key.startswith("application/"):
            base = made.base.get(key) or sum(b for k, b in made.base.items() if k in made.links and key in (made.links[k]["from"], made.links[k]["to"]))
            capacity = made.links.get(key, {}).get("load", {}).get("capacityBitsPerSecond")
            subjects = [(key, made.title(key) if key in made.entities or key in made.links else key, base, capacity)]
        else:
            raise Fault(404, f"no series of “{key}”", hint="keys are those of /v1/topology")
        scale = 1 / 7200 if measure == "packets" else 1
        answers = []
        for name, title, base, capacity in subjects[:top]:
            count = int((end - start) / step)
            values = [round(made.rate(name, base, start + (n + 0.5) * step) * scale) for n in range(count)]
            if mixed_gap(name):  # the agent was not there
                values[count // 3:count // 3 + count // 20] = [None] * (count // 20)
            share = 0.08 + 0.3 * (len(name) % 5) / 5
            series = {"key": name, "kind": kind or "link", "name": title, "values": values,
                      "reverse": [None if v is None else round(v * share) for v in values]}
            if capacity and measure == "bits":
                series["capacity"] = capacity
            answers.append(series)
        return {"from": stamp(start), "to": stamp(start + int((end - start) / step) * step), "stepSeconds": step, "measure": measure,
                "unit": {"bits": "bit/s", "packets": "packet/s"}[measure], "series": answers}

    def flows(self, filter="", sort="rate", reverse=False, top=20):
        try:
            chosen = Filter(filter)
        except FilterError as error:
            hint = {"hint": error.hint} if error.hint else {}
            raise Fault(400, f"filter \"{filter}\": {error}", field="filter", value=filter, reason=str(error), **hint) from None
        moment = time.time()
        rows = flow_rows(self.network, moment, stamp)
        matched = [row for row in rows if chosen.holds(row)]
        matched.sort(key=MEASURES[sort], reverse=not reverse)
        return {"at": stamp(moment), "intervalSeconds": 1.0, "filter": filter.strip(), "sort": sort, "matched": len(matched),
                "known": len(rows), "flows": matched[:top]}

    def status(self):
        doubt = ["luxor:ve-queue"] if int(time.time() / 90) % 5 == 4 else []
        return {"version": "0.4.0", "pid": 812, "kernel": "6.1.0-18-amd64", "startedAt": stamp(self.started),
                "uptimeSeconds": time.time() - self.started, "recordVersion": 5, "tookOver": False, "interfaces": 52,
                "interfacesInDoubt": doubt, "flows": len(self.network.demands) * 2, "flowLimit": 1000000,
                "memory": {"privateBytes": 48 << 20, "mapBytes": 96 << 20},
                "collector": {"slotsUsed": 410, "slots": 65536, "fullestLog": 0.02, "readings": 10800, "lastReadingMilliseconds": 1.3},
                "exports": [], "warnings": [f"the books of {name} do not close" for name in doubt]}

    def events(self):
        """Pairs of an event's name and its data, for ever."""
        last, known = time.time(), {}
        while True:
            now = time.time()
            changes = [self.change(*c, with_state=True) for c in self.network.changes(last, now)]
            if changes:
                yield "changes", {"at": stamp(now), "epoch": self.epoch(now), "changes": changes}
            loads = self.network.loads(now)
            moved = [k for k in loads if "load" in self.network.links[k] and abs(loads[k] - known.get(k, 0)) > 0.02 * loads[k]]
            moved += [k for k in known if k not in loads]
            known.update({k: loads.get(k, 0) for k in moved})
            total = sum(loads.get(k, 0) for k, _, _ in self.network.demands)
            yield "rates", {"at": stamp(now), "epoch": self.epoch(now),
                            "total": {"bitsPerSecond": round(total), "packetsPerSecond": round(total / 7200)},
                            "loads": [dict(self.network.load(k, loads.get(k, 0), now), key=k) for k in moved]}
            last = now
            time.sleep(max(0, 1 - (time.time() - now)))


def mixed_gap(name):
    return len(name) % 7 == 3


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.do_GET()

    def refuse(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send(405, b'{"error":"this listener is for reading"}', "application/json", [("Allow", "GET, HEAD")])

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_QUERY = refuse

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        try:
            if url.path.startswith("/v1/"):
                self.api(url.path, url.query)
            else:
                self.file(url.path)
        except Fault as fault:
            self.send(fault.status, json.dumps(fault.body).encode(), "application/json")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def api(self, path, text):
        agent = self.server.agent
        if agent.token and self.headers.get("Authorization") != f"Bearer {agent.token}":
            return self.send(401, b'{"error":"a token is needed","hint":"`nilo token` prints it"}', "application/json",
                             [("WWW-Authenticate", "Bearer")])
        if path not in FIELDS:
            raise Fault(404, f"no {path}")
        query, now = Query(path, text), time.time()
        start, end = query.moment("from", now - 3600), query.moment("to", now)
        network, layer = query.text("network"), query.choice("layer", LAYERS) if "layer" in FIELDS[path] else None
        if network is not None and network not in agent.network.networks:
            raise Fault(404, f"no virtual network “{network}”", hint="GET /v1/networks lists them")
        if "from" in FIELDS[path] and (start > end or end - start > 8 * 86400 * 365):
            raise Fault(400, "from: it is later than to", field="from", reason="it is later than to")
        if path == "/v1/events":
            return self.stream(agent.events())
        if path == "/v1/topology":
            answer = agent.topology(query.moment("at"), network, layer, query.number("top", 1, 1000000, 5000))
        elif path == "/v1/topology/diff":
            answer = agent.diff(start, end, network, layer)
        elif path == "/v1/topology/history":
            answer = agent.history(start, end, query.text("key"), query.number("top", 1, 100000, 1000))
        elif path == "/v1/networks":
            answer = agent.networks()
        elif path == "/v1/status":
            answer = agent.status()
        elif path == "/v1/series":
            kind = query.choice("kind", ("link", "network", "application"))
            if (kind is None) == (query.text("key") is None):
                raise Fault(400, "key: either key or kind is given", field="key", reason="either key or kind is given")
            step = query.number("step", 1, 86400, max(1, int((end - start) / 300)))
            if (end - start) / step > 5000:
                raise Fault(400, "step: more than 5000 points", field="step", reason="more than 5000 points")
            answer = agent.series(start, end, step, query.text("key"), kind, query.number("top", 1, 100, 12), network,
                                  query.choice("measure", ("bits", "packets"), "bits"))
        elif path == "/v1/forecast":
            answer = agent.foresight.forecast(now, query.text("key") or "total", query.choice("measure", ("bits", "packets"), "bits"),
                                              query.choice("span", ("minutes", "day", "week"), "day"))
        elif path == "/v1/forecast/accuracy":
            answer = agent.foresight.accuracy(query.number("top", 1, 100000, 20))
        elif path == "/v1/profile":
            answer = agent.foresight.profile(now, query.text("key") or "total", query.choice("measure", ("bits", "packets"), "bits"))
        elif path == "/v1/anomalies":
            answer = agent.foresight.anomalies(now, query.moment("since", now - 3600))
        else:
            answer = agent.flows(query.text("filter") or "", query.choice("sort", tuple(MEASURES), "rate"),
                                 query.choice("reverse", ("0", "1"), "0") == "1", query.number("top", 1, 1000000, 20))
        self.send(200, json.dumps(answer, separators=(",", ":")).encode(), "application/json")

    def stream(self, events):
        self.send_response(200)
        for name, value in [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"), ("Connection", "close")]:
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        begun = self.server.interruptions
        for name, event in events:
            if self.server.interruptions != begun:
                return
            text = f"event: {name}\nid: {event['epoch']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n"
            self.wfile.write(text.encode())
            self.wfile.flush()

    def file(self, path):
        name = path.rsplit("/", 1)[-1]
        if path == "/":
            found = PAGE / "index.html"
        elif path.startswith("/lib/") and name in LIBRARY and self.server.agent.library:
            found = LIBRARY[name]
        elif path.startswith("/page/") and name in {f.name for f in PAGE.iterdir()} and path.count("/") == 2:
            found = PAGE / name
        else:
            found = None
        if not found or not found.is_file():
            raise Fault(404, f"no {path}")
        self.send(200, found.read_bytes(), TYPES[found.suffix], [
            ("Content-Security-Policy", POLICY), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-cache")])

    def send(self, status, body, kind, headers=()):
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(body))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format, *values):
        if not self.server.quiet:
            super().log_message(format, *values)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port=0, large=False, token=None, library=True, quiet=True):
        super().__init__(("127.0.0.1", port), Handler)
        self.agent, self.quiet, self.interruptions = Agent(large, token, library), quiet, 0
        self.address = f"http://127.0.0.1:{self.server_address[1]}/"

    def interrupt(self):
        """Ends the event streams that are open."""
        self.interruptions += 1

    def handle_error(self, request, client_address):
        if not self.quiet:
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(usage=__doc__[7:], add_help=False)
    parser.add_argument("--port", type=int, default=8643)
    for name in ("--large", "--without-library", "--quiet"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("--token")
    options = parser.parse_args()
    server = Server(options.port, options.large, options.token, not options.without_library, options.quiet)
    print(server.address, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

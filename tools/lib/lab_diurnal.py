#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A day of traffic in ten minutes, through three equal worlds at once: static shares, a controller that reacts to overload, and Nilometer.

Called by tools/lab diurnal, as root, with what it needs built. Each world is three hosts in network namespaces:

    sender  ----  router  ==== path a (critical, normal) ====  receiver
             s            ==== path b (bulk)              ====

The router's ports to the receiver have an HTB class for each of the three; what a class is allocated is its rate and its ceiling. Five
minutes of the day last two seconds. The day before the last is the test day's yesterday: earlier days are history (for the forecasts) and
what both controllers are tuned on; nothing is fitted or chosen by the test day itself.
"""
import argparse
import array
import atexit
import itertools
import json
import math
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from diurnal_picture import picture  # noqa: E402

CLASSES = ("critical", "normal", "bulk")
CRITICALITY = {"critical": 90, "normal": 50, "bulk": 10}
PORTS = {"critical": 5001, "normal": 5002, "bulk": 5003}
PATHS = {"critical": "path-a", "normal": "path-a", "bulk": "path-b"}
DEVICES = ("path-a", "path-b")
WORLDS = ("static", "reactive", "nilometer")
DAY, STEP, FRAME = 288, 2.0, 1242
# Senders change their rates so long after the half second at which controllers read and set.
SETTLE = 0.1
# File, minutes of a line, lines before the first midnight, columns, hours by which each class is moved, the test day, days to tune on. A set
# of one series is played three times, each class eight hours after the one before.
SETS = {
    "isp": ("isp_eu_hourly.csv", 60, 17, ("isp_eu_gbit_per_s",) * 3, (0, 8, 16), 35, range(30, 35)),
    "geant": ("geant15m.csv", 15, 0, ("n11_n04", "n08_n00", "n11_n10"), (0, 0, 0), 12, range(8, 12)),
    "abilene": ("abilene5m.csv", 5, 0, ("WASHng_NYCMng", "NYCMng_WASHng", "TOTAL"), (0, 0, 0), 11, range(8, 11)),
}
# Hours and quarters are joined by straight lines; so much chance, as a share, is what five minutes have of their own.
CHANCE = 0.005


def say(text):
    print(f"diurnal: {text}", file=sys.stderr, flush=True)


def run(*command):
    done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode:
        raise SystemExit(f"diurnal: {' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


# The day


def interpolated(values, parts):
    out = []
    for one, other in zip(values, values[1:]):
        out += [one + (other - one) * k / parts for k in range(parts)]
    return out


def read_set(folder, name):
    """Demand by class, one value for each five minutes from midnight on; the number of the test day; days to tune on."""
    file, minutes, skipped, columns, moved, test, tuning = SETS[name]
    random.seed(11)
    lines = (pathlib.Path(folder) / file).read_text().splitlines()
    header = lines[0].split(",")
    series = {}
    for cls, column, hours in zip(CLASSES, columns, moved):
        at = header.index(column)
        values = interpolated([float(line.split(",")[at]) for line in lines[1 + skipped:]], minutes // 5)
        if minutes > 5:
            values = [v * (1 + random.gauss(0, CHANCE)) for v in values]
        series[cls] = values[len(values) - hours * 12:] + values[:len(values) - hours * 12] if hours else values
    return series, test, tuning


def generated(seed=7, days=13):
    """A day like offices, one like homes and one of nightly copies, each with weekends and its own weather."""
    random.seed(seed)
    series = {}
    for cls, peak, width in zip(CLASSES, (11.0, 20.5, 2.0), (4.0, 3.0, 2.5)):
        drift, values = 0.0, []
        for index in range(days * DAY):
            hour, weekday = index % DAY / 12, index // DAY % 7
            distance = min((hour - peak) % 24, (peak - hour) % 24)
            level = 0.35 + math.exp(-0.5 * (distance / width) ** 2) * (0.6 if weekday in (0, 6) and cls == "critical" else 1)
            drift = 0.98 * drift + random.gauss(0, 0.012)
            values.append(level * math.exp(drift))
        series[cls] = values
    return series, days - 1, range(days - 5, days - 1)


def scaled(series, until, mean):
    """To a mean of so many bits a second before the test day."""
    return {c: [v * mean / (sum(s[:until]) / until) for v in s] for c, s in series.items()}


# Controllers without packets, to choose their parameters


def react(demand, rate, up, low, hold, down):
    """A second at a time: raises after overload, lowers after it was quiet. Yields the allocation of each second."""
    quiet = 0
    for offered in demand:
        yield rate
        rate, quiet = Reaction.step(rate, quiet, offered, False, up, low, hold, down)


class Reaction:
    @staticmethod
    def step(rate, quiet, offered, dropped, up, low, hold, down):
        if offered > rate or dropped:
            return max(offered, rate) * (1 + up), 0
        quiet = quiet + 1 if offered < low * rate else 0
        if quiet >= hold:
            return min(rate, max(offered * (1 + up), rate * (1 - down))), quiet
        return rate, quiet


def seconds_of(values):
    return [v for v in values for _ in range(int(STEP))]


def judged(demand, allocations):
    over = sum(d > a for d, a in zip(demand, allocations))
    return over, sum(allocations) / len(allocations)


def tune_reactive(series, days, most):
    """The parameters with the least overload on other days among those whose mean allocation is at most `most` times the mean demand."""
    wanted = {c: seconds_of(series[c][days[0] * DAY:(days[-1] + 1) * DAY]) for c in CLASSES}
    mean = sum(sum(d) / len(d) for d in wanted.values())
    best = None
    for params in itertools.product((0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2), (0.99, 0.98, 0.97, 0.95, 0.92, 0.9, 0.8),
                                    (1, 2, 4, 8, 15, 30), (0.01, 0.02, 0.05, 0.1, 0.3, 1)):
        over, allocated = 0, 0.0
        for cls in CLASSES:
            result = judged(wanted[cls], list(react(wanted[cls], wanted[cls][0], *params)))
            over, allocated = over + result[0], allocated + result[1]
        if allocated / mean <= most and (best is None or over < best[0]):
            best = (over, allocated / mean, params)
    if best is None:
        raise SystemExit("diurnal: no reactive controller allocates so little; take a larger --allocation")
    return best


def policy_text(plan, links):
    text = ""
    if links:
        text += "links:\n  - {interface: path-a, capacity: 90 Mbit/s}\n  - {interface: path-b, capacity: 60 Mbit/s}\n"
    text += "shape:\n"
    for cls in CLASSES:
        rate = f"{plan['declared'][cls]:.0f} bit/s"
        text += f"  - {{name: {cls}, on: {PATHS[cls]}, direction: egress, match: udp dst port {PORTS[cls]}, rate: {rate}, ceiling: {rate}, mechanism: htb}}\n"
    text += "plan:\n"
    for cls in CLASSES:
        text += (f"  - {{class: {cls}, quantile: {plan['quantile'] * 100:g} %, lead: {plan['lead']}s, headroom: {plan['headroom'] * 100:g} %, "
                 f"hold: {plan['hold']}s, change: 100 %, criticality: {CRITICALITY[cls]}, floor: 500 kbit/s}}\n")
    return text


def tune_planning(args, series, days, most, folder):
    first, last = days[0] * DAY, (days[-1] + 1) * DAY
    table = folder / "tuning.csv"
    with table.open("w") as out:
        print("ts," + ",".join(CLASSES), file=out)
        for index in range(last):
            print(f"{index}," + ",".join(f"{series[c][index]:.0f}" for c in CLASSES), file=out)
    mean_demand = sum(sum(series[c][first:last]) for c in CLASSES)

    def replayed(plan):
        """Seconds of overload, and mean allocation as a multiple of mean demand."""
        file = folder / "tuning.yaml"
        file.write_text(policy_text(plan, False))
        report = json.loads(run(args.nilo, "planning", "--replay", str(table), "--policy", str(file), "--from", str(first), "--interval", "2s",
                                "--top", "0", "--json"))
        scores = [one["score"] for one in report["classes"]]
        return sum(s["overloadSeconds"] for s in scores), sum(s["meanAllocation"] for s in scores) * (last - first) / mean_demand

    best = None
    for quantile, lead, hold in ((0.8, 2, 0), (0.9, 2, 0), (0.95, 2, 0), (0.8, 4, 0), (0.9, 4, 0), (0.8, 2, 4), (0.9, 2, 4)):
        plan = {"declared": {c: series[c][first] for c in CLASSES}, "quantile": quantile, "headroom": 0.01, "lead": lead, "hold": hold}
        over, mean = replayed(plan)
        # The mean follows the headroom: what is left of the allowance is given to it.
        plan["headroom"] = round(math.floor(((1.01 * most / mean) - 1) * 2000) / 2000, 4)
        if plan["headroom"] < 0:
            continue
        over, mean = replayed(plan)
        if mean <= most * 1.0005 and (best is None or over < best[0]):
            best = (over, mean, plan)
    if best is None:
        raise SystemExit("diurnal: planning allocates more than that with all parameters; take a larger --allocation")
    return best


# The worlds


class World:
    def __init__(self, name):
        self.name = name
        self.spaces = {host: f"nilolab-{name}-{host}" for host in ("sender", "router", "receiver")}

    def up(self):
        for space in self.spaces.values():
            run("ip", "netns", "add", space)
            run("ip", "netns", "exec", space, "sh", "-ec",
                "for f in all default; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done; echo 1 >/proc/sys/net/ipv4/ip_forward; ip link set lo up")
        s, r, t = (self.spaces[h] for h in ("sender", "router", "receiver"))
        self.pair(s, "wire", "10.77.1.1/24", r, "wire", "10.77.1.2/24", 1)
        self.pair(r, "path-a", "10.77.2.1/24", t, "path-a", "10.77.2.2/24", 2)
        self.pair(r, "path-b", "10.77.3.1/24", t, "path-b", "10.77.3.2/24", 3)
        run("ip", "-n", s, "route", "add", "default", "via", "10.77.1.2")
        run("ip", "-n", t, "route", "add", "default", "via", "10.77.2.1")

    @staticmethod
    def pair(one, name, address, other, other_name, other_address, number):
        run("ip", "-n", one, "link", "add", name, "address", f"02:00:00:00:0{number}:01", "type", "veth", "peer", "name", other_name, "netns", other)
        run("ip", "-n", other, "link", "set", other_name, "address", f"02:00:00:00:0{number}:02")
        for space, device, own in ((one, name, address), (other, other_name, other_address)):
            run("ip", "-n", space, "addr", "add", own, "dev", device)
            run("ip", "-n", space, "link", "set", device, "up")
        # The kernel's table of neighbours is shared by all namespaces; these never age.
        for space, device, far, mac in ((one, name, other_address, 2), (other, other_name, address, 1)):
            run("ip", "-n", space, "neigh", "replace", far.split("/")[0], "lladdr", f"02:00:00:00:0{number}:0{mac}", "dev", device, "nud", "permanent")

    def down(self):
        for space in self.spaces.values():
            subprocess.run(["ip", "netns", "del", space], capture_output=True)

    def targets(self):
        return [f"10.77.{2 if PATHS[c] == DEVICES[0] else 3}.2:{PORTS[c]}" for c in CLASSES]

    def tc(self, *words):
        return run("tc", "-n", self.spaces["router"], *words)

    def classes(self, device):
        """By handle: the rate, and what went through, was dropped and waits, bytes but for drops."""
        found, at = {}, None
        for line in self.tc("-s", "class", "show", "dev", device).splitlines():
            words = line.split()
            if words[:2] == ["class", "htb"]:
                at = words[2]
                found[at] = {"rate": bits(words[words.index("ceil") + 1]), "sent": 0, "dropped": 0, "backlog": 0}
            elif at and words[:1] == ["Sent"]:
                found[at]["sent"], found[at]["dropped"] = int(words[1]), int(words[words.index("(dropped") + 1].rstrip(","))
            elif at and words[:1] == ["backlog"]:
                found[at]["backlog"] = count(words[1].rstrip("b"))
        return found


def count(text):
    units = {"K": 1024, "M": 1024 ** 2}
    return int(float(text[:-1]) * units[text[-1]]) if text[-1] in units else int(text)


def bits(text):
    for unit, factor in (("Gbit", 1e9), ("Mbit", 1e6), ("Kbit", 1e3), ("bit", 1)):
        if text.endswith(unit):
            return float(text[:-len(unit)]) * factor
    raise ValueError(text)


class Shares(World):
    """Classes made and changed by tc(8), of the same kind and with the same bursts as Nilometer's."""

    def start(self, rates):
        self.rates = dict(rates)
        for device in DEVICES:
            self.tc("qdisc", "add", "dev", device, "root", "handle", "1:", "htb")
        for cls in CLASSES:
            self.set("add", cls)
            minor = PORTS[cls] % 10
            self.tc("filter", "add", "dev", PATHS[cls], "parent", "1:", "protocol", "ip", "u32", "match", "ip", "dport", str(PORTS[cls]), "0xffff",
                    "flowid", f"1:{minor}")

    def set(self, verb, cls):
        burst = max(self.rates[cls] * 0.01 / 8, 2 * 1514)
        self.tc("class", verb, "dev", PATHS[cls], "parent", "1:", "classid", f"1:{PORTS[cls] % 10}", "htb", "rate", f"{self.rates[cls]:.0f}",
                "ceil", f"{self.rates[cls]:.0f}", "burst", f"{burst:.0f}", "cburst", f"{burst:.0f}")

    def allocated(self):
        found = {device: self.classes(device) for device in DEVICES}
        return {c: found[PATHS[c]][f"1:{PORTS[c] % 10}"]["rate"] for c in CLASSES}


class Reactive(Shares):
    def start(self, rates, params):
        super().start(rates)
        self.params, self.quiet = params, {c: 0 for c in CLASSES}

    def watch(self, day, start):
        """Each second at the half, as the agent does. It need not measure: it is told exactly what was asked for in the last second."""
        self.thread = threading.Thread(target=self.follow, args=(day, start), daemon=True)
        self.thread.start()

    def follow(self, day, start):
        for second in range(int(len(day["critical"]) * STEP) - 1):
            time.sleep(max(0, start + second + 1 - SETTLE - time.time()))
            for cls in CLASSES:
                before = self.rates[cls]
                self.rates[cls], self.quiet[cls] = Reaction.step(before, self.quiet[cls], day[cls][int(second // STEP)], False, *self.params)
                if self.rates[cls] != before:
                    self.set("change", cls)


class Nilometer(World):
    def start(self, args, plan, history, first, state):
        self.state, self.nilo = state, args.nilo
        (state / "policy.d").mkdir()
        (state / "planning").mkdir()
        (state / "bpf").mkdir()
        (state / "policy.d" / "lab.yaml").write_text(policy_text(plan, True))
        # What an agent keeps of the days that it has seen: means of five minutes of demand, here of two seconds.
        demand = {c: {"last": first - 1, "interval": STEP, "values": history[c]} for c in CLASSES}
        (state / "planning" / "demand.json").write_text(json.dumps(demand))
        (state / "agent.yaml").write_text(f"""
interfaces: [path-a, path-b]
bpffs: {state}/bpf
control: {{socket: {state}/control.sock, read-socket: {state}/read.sock}}
metrics: {{listen: off}}
page: {{listen: off}}
history: {{file: off}}
topology: {{kept: false}}
applications: off
policy: {state}/policy.d
planning: {{mode: auto, state: {state}/planning}}
forecast: {{enabled: false, day: {int(DAY * STEP)}s}}
anomalies: {{enabled: false}}
""")
        self.log = (state / "agent.log").open("w")
        # nsenter keeps this mount namespace, and so the BPF file system; `ip netns exec` would hide it.
        run("mount", "-t", "bpf", "bpf", str(state / "bpf"))
        self.agent = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.spaces['router']}", args.nilo, "agent", "--config", str(state / "agent.yaml")],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        for _ in range(150):
            answer = subprocess.run([self.nilo, "shape", "--json", "--socket", f"{state}/control.sock"], text=True, capture_output=True)
            if answer.returncode == 0:
                rules = {rule["name"]: rule for rule in json.loads(answer.stdout)}
                if set(rules) == set(CLASSES):
                    self.handles = {c: rules[c]["classID"] for c in CLASSES}
                    return
            if self.agent.poll() is not None:
                break
            time.sleep(0.1)
        raise SystemExit(f"diurnal: the agent does not run; its words are in {state}/agent.log")

    def allocated(self):
        found = {device: self.classes(device) for device in DEVICES}
        return {c: found[PATHS[c]][self.handles[c]]["rate"] for c in CLASSES}

    def stop(self):
        report = subprocess.run([self.nilo, "planning", "--top", "500", "--json", "--socket", f"{self.state}/control.sock"], text=True,
                                capture_output=True)
        subprocess.run([self.nilo, "stop", "--socket", f"{self.state}/control.sock"], capture_output=True)
        try:
            self.agent.wait(20)
        except subprocess.TimeoutExpired:
            self.agent.kill()
        run("umount", str(self.state / "bpf"))
        return json.loads(report.stdout) if report.returncode == 0 else {"failed": report.stderr}


# The run


def play(args, series, test, tuned, folder):
    """Returns, by world, for each second of the day the allocations; and what the receivers wrote."""
    first_value = test * DAY
    history = {c: [round(v, 1) for v in series[c][max(0, first_value - 4032):first_value]] for c in CLASSES}
    day = {c: series[c][first_value:first_value + args.steps] for c in CLASSES}
    worlds = {"static": Shares("static"), "reactive": Reactive("reactive"), "nilometer": Nilometer("nilometer")}
    processes, allocated = [], {w: [] for w in WORLDS}
    state = folder / "agent"
    try:
        for world in worlds.values():
            world.down()
            world.up()
        schedule = folder / "schedule.txt"
        schedule.write_text("".join(" ".join(f"{day[c][i]:.1f}" for c in CLASSES) + "\n" for i in range(len(day["critical"]))))
        number = int((time.time() + 14) // STEP) + 1
        start = number * STEP + 0.5 + SETTLE
        end = start + args.steps * STEP
        worlds["static"].start(tuned["static"])
        worlds["reactive"].start({c: history[c][-1] for c in CLASSES}, tuned["reactive"]["parameters"])
        state.mkdir()
        plan = dict(tuned["planning"], declared=tuned["static"])
        worlds["nilometer"].start(args, plan, history, number, state)
        if time.time() > start - 3:
            raise SystemExit("diurnal: the machine is too busy to begin in time")
        for name, world in worlds.items():
            processes.append(subprocess.Popen(
                ["ip", "netns", "exec", world.spaces["receiver"], args.traffic, "receive", str(folder / f"{name}.bin"), f"{end + 8:.3f}"] + world.targets()))
            processes.append(subprocess.Popen(
                ["ip", "netns", "exec", world.spaces["sender"], args.traffic, "send", str(schedule), f"{start:.3f}", f"{STEP:g}"] + world.targets(),
                stdout=(folder / f"{name}.sent").open("w")))
        worlds["reactive"].watch(day, start)
        say(f"a day in {args.steps * STEP / 60:.0f} minutes: until {time.strftime('%H:%M:%S', time.localtime(end))}")
        for second in range(int(args.steps * STEP)):
            time.sleep(max(0, start + second + 0.5 - time.time()))
            for name, world in worlds.items():
                allocated[name].append(world.allocated())
        for process in processes:
            process.wait(30)
            if process.returncode:
                raise SystemExit(f"diurnal: {' '.join(process.args[:6])} ended with {process.returncode}")
        journal = worlds["nilometer"].stop()
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
        agent = getattr(worlds["nilometer"], "agent", None)
        if agent and agent.poll() is None:
            agent.send_signal(signal.SIGINT)
            try:
                agent.wait(10)
            except subprocess.TimeoutExpired:
                agent.kill()
        if os.path.ismount(state / "bpf"):
            run("umount", str(state / "bpf"))
        for world in worlds.values():
            world.down()
    return day, allocated, journal, start


def delays(path, start):
    """By class: (microseconds on the way, second of sending) of each packet that came."""
    raw = array.array("I")
    raw.frombytes(path.read_bytes())
    found = {c: ([], []) for c in CLASSES}
    for at in range(0, len(raw), 4):
        cls = CLASSES[raw[at]]
        found[cls][0].append(raw[at + 1])
        found[cls][1].append(int((raw[at + 2] + (raw[at + 3] << 32)) / 1e6 - start))
    return found


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def results(args, day, allocated, journal, start, folder, tuned):
    wanted = {c: seconds_of(day[c]) for c in CLASSES}
    mean = sum(sum(wanted[c]) / len(wanted[c]) for c in CLASSES)
    out = {"set": args.set if args.data else "generated", "seconds": len(wanted["critical"]), "meanDemand": mean, "tuned": tuned, "worlds": {}}
    for world in WORLDS:
        sent = [int(x) for x in (folder / f"{world}.sent").read_text().split()]
        arrived = delays(folder / f"{world}.bin", start)
        entry = {"meanAllocation": 0.0, "overloadSeconds": 0, "classes": {}}
        for cls, count_sent in zip(CLASSES, sent):
            rates = [a[cls] for a in allocated[world]]
            over = sum(d > a for d, a in zip(wanted[cls], rates))
            ways = sorted(arrived[cls][0])
            entry["classes"][cls] = {
                "meanDemand": sum(wanted[cls]) / len(wanted[cls]), "meanAllocation": sum(rates) / len(rates), "overloadSeconds": over,
                "p50ms": percentile(ways, 0.5) / 1000, "p95ms": percentile(ways, 0.95) / 1000, "p99ms": percentile(ways, 0.99) / 1000,
                "sent": count_sent, "lost": count_sent - len(ways)}
            entry["meanAllocation"] += sum(rates) / len(rates)
            entry["overloadSeconds"] += over
        out["worlds"][world] = entry
    out["planning"] = {"changes": len(journal.get("actions", [])), "outcomes": {}}
    for action in journal.get("actions", []):
        out["planning"]["outcomes"][action["outcome"]] = out["planning"]["outcomes"].get(action["outcome"], 0) + 1
    reactive, own = out["worlds"]["reactive"], out["worlds"]["nilometer"]
    out["fewerOverloadSeconds"] = 1 - own["overloadSeconds"] / max(1, reactive["overloadSeconds"])
    out["lowerCriticalP95"] = 1 - own["classes"]["critical"]["p95ms"] / reactive["classes"]["critical"]["p95ms"]
    return out, wanted


def table(out):
    lines = [f"{out['set']}: {out['seconds']} s, mean demand {out['meanDemand'] / 1e6:.2f} Mbit/s of three classes", "",
             f"{'':12} {'ALLOCATED':>10} {'OVERLOADED':>10}  {'CRITICAL':>8} {'P50':>8} {'P95':>8} {'P99':>8} {'LOST':>7}"]
    for world, entry in out["worlds"].items():
        c = entry["classes"]["critical"]
        lines.append(f"{world:12} {entry['meanAllocation'] / out['meanDemand']:9.3f}x {entry['overloadSeconds']:8d} s  {c['overloadSeconds']:6d} s "
                     f"{c['p50ms']:5.2f} ms {c['p95ms']:5.2f} ms {c['p99ms']:5.1f} ms {100 * c['lost'] / c['sent']:5.2f} %")
    lines += ["", f"beside the reactive controller: {100 * out['fewerOverloadSeconds']:.0f} % fewer overload seconds, "
              f"{100 * out['lowerCriticalP95']:.0f} % lower p95 of the critical class"]
    return "\n".join(lines)


def chosen(args, series, test, days, folder):
    say(f"choosing parameters on days {days[0]} to {days[-1]}, day {test} is the test")
    reactive = tune_reactive(series, days, args.allocation)
    planning = tune_planning(args, series, days, reactive[1], folder)
    known = {c: series[c][days[0] * DAY:test * DAY] for c in CLASSES}
    static = {c: sum(known[c]) / len(known[c]) * reactive[1] for c in CLASSES}
    say(f"reactive: {reactive[0]} s of overload at {reactive[1]:.3f} with up, low, hold, down = {reactive[2]}")
    say(f"planning: {planning[0]} s of overload at {planning[1]:.3f} with " +
        ", ".join(f"{k} {planning[2][k]}" for k in ("quantile", "headroom", "lead", "hold")))
    return {
        "allocation": args.allocation, "days": days, "static": static,
        "reactive": {"overloadSeconds": reactive[0], "allocation": reactive[1], "parameters": reactive[2]},
        "planning": dict(planning[2], overloadSeconds=planning[0], allocation=planning[1])}


def main():
    parser = argparse.ArgumentParser(prog="tools/lab diurnal")
    parser.add_argument("--data", help="the folder of the public data sets; without it the day is generated")
    parser.add_argument("--set", choices=sorted(SETS), default="isp")
    parser.add_argument("--allocation", type=float, default=1.03, help="mean allocation of all controllers, as a multiple of mean demand")
    parser.add_argument("--mean", type=float, default=8.0, help="mean demand of each class, Mbit/s")
    parser.add_argument("--steps", type=int, default=DAY, help="five-minute steps of the day that are played (288)")
    parser.add_argument("--out", required=True, help="folder of results.json and diurnal.svg")
    parser.add_argument("--simulate", action="store_true", help="only choose parameters, without packets")
    parser.add_argument("--parameters", help="what an earlier --simulate printed, in place of choosing again")
    parser.add_argument("--nilo", required=True)
    parser.add_argument("--traffic", required=True)
    parser.add_argument("--state", required=True)
    args = parser.parse_args()
    # Nobody else's work on the machine is to be measured: before others within the session, and the session before others (sched(7)).
    os.nice(-10)
    group = pathlib.Path("/proc/self/autogroup")
    if group.exists():
        before = group.read_text().split()[-1]
        group.write_text("-10")
        atexit.register(group.write_text, before)
    folder = pathlib.Path(args.state)
    folder.mkdir(parents=True)
    series, test, tuning = read_set(args.data, args.set) if args.data else generated()
    series = scaled(series, test * DAY, args.mean * 1e6)
    days = list(tuning)
    tuned = json.loads(pathlib.Path(args.parameters).read_text()) if args.parameters else chosen(args, series, test, list(tuning), folder)
    out_folder = pathlib.Path(args.out)
    out_folder.mkdir(parents=True, exist_ok=True)
    if args.simulate:
        print(json.dumps(tuned, indent=1))
        return
    day, allocated, journal, start = play(args, series, test, tuned, folder)
    out, wanted = results(args, day, allocated, journal, start, folder, tuned)
    (out_folder / "results.json").write_text(json.dumps(out, indent=1) + "\n")
    with (out_folder / "seconds.csv").open("w") as rows:
        print("second," + ",".join(f"{c} demand" for c in CLASSES) + "".join(f",{w} {c}" for w in WORLDS for c in CLASSES), file=rows)
        for second in range(out["seconds"]):
            cells = [wanted[c][second] for c in CLASSES] + [allocated[w][second][c] for w in WORLDS for c in CLASSES]
            print(f"{second}," + ",".join(f"{cell:.0f}" for cell in cells), file=rows)
    (out_folder / "diurnal.svg").write_text(picture(out, wanted, allocated, WORLDS, CLASSES))
    print(table(out))


if __name__ == "__main__":
    main()

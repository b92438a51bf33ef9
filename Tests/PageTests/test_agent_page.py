#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: Tests/PageTests/test_agent_page.py [--nilo PROGRAM] [--screenshots DIR [--after SECONDS]]

Looks at the page of a real agent with a real browser: over tools/lab and its traffic, in namespaces of its own. The map shows the lab's
hosts and tenants and what its links carry, the flow table and the series fill, the forecasts are the agent's and what was unusual is
listed, the slider shows the past after a change, and the browser complains of nothing. The agent's day has 288 seconds, so that it has
learnt something in a minute.

  --nilo PROGRAM      the agent; without it that of the debug build
  --screenshots DIR   also take pictures: map.png, map-dark.png, chosen.png, free.png, compared.png, flows.png, series.png, phone.png, …
  --after SECONDS     of traffic, so that there is a past to be seen

Needs root, and what test_page.py needs; without it is skipped (exit 0). Exit status 0: nothing failed.
"""
import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

try:
    from browser import Browser, PageError, find_browser
except ModuleNotFoundError as missing:
    print(f"skipped: {missing.name} is not installed")
    sys.exit(0)
from page import expect, press, view

ROOT = pathlib.Path(__file__).resolve().parents[2]
ADDRESS = "http://127.0.0.1:8643/"
HOSTS = (1, 2, 3)
options = None
failures = []


def run(*command):
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if answer.returncode:
        raise SystemExit(f"{' '.join(command)}: {answer.stdout}")
    return answer.stdout


# MARK: the agent

def configuration(folder):
    return f"""
interfaces: [all-but-loopback]
namespaces: [host, "nilolab-*"]
datapath: {{flows: 16384, interfaces: 128}}
control: {{socket: {folder}/control.sock, read-socket: {folder}/read.sock}}
metrics: {{listen: "off"}}
bpffs: {folder}/bpf
policy: {folder}/policy.d
history: {{file: {folder}/history.db}}
applications: on
page: {{listen: "127.0.0.1:8643"}}
forecast: {{day: 288s}}
"""


@contextlib.contextmanager
def watched():
    """The lab with its traffic, and an agent that watches it, in namespaces that are this process's own."""
    for place in ("/run", "/var/log", "/var/lib/nilo"):
        if os.path.isdir(place):
            run("mount", "-t", "tmpfs", "none", place)
    run("ip", "link", "set", "lo", "up")
    with tempfile.TemporaryDirectory(prefix="nilo-page-", dir="/run") as folder:
        for name in ("bpf", "policy.d"):
            os.mkdir(f"{folder}/{name}")
        run("mount", "-t", "bpf", "none", f"{folder}/bpf")
        pathlib.Path(folder, "agent.yaml").write_text(configuration(folder))
        lab = str(ROOT / "tools/lab")
        run(lab, "up")
        with open(f"{folder}/agent.log", "w") as log:
            agent = subprocess.Popen([options.nilo, "agent", "--config", f"{folder}/agent.yaml"], stdout=log, stderr=log)
        try:
            run(lab, "traffic", "--seconds", str(900 + int(options.after)))
            yield agent
            if agent.poll() is not None:
                raise AssertionError(f"the agent ended: {pathlib.Path(folder, 'agent.log').read_text()}")
        except BaseException:
            print(pathlib.Path(folder, "agent.log").read_text()[-3000:], file=sys.stderr)
            raise
        finally:
            agent.terminate()
            agent.wait(20)
            run(lab, "down")
            run("umount", f"{folder}/bpf")


# MARK: the page

def open_page(browser):
    end = time.monotonic() + 60
    while True:
        try:
            browser.open(ADDRESS)
            browser.wait_for("document.querySelector('#status')?.dataset.state === 'live'", 10, "the agent to be live")
            break
        except PageError:
            if time.monotonic() > end:
                raise
    browser.complaints()  # of an agent that was not there yet


def ask(browser, path):
    return browser.evaluate(f"fetch('v1/{path}').then(r => r.json())")


def find(browser, name, seconds=10, leave=True):
    """The panel's heading after a search as a person makes it; None where nothing is found in that time."""
    end = time.monotonic() + seconds
    while True:
        browser.evaluate("document.getElementById('find').focus()")
        browser.type(name)
        time.sleep(0.2)
        if "nothing found" not in browser.evaluate("document.getElementById('found').textContent"):
            break
        browser.evaluate("(e => { e.value = ''; e.dispatchEvent(new Event('input')); e.blur(); })(document.getElementById('find'))")
        if time.monotonic() > end:
            return None
        time.sleep(0.3)
    browser.key("Enter")
    title = browser.wait_for("document.querySelector('.panel.chosen h2')?.textContent", 5)
    if leave:
        browser.evaluate("document.querySelector('.panel .close')?.click(), document.activeElement.blur()")
    return title


def check_hosts(browser):
    for number in HOSTS:
        for name in (f"nilolab-host{number}", f"nilolab-tenant{number}"):
            expect(find(browser, name) == name, f"{name} is not found")
    expect(find(browser, "10.50.0.3"), "the third tenant's address is not found")


def check_loads(browser):
    """The busiest links are told with their rates, and the rate of all is what the lab sends: 60 Mb/s and a little."""
    browser.wait_for("document.querySelectorAll('.panel .rows li').length > 5", 20, "the busiest links")
    browser.wait_for("/Mb/.test(document.querySelector('.panel .rows li').textContent)", 20, "a link with Mb/s")
    map_ = ask(browser, "topology?top=1000")
    loaded = {link["kind"] for link in map_["links"] if (link.get("load") or {}).get("bitsPerSecond", 0) > 1e6}
    expect({"veth", "tunnel", "talk"} <= loaded, f"over 1 Mb/s only: {sorted(loaded)}")


def check_flows(browser):
    view(browser, "flows")
    browser.wait_for("document.querySelectorAll('#flows tbody tr').length > 10", 20, "flows")
    browser.evaluate("document.getElementById('filter').focus()")
    browser.type("tcp port 5201")
    browser.wait_for("/of/.test(document.querySelector('.beside p').textContent)", 6, "fewer flows")
    rows = browser.evaluate("[...document.querySelectorAll('#flows tbody .ends')].map(e => e.textContent)")
    expect(rows and all(":5201" in row for row in rows), rows[:3])
    browser.evaluate("(e => { e.value = ''; e.dispatchEvent(new Event('input')); e.blur(); })(document.getElementById('filter'))")
    view(browser, "map")


def check_series(browser):
    view(browser, "series")
    for kind in ("link", "network", "application"):
        press(browser, f'#series [data-value="{kind}"]')
        browser.wait_for("document.querySelectorAll('#series .card .value').length > 0"
                         " && /[1-9]/.test(document.querySelector('#series .card .value').textContent)", 20, f"series of {kind}")
    press(browser, '#series [data-value="link"]')
    view(browser, "map")


def check_forecast(browser):
    """Of all traffic, and in the panel of an interface: what is read under the pointer is what the agent foretells."""
    view(browser, "forecast")
    told = "document.querySelector('%s .fan')?.getAttribute('aria-valuetext') ?? ''"
    # Without a forecast what was is read.
    browser.wait_for(f"/median [^,]*b.s/.test({told % '#forecast'})", 60, "a forecast of all traffic")
    report = ask(browser, "forecast?key=total")
    for direction in report["directions"]:
        expect(all(row == sorted(row) and len(row) == len(report["levels"]) for row in direction["quantiles"]), f"quantiles cross: {direction}")
    near = report["directions"][0]["quantiles"][0]
    expect(near[-1] > 1e6, f"the lab sends 60 Mb/s, and at most {near[-1]:.0f} b/s is expected")
    press(browser, '#forecast [data-value="cpu"]')
    browser.wait_for(f"/median [^,]* %/.test({told % '#forecast'})", 20, "a forecast of the CPU")
    press(browser, '#forecast [data-value="total"]')
    view(browser, "map")
    expect(find(browser, "vx100", leave=False), "vx100 is not found")
    browser.wait_for(f"/median [^,]*b.s/.test({told % '.panel'})", 20, "a forecast in the panel")
    browser.evaluate("document.querySelector('.panel .close')?.click(), document.activeElement.blur()")


def check_incidents(browser):
    """What the agent lists the page lists, and counts what goes on."""
    view(browser, "incidents")
    time.sleep(11)
    cards = browser.evaluate("[...document.querySelectorAll('.incident')].map(card => Number(card.querySelector('h3').id.slice(9)))")
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86400))
    listed = [incident["id"] for incident in ask(browser, f"anomalies?since={since}")["incidents"]]
    # One may have begun since.
    expect(cards == listed[len(listed) - len(cards):] and len(listed) - len(cards) <= 2, f"the page lists {cards}, the agent {listed}")
    view(browser, "map")


def check_past(browser):
    """What is added is on the map at once; the slider shows the map without it, and the comparison names it."""
    time.sleep(2.5)
    expect(find(browser, "late0", 0) is None, "late0 is there before it is made")
    browser.wait_for("Number(document.querySelector('.track .moment').max) === 3600")
    earlier = time.time() - 1
    run("ip", "-n", "nilolab-host2", "link", "add", "late0", "type", "veth", "peer", "name", "late1", "netns", "nilolab-tenant2")
    run("ip", "-n", "nilolab-host2", "link", "set", "late0", "up")
    browser.wait_for("/late0/.test(document.querySelector('.panel').textContent)", 10, "the change to be told")
    expect(find(browser, "late0") == "late0", "late0 is not found")
    time.sleep(3)
    slide = """(at => { const e = document.querySelector('.track .%s'); e.value = e.max - Math.round((Date.now() - at * 1000) / 1000);
        e.dispatchEvent(new Event('input')); })(%s)"""
    browser.evaluate(slide % ("moment", earlier))
    browser.wait_for("document.querySelector('.timeline.past') && document.querySelector('.epoch').textContent.startsWith('map of')", 30, "the past")
    time.sleep(1)
    expect(find(browser, "late0", 0) is None, "late0 is in the past before it was made")
    expect(find(browser, "nilolab-host2") == "nilolab-host2", "the past is empty")
    browser.evaluate("document.querySelector('.timeline .now').click()")
    browser.wait_for("!document.querySelector('.timeline.past') && document.querySelector('.epoch').textContent.startsWith('epoch')", 30, "now")
    press(browser, '.timeline button[aria-pressed]')
    browser.evaluate(slide % ("since", earlier))
    browser.wait_for("document.querySelector('.panel h2').textContent === 'Compared'"
                     " && /late0/.test(document.querySelector('.panel').textContent)", 30, "the comparison to name late0")
    if options.screenshots:
        choose_window(browser)
        press(browser, "#zoom-fit")
        time.sleep(2)
        browser.screenshot(f"{options.screenshots}/compared.png")
        choose_window(browser, 3600)
    press(browser, '.timeline button[aria-pressed]')
    browser.wait_for("!document.querySelector('.timeline.past')", 8, "now again")
    run("ip", "-n", "nilolab-host2", "link", "del", "late0")


def check_no_complaints(browser):
    for value in ("free", "levels"):
        press(browser, f'#arrangement [data-value="{value}"]')
        time.sleep(1.5)
    # What has just come is not watched yet: the page says so, and the browser notes the agent's refusal.
    complaints = [text for text in browser.complaints() if not ("(Not Found)" in text and "/v1/forecast?key=" in text and "late0" in text)]
    expect(not complaints, f"the console complains: {complaints}")
    strange = [url for url in browser.requested() if not url.startswith(ADDRESS)]
    expect(not strange, f"asked for {strange}")


CHECKS = (check_hosts, check_loads, check_flows, check_series, check_forecast, check_incidents, check_past, check_no_complaints)


def choose_window(browser, seconds=900):
    browser.evaluate(f"(e => {{ e.value = '{seconds}'; e.dispatchEvent(new Event('change')); }})(document.querySelector('.timeline select'))")


def take_screenshots(browser, folder):
    browser.evaluate("document.querySelector('.panel .close')?.click(), document.activeElement.blur()")
    choose_window(browser)
    # No change is marked any more.
    time.sleep(8)
    for theme, ending in (("light", ""), ("dark", "-dark")):
        browser.prefer(theme)
        time.sleep(0.7)
        browser.screenshot(f"{folder}/map{ending}.png")
    browser.prefer("light")
    find(browser, "nilolab-tenant1", leave=False)
    time.sleep(1)
    browser.screenshot(f"{folder}/chosen.png")
    browser.evaluate("document.querySelector('.panel .close')?.click(), document.activeElement.blur()")
    press(browser, '#arrangement [data-value="free"]')
    time.sleep(5)
    browser.screenshot(f"{folder}/free.png")
    press(browser, '#arrangement [data-value="levels"]')
    for name in ("flows", "series", "forecast", "incidents"):
        view(browser, name)
        if name == "series":
            press(browser, '#series [data-value="900"]')
        time.sleep(6)
        browser.screenshot(f"{folder}/{name}.png")
        browser.prefer("dark")
        time.sleep(1)
        browser.screenshot(f"{folder}/{name}-dark.png")
        browser.prefer("light")
    with Browser(360, 740) as phone:
        phone.resize(360, 740, True)
        open_page(phone)
        choose_window(phone)
        phone.wait_for("document.getElementById('map-notice').hidden")
        phone.wait_for("document.querySelectorAll('.panel .rows li').length > 5")
        time.sleep(3)
        phone.screenshot(f"{folder}/phone.png")
        for name in ("flows", "series"):
            view(phone, name)
            time.sleep(4)
            phone.screenshot(f"{folder}/phone-{name}.png")


def inside():
    failed = passed = 0
    with watched(), Browser(1360, 850) as browser:
        time.sleep(options.after)
        open_page(browser)
        for check in CHECKS:
            print(f"  {check.__name__[6:].replace('_', ' ')}", flush=True)
            try:
                check(browser)
                passed += 1
            except (AssertionError, PageError) as error:
                failed += 1
                print(f"    FAILED: {error}", flush=True)
                if options.screenshots:
                    browser.screenshot(f"{options.screenshots}/failed-{check.__name__[6:]}.png")
        if options.screenshots:
            take_screenshots(browser, options.screenshots)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    global options
    parser = argparse.ArgumentParser(usage=__doc__[7:], add_help=False)
    parser.add_argument("--nilo", default=str(ROOT / ".build/debug/nilo"))
    parser.add_argument("--screenshots")
    parser.add_argument("--after", type=float, default=0)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return inside()
    if not find_browser():
        print("skipped: neither chromium-headless-shell nor chromium is installed")
        return 0
    if os.geteuid() != 0:
        print("skipped: making network namespaces needs root")
        return 0
    if not os.access(options.nilo, os.X_OK):
        print(f"nilo: the page of an agent cannot be tested: there is no {options.nilo}\nhint: swift build --product nilo", file=sys.stderr)
        return 1
    # A name of its own, so that pictures look the same everywhere.
    return subprocess.call(["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
                            'hostname aswan && exec "$@"', "sh", sys.executable, __file__, "--inside", "--nilo", options.nilo]
                           + (["--screenshots", os.path.abspath(options.screenshots), "--after", str(options.after)]
                              if options.screenshots else []))


if __name__ == "__main__":
    sys.exit(main())

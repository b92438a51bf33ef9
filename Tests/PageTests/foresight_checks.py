# SPDX-License-Identifier: Apache-2.0
"""Looks at what the page tells of the future and of what was unusual; see test_page.py."""
import collections
import time

from page import expect, press, shown, view
from query import Fault

LIMIT = 100  # milliseconds
BODY = "document.querySelector('#forecast .fan-body:not([hidden])')"
FAN = "document.querySelector('#forecast .fan')"
WORDS = "document.querySelector('#forecast .fan-words').textContent"
CARDS = "document.querySelectorAll('.incident')"


def forecast(browser, key=None):
    browser.evaluate(f"location.hash = '#forecast{'&key=' + key if key else ''}'")
    browser.wait_for(BODY, what=f"the forecast of {key or 'all traffic'}")
    time.sleep(0.4)


def check_forecast_reading():
    """What is read under the pointer are the agent's own quantiles, by mouse and by keys, of the past and of the future."""
    with shown() as browser:
        forecast(browser)
        expect(browser.evaluate(f"{FAN}.getAttribute('role')") == "slider", "the chart is no slider to a screen reader")
        browser.evaluate(f"{FAN}.focus()")
        browser.key("End")
        read = """(async () => {
            const format = await import('/page/format.js');
            const report = await fetch('v1/forecast?key=total&span=day').then(r => r.json());
            const last = report.directions.map(d => d.quantiles.at(-1));
            const rows = [...document.querySelectorAll('.fan-reading tbody tr')].map(r => [...r.querySelectorAll('td')].map(c => c.textContent));
            const wanted = [last.map(q => format.textIn(report.unit, q[5])),
                ...[[4, 6], [3, 7], [2, 8], [1, 9], [0, 10]].map(([a, b]) => last.map(q => format.rangeIn(report.unit, q[a], q[b])))];
            return [JSON.stringify(rows), JSON.stringify(wanted)];
        })()"""
        rows, wanted = browser.evaluate(read)
        expect(rows == wanted, f"read {rows}, told {wanted}")
        spoken = browser.evaluate(f"{FAN}.getAttribute('aria-valuetext')")
        expect("up to 1 d ahead" in spoken and "median" in spoken and "90 %" in spoken, spoken)
        browser.key("Home")
        spoken = browser.evaluate(f"{FAN}.getAttribute('aria-valuetext')")
        expect("1 d ago" in spoken and "was " in spoken and "1 h before" in spoken, spoken)
        browser.key("Escape")
        box = browser.evaluate(f"(b => [b.x, b.y, b.width, b.height])({FAN}.getBoundingClientRect())")
        browser.mouse("mouseMoved", box[0] + box[2] * 0.75, box[1] + box[3] / 2)
        expect("12 h" in browser.evaluate(f"{FAN}.getAttribute('aria-valuetext')"), "half way into a day is not 12 h ahead")
        expect(not browser.complaints(), "the console complains")


def check_forecast_drawing():
    """In the future a column of the chart gets darker band by band up to the median; and a band of the past goes when it is not wanted."""
    # Of CPU: one direction. Light: the nearer to the middle the darker.
    column = f"""(share => {{
        const c = {FAN}, x = Math.round(c.width * share), data = c.getContext('2d').getImageData(x, 20, 1, c.height - 40).data;
        const found = [];
        for (let i = 0; i < data.length; i += 4) found.push(data[i + 3]);
        return found; }})"""
    with shown() as browser:
        for theme in ("light", "dark"):
            browser.prefer(theme)
            forecast(browser, "cpu")
            opacities = browser.evaluate(f"{column}(0.9)")
            top = opacities.index(max(opacities))
            # What is there once is an edge.
            steps = [shade for shade, times in collections.Counter(opacities[:top]).items() if 0 < shade < 250 and times > 1]
            expect(len(steps) >= 5 and steps == sorted(steps), f"{theme}: {len(steps)} shades of bands: {steps}")
        count = f"{column}(0.4).filter(a => a > 0).length"
        before = browser.evaluate(count)
        press(browser, '#forecast .fan-legend button')
        after = browser.evaluate(count)
        expect(after < before, f"{before} points of the past before the bands were taken away, {after} after")


def check_forecast_spans():
    """How far ahead is chosen; where there is too little history the reason is told, and minutes are shown first."""
    with shown() as browser:
        forecast(browser)
        press(browser, '#forecast [data-value="week"]')
        browser.wait_for(f"{WORDS}.includes('steps of 1 h')", 5, "steps of an hour")
        forecast(browser)
        words = browser.wait_for(f"{WORDS}.includes('steps of 1 h') && {WORDS}", 5)
        expect("62 % of the weight" in words, words)
        press(browser, '#forecast [data-value="day"]')
        browser.wait_for(f"{WORDS}.replaceAll('\\u00a0', ' ').includes('Lately, 1 h ahead: 89 % of 436 within the 90 % band')", 5,
                         "how forecasts did")
        press(browser, '#forecast [data-value="packets"]')
        unit = "document.querySelector('#forecast .fan-reading tbody td').textContent.endsWith('p/s')"
        browser.wait_for(unit, 5, "packets")
        press(browser, '#forecast [data-value="bits"]')
        browser.wait_for(f"!{unit}", 5, "bits again")
        forecast(browser, "flows")
        expect(not browser.evaluate("document.querySelector('#forecast [data-value=\"bits\"]').offsetParent"), "flows are not measured in bits")
        pressed = "document.querySelector('#forecast .forecast [aria-pressed=true]').dataset.value"
        expect(browser.wait_for(f"{pressed} === 'minutes'", 5), "minutes are not shown where a day cannot be")
        press(browser, '#forecast [data-value="day"]')
        browser.wait_for(f"{WORDS}.includes('No forecast: it takes 24 steps of history, and there are 7')", 5, "the reason for no forecast")
        browser.evaluate("location.hash = '#forecast&key=nothing'")
        browser.wait_for("document.querySelector('#forecast .forecast .quiet').textContent.includes('nothing is not watched')", 5, "the refusal")


def check_forecast_of_a_fast_day():
    """A laboratory's day takes minutes: what the spans take, and their steps, are the agent's to say. What is old is not called now."""
    with shown() as browser:
        agent = browser.server.agent.foresight
        ordinary = agent.forecast

        def fast(now, key, measure, span):
            step = {"minutes": 1, "day": 2, "week": 24}[span]
            return ordinary(now, key, measure, span) | {"stepSeconds": step}

        agent.forecast = fast
        forecast(browser)
        spans = "[...document.querySelectorAll('#forecast .forecast .choice button')].map(b => [b.textContent, b.title])"
        # 60 steps of a second, 288 of two, 168 of 24.
        told = browser.evaluate(spans)
        expect(told == [["1 min", "Steps of 1 s"], ["9 min 36 s", "Steps of 2 s"], ["1 h 7 min", "Steps of 24 s"]], told)
        agent.forecast = ordinary
        forecast(browser, "cpu")
        told = browser.wait_for(f"{spans}[1][0] === '1 d' && {spans}", 5, "an ordinary day")
        expect(told == [["10 min", "Steps of 10 s"], ["1 d", "Steps of 5 min"], ["7 d", "Steps of 1 h"]], told)


def check_profile_of_another():
    """Until what is usual of another series is known, that of the former one is not shown."""
    with shown() as browser:
        agent = browser.server.agent.foresight
        ordinary = agent.profile

        def slow(*question):
            time.sleep(2)
            return ordinary(*question)

        forecast(browser)
        text = "document.querySelector('.profile').textContent"
        browser.wait_for(f"{text}.includes('Over 21 days')", 5, "the profile")
        agent.profile = slow
        forecast(browser, "cpu")
        expect(browser.evaluate(text) == "", "the profile of all traffic is shown as that of CPU")
        browser.wait_for(f"{text}.includes('Over 21 days')", 5, "the profile of CPU")


def check_forecast_in_the_panel():
    with shown() as browser:
        time.sleep(1)
        for name, title in (("aswan", "All traffic"), ("eth0", None)):
            browser.evaluate("document.getElementById('find').focus()")
            browser.type(name)
            browser.key("Enter")
            browser.wait_for("document.querySelector('.panel .fan-body:not([hidden])')", 5, f"the forecast of {name}")
            if not title:
                continue
            press(browser, '.panel .gauges [data-value="memory"]')
            browser.wait_for("/B$/.test(document.querySelector('.panel .fan-reading td:last-child').textContent)", 5, "bytes of memory")
            href = browser.evaluate("document.querySelector('.panel a[href^=\"#forecast\"]').getAttribute('href')")
            expect(href == "#forecast&key=memory", href)
        expect(not browser.complaints(), "the console complains")


def check_profile():
    """Sentences, and an hour's quantiles as the agent tells them, by keys; where only a day is known the strip is a row."""
    heat = "document.querySelector('.heat')"
    with shown() as browser:
        forecast(browser, "cpu")
        browser.wait_for(f"{heat} && /91 %/.test(document.querySelector('.profile').textContent)", 5, "the profile")
        now = time.gmtime()
        expect(browser.evaluate(f"Number({heat}.getAttribute('aria-valuenow'))") == now.tm_wday * 24 + now.tm_hour, "that is not the hour of now")
        browser.evaluate(f"{heat}.focus()")
        for _ in range(8):
            browser.key("ArrowUp")
        for _ in range(40):
            browser.key("ArrowLeft")
        for _ in range(24 + 14):
            browser.key("ArrowRight")
        told, wanted = browser.evaluate(f"""(async () => {{
            const format = await import('/page/format.js');
            const hour = (await fetch('v1/profile?key=cpu').then(r => r.json())).directions[0].weekly[38];
            return [{heat}.getAttribute('aria-valuetext'),
                `Tuesday 14:00 UTC: ${{format.textIn('%', hour.median)}}, 80\u00a0% in ${{format.rangeIn('%', hour.low, hour.high)}}`]; }})()""")
        expect(told == wanted, f"told {told}, not {wanted}")
        for _ in range(35):
            browser.key("ArrowLeft")
        expect("Monday 03:00 UTC: not known" == browser.evaluate(f"{heat}.getAttribute('aria-valuetext')"), "an unknown hour is known")
        week = browser.evaluate(f"{heat}.offsetHeight")
        forecast(browser, "memory")
        browser.wait_for(f"{heat}.offsetHeight < {week} / 2", 5, "a strip of one day")
        forecast(browser, "total")
        browser.wait_for("document.querySelector('.profile').textContent.includes('cpu changes 5 min after it, the same way (correlation 0.83)')", 5,
                         "what changes with it")
        expect(not browser.complaints(), "the console complains")


def check_forecast_keeps_up():
    """The main thread is not held while the pointer runs over the chart."""
    with shown() as browser:
        forecast(browser)
        box = browser.evaluate(f"(b => [b.x, b.y, b.width, b.height])({FAN}.getBoundingClientRect())")

        def hover():
            for step in range(120):
                browser.mouse("mouseMoved", box[0] + box[2] * step / 120, box[1] + 60)
            time.sleep(0.3)

        task = browser.longest_task(hover)
        print(f"    longest task {task:.1f} ms of CPU", flush=True)
        expect(task < LIMIT, f"a task of {task:.0f} ms")


def check_incidents():
    """They are listed, the newest first; the badge and the mark on the timeline are there while one goes on; names lead to the map."""
    with shown() as browser:
        foresight = browser.server.agent.foresight
        badge = "document.getElementById('incident-badge')"
        browser.wait_for(f"!{badge}.hidden && {badge}.firstChild.textContent === '1'", 5, "the badge")
        browser.wait_for("document.querySelector('.panel .unusual')?.textContent.includes('level: ')", 5, "the panel to tell")
        marks = """(() => { const c = document.querySelector('.track canvas'), n = c.height / c.getBoundingClientRect().height;
            const data = c.getContext('2d').getImageData(0, Math.round(c.height - 14 * n), c.width, 1).data;
            const colour = getComputedStyle(document.documentElement).getPropertyValue('--flood').trim().slice(1);
            const rgb = [0, 2, 4].map(i => parseInt(colour.slice(i, i + 2), 16));
            let found = 0;
            for (let i = 0; i < data.length; i += 4) found += rgb.every((v, j) => Math.abs(v - data[i + j]) < 6);
            return found / c.width; })()"""
        # 240 s of an hour.
        share = browser.evaluate(marks)
        expect(0.05 < share < 0.09, f"the mark takes {share:.3f} of the timeline")
        view(browser, "incidents")
        titles = browser.evaluate(f"[...{CARDS}].map(card => card.querySelector('h3').textContent)")
        expect([t.split("#")[1][0] for t in titles] == ["7", "6", "5"], titles)
        first = browser.evaluate(f"{CARDS}[0].textContent")
        for words in ("goes on", "880 Mb/s", "140 – 250 Mb/s", "by chance less than once in 10\u2009000", "score 0.97", "97 %",
                      "190 Mb/s → 860 Mb/s", "nilo anomalies ack 7"):
            expect(words in first, f"“{words}” is not told: {first}")
        expect("false alarm" in titles[1] and "ack" not in browser.evaluate(f"{CARDS}[1].textContent"), titles[1])
        expect("1,400 ports" in browser.evaluate(f"{CARDS}[2].textContent"), "the evidence is not told")
        name = browser.evaluate("document.querySelector('.incident tbody a').textContent").removesuffix(" to")
        press(browser, ".incident tbody a")
        browser.wait_for(f"!document.getElementById('map').hidden && document.querySelector('.panel.chosen h2')?.textContent === {name!r}", 5, name)
        view(browser, "incidents")
        press(browser, ".incident header button")
        browser.wait_for("!document.getElementById('map').hidden && document.querySelector('.timeline.past')", 5, "the map of then")
        foresight.ended = time.time()
        browser.wait_for(f"{badge}.hidden", 15, "the badge to go")
        expect(not browser.complaints(), "the console complains")


def check_no_foresight():
    """Where no forecasts are made the page says so once, and asks no more."""
    asked = []

    def refuse(*_):
        asked.append(time.time())
        raise Fault(404, "no forecasts are made", hint="forecast.enabled and topology.kept of the configuration say whether")

    with shown() as browser:
        foresight = browser.server.agent.foresight
        foresight.anomalies = foresight.forecast = foresight.accuracy = foresight.profile = refuse
        browser.open(browser.server.address + "?again#incidents")
        browser.wait_for("document.querySelector('#incidents .quiet').textContent.startsWith('no forecasts are made')", 5, "the reason")
        expect(asked, "nothing was asked")
        before = len(asked)
        time.sleep(12)
        expect(len(asked) == before, f"asked {len(asked) - before} times more")
        browser.evaluate("location.hash = '#forecast'")
        browser.wait_for("document.querySelector('#forecast .forecast .quiet').textContent.includes('no forecasts are made')", 5, "the reason")


CHECKS = (check_forecast_reading, check_forecast_drawing, check_forecast_spans, check_forecast_of_a_fast_day,
          check_forecast_in_the_panel, check_forecast_keeps_up,
          check_profile, check_profile_of_another, check_incidents, check_no_foresight)

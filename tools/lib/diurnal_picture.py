# SPDX-License-Identifier: Apache-2.0
"""The picture of a day in the lab: demand and allocation of each world, and the seconds in which it was too little."""

WIDTH, LEFT, RIGHT, HEIGHT, GAP, TOP = 960, 58, 14, 120, 34, 44


def steps(values, x, y):
    """A staircase: each value lasts a second."""
    parts = []
    for index, value in enumerate(values):
        parts.append(f"{'M' if index == 0 else 'L'}{x(index):.1f} {y(value):.1f}L{x(index + 1):.1f} {y(value):.1f}")
    return "".join(parts)


def picture(out, wanted, allocated, worlds, classes, shown="critical"):
    seconds = out["seconds"]
    highest = 1.05 * max(max(wanted[shown]), max(a[shown] for w in worlds for a in allocated[w]))
    height = TOP + len(worlds) * (HEIGHT + GAP) + 26
    text = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="18" font-size="14" font-weight="bold">A day in {seconds / 60:.0f} minutes: the {shown} class, demand and allocation</text>',
        f'<g transform="translate({LEFT},30)"><rect width="12" height="8" y="-7" fill="#c9d8e8"/><text x="17">demand</text>'
        f'<path d="M80 -3h16" stroke="#1f5f8b" stroke-width="1.5"/><text x="101">allocated</text>'
        f'<rect x="170" y="-9" width="3" height="11" fill="#c0392b"/><text x="178">a second with more demand than allocation</text></g>',
    ]
    for row, world in enumerate(worlds):
        base = TOP + row * (HEIGHT + GAP) + HEIGHT + 14

        def x(second):
            return LEFT + (WIDTH - LEFT - RIGHT) * second / seconds

        def y(rate, base=base):
            return base - HEIGHT * rate / highest

        rates = [a[shown] for a in allocated[world]]
        entry = out["worlds"][world]
        own = entry["classes"][shown]
        text.append(
            f'<text x="{LEFT}" y="{base - HEIGHT - 4}"><tspan font-weight="bold">{world}</tspan>  {own["overloadSeconds"]} s overloaded '
            f'({entry["overloadSeconds"]} s in all classes), p95 {own["p95ms"]:.1f} ms, mean allocation '
            f'{entry["meanAllocation"] / out["meanDemand"]:.3f} of mean demand</text>')
        text.append(f'<path d="{steps(wanted[shown], x, y)}L{x(seconds):.1f} {base}L{LEFT} {base}Z" fill="#c9d8e8"/>')
        text.append(f'<path d="{steps(rates, x, y)}" fill="none" stroke="#1f5f8b" stroke-width="1.2"/>')
        marks = "".join(f"M{x(i):.1f} {base}v-12" for i in range(seconds) if wanted[shown][i] > rates[i])
        if marks:
            text.append(f'<path d="{marks}" stroke="#c0392b" stroke-width="{max(1.0, (WIDTH - LEFT - RIGHT) / seconds):.2f}"/>')
        text.append(f'<path d="M{LEFT} {base}h{WIDTH - LEFT - RIGHT}" stroke="#333"/>')
        for share in (0, 0.5, 1):
            rate = highest / 1.05 * share
            text.append(f'<text x="{LEFT - 6}" y="{y(rate) + 4:.1f}" text-anchor="end" fill="#555">{rate / 1e6:.0f} Mb/s</text>')
    for hour in range(0, 25, 3):
        at = LEFT + (WIDTH - LEFT - RIGHT) * hour / 24
        text.append(f'<text x="{at:.1f}" y="{height - 10}" text-anchor="middle" fill="#555">{hour:02d}:00</text>')
    return "\n".join(text) + "\n</svg>\n"

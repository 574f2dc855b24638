#!/usr/bin/env python3
"""Draws what bench_growth prints as SVG: bench_growth full | plot_growth.py > growth.svg"""
import math
import re
import sys

LINE = re.compile(r'(\w+) +(.+?) +(\d+) +(\d+) +\d+%(?: +-?[\d.]+)?$')
WIDTH, HEIGHT = 460, 300
LEFT, TOP, RIGHT, BOTTOM = 56, 34, 16, 36
COLUMNS = 2
COLOURS = ['#1b6ca8', '#c0392b', '#1e8449', '#8e44ad', '#b9770e', '#34495e']
UNITS = ['ns', 'µs', 'ms', 's']


def read(lines):
    """{axis: {step: [(size, ns), ...]}}, in the order printed."""
    axes = {}
    for line in lines:
        match = LINE.match(line.strip())
        if match:
            axis, step, size, time = match.groups()
            axes.setdefault(axis, {}).setdefault(step, []).append((int(size), int(time)))
    return axes


def duration(power):
    return f'{10 ** (power % 3)} {UNITS[power // 3]}' if power < 9 else f'{10 ** (power - 9)} s'


def text(x, y, words, anchor='middle', fill='#333', size=11):
    return (f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{fill}">{words}</text>')


def line(x1, y1, x2, y2, stroke):
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{stroke}" fill="none"/>'


class Panel:
    """One axis: its steps over sizes, both logarithmic."""

    def __init__(self, left, top, points):
        sizes = [math.log10(size) for size, _ in points]
        times = [math.log10(time) for _, time in points]
        self.sizes = math.floor(min(sizes)), math.ceil(max(sizes))
        self.times = math.floor(min(times)), math.ceil(max(times))
        self.left, self.top = left + LEFT, top + TOP
        self.right, self.bottom = left + WIDTH - RIGHT, top + HEIGHT - BOTTOM

    def x(self, size):
        low, high = self.sizes
        return self.left + (self.right - self.left) * (size - low) / (high - low)

    def y(self, time):
        low, high = self.times
        return self.bottom - (self.bottom - self.top) * (time - low) / (high - low)

    def frame(self, axis):
        yield text((self.left + self.right) / 2, self.top - 14, f'CPU time by number of {axis}', size=14)
        for size in range(self.sizes[0], self.sizes[1] + 1):
            yield line(self.x(size), self.top, self.x(size), self.bottom, '#ddd')
            yield text(self.x(size), self.bottom + 16, f'{10 ** size:,}')
        for time in range(self.times[0], self.times[1] + 1):
            yield line(self.left, self.y(time), self.right, self.y(time), '#ddd')
            yield text(self.left - 6, self.y(time) + 4, duration(time), 'end')

    def linear(self):
        """What grows as its size does, from the lower left corner."""
        length = min(self.sizes[1] - self.sizes[0], self.times[1] - self.times[0])
        yield (f'<path d="M{self.left} {self.bottom}L{self.x(self.sizes[0] + length):.1f} '
               f'{self.y(self.times[0] + length):.1f}" stroke="#999" stroke-dasharray="4 4"/>')

    def curve(self, index, step, points):
        colour = COLOURS[index % len(COLOURS)]
        at = [(self.x(math.log10(size)), self.y(math.log10(time))) for size, time in points]
        path = 'L'.join(f'{x:.1f} {y:.1f}' for x, y in at)
        yield f'<path d="M{path}" stroke="{colour}" stroke-width="2" fill="none"/>'
        for x, y in at:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>'
        yield text(self.left + 8, self.top + 14 + 14 * index, step, 'start', colour)


def draw(axes):
    rows = (len(axes) + COLUMNS - 1) // COLUMNS
    width, height = COLUMNS * WIDTH + RIGHT, rows * HEIGHT
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           f'width="{width}" height="{height}" font-family="sans-serif">')
    yield f'<rect width="{width}" height="{height}" fill="#fff"/>'
    for place, (axis, steps) in enumerate(axes.items()):
        points = [point for step in steps.values() for point in step]
        panel = Panel(place % COLUMNS * WIDTH, place // COLUMNS * HEIGHT, points)
        yield from panel.frame(axis)
        yield from panel.linear()
        for index, (step, curve) in enumerate(steps.items()):
            yield from panel.curve(index, step, curve)
    yield '</svg>'


print('\n'.join(draw(read(sys.stdin))))

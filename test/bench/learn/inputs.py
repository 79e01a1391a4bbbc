"""Our panel's inputs, for peers: what River and Vowpal Wabbit reach when they are given the same preparation. Written
after wasm-core/engine/src/panel/inputs.rs: columns against their running mean and deviation, their context (previous
value, means with half-lives of 4 and 16 rows), the labels that have arrived, and for columns of few values the mean and
the last label of the row's value.
"""

import math

HELD = 8.0
RATES = (1.0, 1 - 2 ** (-1 / 4), 1 - 2 ** (-1 / 16))
INPUTS_MAX = 64
TYPING_ROWS = 64
DISTINCT_MAX = 48
VALUES_MAX = 256
COLUMNS_MAX = 8


def held(value):
    return max(-HELD, min(HELD, value))


class Moments:
    def __init__(self):
        self.n = self.mean = self.m2 = 0.0

    def push(self, value):
        self.n += 1
        step = value - self.mean
        self.mean += step / self.n
        self.m2 += step * (value - self.mean)

    @property
    def inverse(self):
        variance = self.m2 / self.n if self.n > 1 else 0.0
        return 1 / math.sqrt(variance) if variance > 0 else 0.0


class Inputs:
    """`serve` a row's features, then `arrived` once its label is there."""

    def __init__(self, columns):
        self.columns = columns
        fits = [k for k in (3, 2, 1, 0) if 5 + len(columns) * (1 + k) <= INPUTS_MAX]
        self.rates = {3: RATES, 2: (RATES[0], RATES[2]), 1: RATES[:1]}.get(
            fits[0] if fits else 0, ()
        )
        self.moments = [Moments() for _ in columns]
        self.averages = [[None] * len(self.rates) for _ in columns]
        self.labels = Moments()
        self.last = self.before = self.short = self.long = None
        self.rows = 0
        self.seen = [set() for _ in columns]
        self.memories = {}

    def serve(self, x):
        self.type(x)
        out = {}
        if self.last is not None:
            scale = self.labels.inverse
            out["label last"] = held((self.last - self.labels.mean) * scale)
            out["label slope"] = held((self.last - self.before) * scale)
            out["label short"] = held((self.last - self.short) * scale)
            out["label long"] = held((self.last - self.long) * scale)
        for place, name in enumerate(self.columns):
            value = x.get(name)
            if value is None:
                continue
            moments = self.moments[place]
            moments.push(value)
            inverse = moments.inverse
            out[name] = held((value - moments.mean) * inverse)
            averages = self.averages[place]
            for at, rate in enumerate(self.rates):
                if averages[at] is None:
                    averages[at] = value
                out[f"{name} {at}"] = held((value - averages[at]) * inverse)
                averages[at] += max(rate, 1 / moments.n) * (value - averages[at])
            memory = self.memories.get(name)
            found = memory.get(value) if memory is not None else None
            if found is not None:
                n, mean, last = found
                scale = self.labels.inverse
                out[f"{name} mean"] = (mean - self.labels.mean) * scale * n / (n + 1)
                out[f"{name} last"] = (last - self.labels.mean) * scale
        return out

    def type(self, x):
        if self.rows < TYPING_ROWS:
            for seen, name in zip(self.seen, self.columns):
                if name in x:
                    seen.add(x[name])
        self.rows += 1
        if self.rows == TYPING_ROWS:
            few = [
                (len(seen), name)
                for seen, name in zip(self.seen, self.columns)
                if 2 < len(seen) <= DISTINCT_MAX
            ]
            self.memories = {name: {} for _, name in sorted(few)[:COLUMNS_MAX]}

    def arrived(self, x, y):
        self.labels.push(y)
        if self.last is None:
            self.last = self.before = self.short = self.long = y
        self.before, self.last = self.last, y
        self.short += max(0.2, 1 / self.labels.n) * (y - self.short)
        self.long += max(0.02, 1 / self.labels.n) * (y - self.long)
        for name, memory in list(self.memories.items()):
            value = x.get(name)
            if memory is None or value is None:
                continue
            n, mean, _ = memory.get(value, (0, 0.0, y))
            memory[value] = (n + 1, mean + (y - mean) / (n + 1), y)
            if len(memory) > VALUES_MAX:
                self.memories[name] = None

"""Other tasks than the seven of TASKS.md, to see whether the default generalises: the tables that ship inside the wheels
of River and scikit-learn, and River's stream generators. Nothing is downloaded. Writes one CSV per task (columns, then
`label`; classes are numbered) and prints one JSON line about each.

`python extra.py DIRECTORY [NAME …]`
"""

import csv
import gzip
import io
import itertools
import json
import math
import pathlib
import random
import sys
import zipfile

ROWS = 10_000
SEED = 7


def shipped(name):
    """The text of a table inside River's wheel."""
    from river import datasets

    path = pathlib.Path(datasets.__file__).parent / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            return archive.read(archive.namelist()[0]).decode()
    return gzip.open(path, "rt").read() if name.endswith(".gz") else path.read_text()


def table(name, label, classes=None, drop=()):
    rows = list(csv.DictReader(io.StringIO(shipped(name))))
    for row in rows:
        y = row.pop(label)
        for column in drop:
            del row[column]
        yield row, y


def numbered(rows):
    """Classes by name, so that their numbers do not depend on the order of the rows."""
    rows = list(rows)
    names = sorted({y for _, y in rows}, key=str)
    return [(x, names.index(y)) for x, y in rows]


def shuffled(rows):
    rows = list(rows)
    random.Random(SEED).shuffle(rows)
    return rows


def bundled(name):
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")()
    names = [str(n).replace(" ", "_").replace(",", "") for n in data.feature_names]
    return [
        (dict(zip(names, x.tolist())), y.item()) for x, y in zip(data.data, data.target)
    ]


def series(values, season):
    """One step ahead: the current value, its time in the season, and two lags."""
    for at in range(2, len(values) - 1):
        yield {
            "value": values[at],
            "lag1": values[at - 1],
            "lag2": values[at - 2],
            "step": at % season,
        }, values[at + 1]


def water_flow():
    rows = csv.DictReader(io.StringIO(shipped("water-flow.csv")))
    values = [float(row["Water flow [l/s]"]) for row in rows]
    return series(values, 24)


def passengers():
    rows = csv.DictReader(io.StringIO(shipped("airline-passengers.csv")))
    return series([float(row["passengers"]) for row in rows], 12)


def stream(make, rows=ROWS):
    return lambda: itertools.islice(make(), rows)


def drifting(first, second, width):
    from river.datasets import synth

    return synth.ConceptDriftStream(
        first, second, seed=SEED, position=ROWS // 2, width=width
    )


def synth(name, **settings):
    from river.datasets import synth

    return getattr(synth, name)(**settings)


def recurring_sine():
    """Four stretches of two concepts: A B A B."""
    for part, concept in enumerate((0, 1, 0, 1)):
        yield from itertools.islice(
            synth("Sine", classification_function=concept, seed=SEED + part), ROWS // 4
        )


def sensors():
    """Sixty sensors of one room, three of which matter; scales differ by 10⁶ and 5 % of the values are missing."""
    rng = random.Random(SEED)
    scales = [10 ** rng.uniform(-3, 3) for _ in range(60)]
    for _ in range(ROWS):
        z = [rng.gauss(0, 1) for _ in range(60)]
        x = {
            f"s{i}": "" if rng.random() < 0.05 else scales[i] * (v + 5)
            for i, v in enumerate(z)
        }
        yield x, 3 * z[3] - 2 * z[17] + z[42] + 0.5 * rng.gauss(0, 1)


def heavy_tails():
    """A line with Cauchy-like noise: one label in a hundred is far out."""
    rng = random.Random(SEED)
    for _ in range(ROWS):
        a, b = rng.gauss(0, 1), rng.gauss(0, 1)
        noise = rng.gauss(0, 1) / max(abs(rng.gauss(0, 1)), 0.02)
        yield {"a": a, "b": b}, 4 * a - b + 0.3 * noise


def broken_readings():
    """One label in a thousand is the -9999 of a sensor that had nothing to say."""
    rng = random.Random(SEED)
    for at in range(ROWS):
        a, b, c = (rng.uniform(-1, 1) for _ in range(3))
        y = math.sin(3 * a) * b + (5 * a if at > ROWS / 2 else 0) + rng.gauss(0, 0.1)
        yield {"a": a, "b": b, "c": c}, -9999 if rng.random() < 0.001 else y


def machines():
    """Three hundred machines by name, each with a level of its own."""
    rng = random.Random(SEED)
    levels = [rng.gauss(0, 3) for _ in range(300)]
    for _ in range(ROWS):
        machine, load = rng.randrange(300), rng.gauss(0, 1)
        yield {
            "machine": f"m{machine}",
            "load": load,
        }, levels[machine] + 2 * load + rng.gauss(0, 0.3)


def rare_alarm():
    """One row in 200 is positive: an alarm when two of eight readings are high together."""
    rng = random.Random(SEED)
    for _ in range(ROWS):
        z = [rng.gauss(0, 1) for _ in range(8)]
        y = int(z[0] + z[1] + 0.3 * rng.gauss(0, 1) > 3.65)
        yield {f"s{i}": v for i, v in enumerate(z)}, y


def product():
    """The label is a product of two readings: nothing linear is in it."""
    rng = random.Random(SEED)
    for _ in range(ROWS):
        a, b, c = (rng.gauss(0, 1) for _ in range(3))
        yield {"a": a, "b": b, "c": c}, a * b + 0.3 * c + 0.1 * rng.gauss(0, 1)


def devices():
    """Two hundred devices with offsets of their own, numbered in one column."""
    rng = random.Random(SEED)
    offsets = [rng.gauss(0, 10) for _ in range(200)]
    for _ in range(ROWS):
        device, load = rng.randrange(200), rng.random()
        yield {
            "device": device,
            "load": load,
        }, 20 + offsets[device] + 5 * load + rng.gauss(0, 1)


def weekly():
    """Hourly load: daily and weekly waves with a slow trend, to be told from hour and weekday alone."""
    rng = random.Random(SEED)
    for at in range(ROWS):
        hour, day = at % 24, (at // 24) % 7
        level = 50 + 20 * math.sin(hour / 24 * 2 * math.pi) * (0.4 if day > 4 else 1)
        yield {"hour": hour, "weekday": day}, level + at / 500 + rng.gauss(0, 2)


CLASSES, NUMBERS = "classification", "regression"
TASKS = {
    # tables, in the order of their files unless that order is by class
    "segment": (CLASSES, lambda: numbered(table("segment.csv.zip", "category"))),
    "shuttle": (
        CLASSES,
        lambda: numbered(
            itertools.islice(table("shuttle.csv.gz", "anomaly"), ROWS),
        ),
    ),
    "sp500": (
        NUMBERS,
        lambda: table("sp500.csv.gz", "next_day_return", drop=("date",)),
    ),
    "water_flow": (NUMBERS, water_flow),
    "passengers": (NUMBERS, passengers),
    "breast_cancer": (CLASSES, lambda: bundled("breast_cancer")),
    "digits": (CLASSES, lambda: bundled("digits")),
    "iris_shuffled": (CLASSES, lambda: shuffled(bundled("iris"))),
    "iris_sorted": (CLASSES, lambda: bundled("iris")),
    "wine_shuffled": (CLASSES, lambda: shuffled(bundled("wine"))),
    "diabetes": (NUMBERS, lambda: bundled("diabetes")),
    # River's generators
    "sea_drift": (
        CLASSES,
        stream(
            lambda: drifting(
                synth("SEA", variant=0, noise=0.1, seed=SEED),
                synth("SEA", variant=2, noise=0.1, seed=SEED + 1),
                100,
            )
        ),
    ),
    "agrawal_drift": (
        CLASSES,
        stream(
            lambda: drifting(
                synth("Agrawal", classification_function=0, seed=SEED),
                synth("Agrawal", classification_function=4, seed=SEED + 1),
                1000,
            )
        ),
    ),
    "agrawal_7": (
        CLASSES,
        stream(lambda: synth("Agrawal", classification_function=6, seed=SEED)),
    ),
    "hyperplane": (
        CLASSES,
        stream(
            lambda: synth(
                "Hyperplane",
                n_features=10,
                n_drift_features=5,
                mag_change=0.001,
                seed=SEED,
            )
        ),
    ),
    "rbf_drift": (
        CLASSES,
        stream(
            lambda: synth(
                "RandomRBFDrift",
                seed_model=SEED,
                seed_sample=SEED,
                n_classes=4,
                n_features=8,
                n_centroids=20,
                change_speed=0.0005,
                n_drift_centroids=10,
            )
        ),
    ),
    "random_tree": (
        CLASSES,
        stream(
            lambda: synth(
                "RandomTree",
                seed_tree=SEED,
                seed_sample=SEED,
                n_num_features=5,
                n_cat_features=3,
            )
        ),
    ),
    "led": (
        CLASSES,
        stream(
            lambda: synth("LED", seed=SEED, noise_percentage=0.1, irrelevant_features=True)
        ),
    ),
    "waveform": (
        CLASSES,
        stream(lambda: synth("Waveform", seed=SEED, has_noise=True)),
    ),
    "sine_recurring": (CLASSES, recurring_sine),
    "stagger": (
        CLASSES,
        stream(
            lambda: drifting(
                synth("STAGGER", classification_function=0, seed=SEED),
                synth("STAGGER", classification_function=2, seed=SEED + 1),
                100,
            )
        ),
    ),
    "mixed": (CLASSES, stream(lambda: synth("Mixed", seed=SEED))),
    "friedman": (NUMBERS, stream(lambda: synth("Friedman", seed=SEED), ROWS)),
    "friedman_drift": (
        NUMBERS,
        stream(
            lambda: synth(
                "FriedmanDrift",
                drift_type="gra",
                position=(ROWS // 4, ROWS // 2),
                transition_window=1000,
                seed=SEED,
            )
        ),
    ),
    "planes": (NUMBERS, stream(lambda: synth("Planes2D", seed=SEED), ROWS)),
    "mv": (NUMBERS, stream(lambda: synth("Mv", seed=SEED), ROWS)),
    # made here
    "sensors": (NUMBERS, sensors),
    "heavy_tails": (NUMBERS, heavy_tails),
    "product": (NUMBERS, product),
    "devices": (NUMBERS, devices),
    "weekly": (NUMBERS, weekly),
    "rare_alarm": (CLASSES, rare_alarm),
    "broken_readings": (NUMBERS, broken_readings),
    "machines": (NUMBERS, machines),
}


def cell(value):
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


def main(directory, *names):
    for name in names or TASKS:
        kind, make = TASKS[name]
        path = pathlib.Path(directory) / f"{name}.csv"
        about = pathlib.Path(directory) / f"{name}.json"
        if not about.exists():
            rows = list(make())
            columns = [str(column) for column in rows[0][0]]
            with path.open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow([*columns, "label"])
                for x, y in rows:
                    writer.writerow([*map(cell, x.values()), cell(y)])
            classes = len({y for _, y in rows}) if kind == CLASSES else 0
            about.write_text(
                json.dumps({"name": name, "kind": kind, "classes": classes})
            )
        print(about.read_text(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

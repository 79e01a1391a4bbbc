"""Runs configurations of River and Vowpal Wabbit over the rows of a prepared task, prequentially: predict row i, then
learn every row whose label has arrived (row i - delay). Prints one JSON line per configuration with the CPU of predicting
and learning (reading the rows, importing and writing are not in it); the predictions go to a file, so that ours and theirs
are scored by the same code.

`python peers.py --rows FILE --kind classification|regression --classes K --delay D --out DIRECTORY SPEC …`

A SPEC is `river NAME key=value …` or `vw OPTIONS`; with `+last` in front the last arrived label is a feature, with `+ours`
the features are our panel's inputs. A file of predictions is f64, per row: the number, or the class and K probabilities.
"""

import argparse
import array
import collections
import csv
import json
import math
import pathlib
import time

from inputs import Inputs

PROBABILITY_MIN = 1e-15


def settings(words):
    return {key: json.loads(value) for key, value in (w.split("=") for w in words)}


# --- River -------------------------------------------------------------------


def river_model(name, kind, classes, options):
    from river import compose, ensemble, forest, linear_model, multiclass, naive_bayes
    from river import neighbors, optim, preprocessing, tree

    def scaled(model):
        return compose.Pipeline(preprocessing.StandardScaler(), model)

    rate = options.pop("lr", None)
    rate = {} if rate is None else {"optimizer": optim.SGD(rate)}
    if kind == "classification":

        def linear(model):
            return scaled(model if classes == 2 else multiclass.OneVsRestClassifier(model))

        return {
            "lr": lambda: linear(linear_model.LogisticRegression(**rate, **options)),
            "softmax": lambda: scaled(linear_model.SoftmaxRegression(**rate, **options)),
            "pa": lambda: linear(linear_model.PAClassifier(**options)),
            "nb": lambda: naive_bayes.GaussianNB(),
            "knn": lambda: scaled(neighbors.KNNClassifier(**options)),
            "tree": lambda: tree.HoeffdingAdaptiveTreeClassifier(seed=1, **options),
            "arf": lambda: forest.ARFClassifier(n_models=10, seed=1, **options),
            "amf": lambda: forest.AMFClassifier(n_estimators=10, seed=1, **options),
            "srp": lambda: ensemble.SRPClassifier(n_models=10, seed=1, **options),
        }[name]()
    model = {
        "lr": lambda: linear_model.LinearRegression(**rate, **options),
        "lr_scaled": lambda: preprocessing.TargetStandardScaler(
            linear_model.LinearRegression(**rate, **options)
        ),
        "pa": lambda: linear_model.PARegressor(**options),
        "bayes": lambda: linear_model.BayesianLinearRegression(**options),
        "knn": lambda: neighbors.KNNRegressor(**options),
        "tree": lambda: tree.HoeffdingAdaptiveTreeRegressor(seed=1, **options),
        "arf": lambda: forest.ARFRegressor(n_models=10, seed=1, **options),
        "amf": lambda: forest.AMFRegressor(n_estimators=10, seed=1, **options),
    }[name]()
    return model if name in ("tree", "arf", "amf") else scaled(model)


class River:
    def __init__(self, spec, kind, classes):
        name, *options = spec.split()
        self.kind, self.classes = kind, classes
        self.model = river_model(name, kind, classes, settings(options))

    def predict(self, x):
        if self.kind == "regression":
            value = self.model.predict_one(x)
            return x, [0.0 if value is None else float(value)]
        found = self.model.predict_proba_one(x)
        return x, answer([float(found.get(c, 0.0)) for c in range(self.classes)])

    def learn(self, kept, y):
        self.model.learn_one(kept, y)


def answer(p):
    """The likeliest class (the first of equals) and the probabilities; no answer yet: class 0, all alike."""
    total = sum(p)
    if not total > 0 or not math.isfinite(total):
        p, total = [1.0] * len(p), float(len(p))
    p = [v / total for v in p]
    return [float(max(range(len(p)), key=p.__getitem__)), *p]


# --- Vowpal Wabbit -----------------------------------------------------------


class VowpalWabbit:
    def __init__(self, spec, kind, classes):
        from vowpalwabbit import Workspace

        self.kind, self.classes = kind, classes
        options = spec
        if kind == "classification" and classes == 2:
            options += " --loss_function logistic --link logistic"
        elif kind == "classification":
            options += f" --oaa {classes} --probabilities --loss_function logistic"
        self.model = Workspace(f"--quiet {options}")
        self.names = {}

    def text(self, x):
        names = self.names
        words = ["|"]
        for name, value in x.items():
            word = names.get(name)
            if word is None:
                word = names[name] = "f%d" % len(names)
            words.append(f"{word}:{value:.9g}")
        return " ".join(words)

    def predict(self, x):
        text = self.text(x)
        found = self.model.predict(text)
        if self.kind == "regression":
            return text, [float(found)]
        if self.classes == 2:
            return text, [float(found > 0.5), 1 - found, found]
        return text, answer(list(found))

    def learn(self, text, y):
        if self.kind == "classification":
            y = (1 if y == 1 else -1) if self.classes == 2 else y + 1
        self.model.learn(f"{y} {text}")


# --- the run -----------------------------------------------------------------


def feature(column, cell):
    """Neither peer knows missing values (the row lacks the column) nor, in its linear models, text (one-hot instead)."""
    try:
        return column, float(cell)
    except ValueError:
        return f"{column}={cell}", 1.0


def read(path, kind):
    with open(path, newline="") as file:
        rows = csv.reader(file)
        columns = next(rows)[:-1]
        xs, ys = [], []
        for *cells, label in rows:
            xs.append(dict(feature(c, v) for c, v in zip(columns, cells) if v != ""))
            ys.append(int(label) if kind == "classification" else float(label))
    return columns, xs, ys


def run(spec, columns, xs, ys, kind, classes, delay):
    words = spec.split(" ", 2)
    with_inputs = words[0] if words[0].startswith("+") else None
    family, *rest = spec.split(" ")[1 if with_inputs else 0 :]
    model = {"river": River, "vw": VowpalWabbit}[family](" ".join(rest), kind, classes)
    inputs = Inputs(columns) if with_inputs == "+ours" else None
    last = None
    pending = collections.deque()
    out = array.array("d")
    began = time.process_time()
    for x, y in zip(xs, ys):
        if inputs is not None:
            served = inputs.serve(x)
        elif with_inputs == "+last":
            served = x if last is None else {**x, "last label": last}
        else:
            served = x
        kept, predicted = model.predict(served)
        out.extend(predicted)
        pending.append((x, kept, y))
        if len(pending) > delay:
            raw, kept, label = pending.popleft()
            model.learn(kept, label)
            last = float(label)
            if inputs is not None:
                two = kind == "classification"
                inputs.arrived(raw, (1.0 if label == 1 else -1.0) if two else label)
    spent = time.process_time() - began
    return out, spent * 1e6 / len(xs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", required=True)
    parser.add_argument("--kind", required=True)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--delay", type=int, required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("specs", nargs="+")
    options = parser.parse_args()
    columns, xs, ys = read(options.rows, options.kind)
    for place, spec in enumerate(options.specs):
        path = pathlib.Path(options.out) / f"{place}.f64"
        try:
            out, us = run(
                spec, columns, xs, ys, options.kind, options.classes, options.delay
            )
        except Exception as error:  # one that fails must not take the others with it
            print(json.dumps({"spec": spec, "failed": repr(error)}), flush=True)
            continue
        path.write_bytes(out.tobytes())
        print(json.dumps({"spec": spec, "path": str(path), "us_per_row": us}), flush=True)


if __name__ == "__main__":
    main()

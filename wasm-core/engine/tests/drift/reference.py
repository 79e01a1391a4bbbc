"""Writes reference.txt: the rows at which River 0.26.1 alarms on the drift streams. `pip install river==0.26.1`, then
`python reference.py > reference.txt`. KSWIN of River draws its sample at random; its line is of scipy's statistic over the
same windows without drawing, at the same threshold."""

import math

from river import drift
from scipy.stats import ks_2samp
from streams import stream

BINARY = {
    'adwin': lambda: drift.ADWIN(),
    'page_hinkley': lambda: drift.PageHinkley(threshold=20),
    'ddm': lambda: drift.binary.DDM(),
    'eddm': lambda: drift.binary.EDDM(),
    'hddm_a': lambda: drift.binary.HDDMA(),
    'hddm_a both': lambda: drift.binary.HDDMA(two_sided_test=True),
    'hddm_w': lambda: drift.binary.HDDMW(),
    'hddm_w both': lambda: drift.binary.HDDMW(two_sided_test=True),
}
NUMBERS = {name: BINARY[name] for name in ('adwin', 'page_hinkley')}


def alarms(detector, values):
    found = []
    for row, x in enumerate(values):
        detector.update(x)
        if detector.drift_detected:
            found.append(row)
    return found


def kswin(values, alpha=0.005, size=100, newest=30):
    old = size - newest
    most = math.sqrt(-math.log(alpha / 2) / 2 * (old + newest) / (old * newest))
    window, found = [], []
    for row, x in enumerate(values):
        window = window[-(size - 1):] + [x]
        if len(window) == size and ks_2samp(window[:old], window[old:], method='asymp').statistic > most:
            found.append(row)
            window = window[old:]
    return found


for k in range(10):
    for r in range(2):
        values = stream(k, r)
        for name, make in (BINARY if k < 5 else NUMBERS).items():
            print(f'{name}; {k}; {r}; {" ".join(map(str, alarms(make(), values)))}')
        if r == 0:
            print(f'kswin; {k}; {r}; {" ".join(map(str, kswin(values)))}')

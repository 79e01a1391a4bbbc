"""River's detectors with their defaults over the drift streams, one line of JSON each, as the engine's example `drift`
prints its own: sum of delays, missed, false alarms per stream. Argument: repetitions. KSWIN is left out: a test by scipy for
each value takes River some 300 microseconds."""

import json
import sys
import time
from pathlib import Path

from river import drift

sys.path.insert(0, str(Path(__file__).parents[3] / 'wasm-core' / 'engine' / 'tests' / 'drift'))
from streams import CHANGE, ROWS, STREAMS, stream  # noqa: E402

DETECTORS = {
    'adwin': drift.ADWIN,
    'page_hinkley': drift.PageHinkley,
    'ddm': drift.binary.DDM,
    'eddm': drift.binary.EDDM,
    'hddm_a': drift.binary.HDDMA,
    'hddm_w': drift.binary.HDDMW,
}
NUMBERS = ('adwin', 'page_hinkley')

repetitions = int(sys.argv[1])
streams = [[stream(k, r) for r in range(repetitions)] for k in range(len(STREAMS))]
for name, make in DETECTORS.items():
    cells, values, spent = [], 0, 0.0
    for k, repeated in enumerate(streams):
        if k >= 5 and name not in NUMBERS:
            continue  # made for zeros and ones
        delays = missed = wrong = 0
        for x in repeated:
            detector = make()
            first = None
            began = time.process_time()
            for row, value in enumerate(x):
                detector.update(value)
                if detector.drift_detected:
                    if k % 5 == 0 or row < CHANGE:
                        wrong += 1
                    elif first is None:
                        first = row - CHANGE
            spent += time.process_time() - began
            values += ROWS
            missed += first is None
            delays += first or 0
        cells.append([delays, missed, wrong])
    print(json.dumps({'detector': name, 'micros': spent * 1e6 / values, 'streams': cells}), flush=True)

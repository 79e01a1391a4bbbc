"""The drift streams: splitmix64, so that Python and Rust draw the same numbers bit for bit."""

MASK = (1 << 64) - 1
ROWS = 10_000
CHANGE = 5_000
# Level before and after the change, rows over which it comes; 0 to 4 are of zeros and ones, 5 to 9 normal around it.
STREAMS = [(0.2, 0.2, 0), (0.2, 0.3, 0), (0.2, 0.5, 0), (0.2, 0.5, 1000), (0.05, 0.15, 0),
           (0.0, 0.0, 0), (0.0, 0.5, 0), (0.0, 1.0, 0), (0.0, 2.0, 0), (0.0, 1.0, 1000)]


def stream(k, r):
    state = (1_000_003 * k + r) & MASK

    def uniform():
        nonlocal state
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 11) * 2.0 ** -53

    before, after, over = STREAMS[k]
    values = []
    for row in range(ROWS):
        if row < CHANGE:
            level = before
        elif row < CHANGE + over:
            level = before + (after - before) * (row - CHANGE) / over
        else:
            level = after
        if k < 5:
            values.append(1.0 if uniform() < level else 0.0)
        else:
            total = 0.0
            for _ in range(12):
                total += uniform()
            values.append(total - 6.0 + level)
    return values

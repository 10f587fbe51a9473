"""Writes reference.txt: f64 values of the functions beside it, from mpmath.

usage: python reference.py [points per function] > reference.txt

A line is `function input.. output rest`: inputs and output as bit patterns in
hexadecimal, the output correctly rounded, and by how many hundredths of a unit
in the last place the true value lies above it.
"""

import math
import random
import struct
import sys

import mpmath
from mpmath import mp, mpf

mp.prec = 240
COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 150
TINY = mpf(2) ** -1074


def bits(x):
    return struct.unpack("<Q", struct.pack("<d", x))[0]


def from_bits(b):
    return struct.unpack("<d", struct.pack("<Q", b & (2**64 - 1)))[0]


def ulp(y):
    """The unit in the last place of the mpf y, as the float rounding of y has it."""
    if y == 0:
        return TINY
    return max(TINY, mpf(2) ** (mpmath.frexp(abs(y))[1] - 53))


def rounded(y):
    """y as the nearest double (ties do not happen) and the rest in hundredths of an ulp."""
    unit = ulp(y)
    n = mpmath.nint(y / unit)
    if abs(n * unit) >= mpf(2) ** 1024:
        return math.copysign(math.inf, n), 0
    out = math.ldexp(int(n), int(mpmath.log(unit, 2)))
    if out == 0 and y < 0:
        out = -0.0
    return out, int(mpmath.nint((y / unit - n) * 100))


def spread(rng, n, low=-1074, high=1023, signed=True):
    """n doubles with exponents spread over low..=high."""
    out = []
    for i in range(n):
        e = low + (high - low) * (i + rng.random()) / n
        x = math.ldexp(1 + rng.random(), int(math.floor(e)))
        out.append(-x if signed and rng.random() < 0.5 else x)
    return out


def uniform(rng, n, a, b):
    return [rng.uniform(a, b) for _ in range(n)]


def mixed(*ranges, low=-1074, high=1023, signed=True):
    """A third of the points over all exponents, the others evenly over the ranges."""

    def points(rng, n):
        out = spread(rng, n // 3, low, high, signed)
        for a, b in ranges:
            out += uniform(rng, (n - n // 3) // len(ranges), a, b)
        return out

    return points


def near_multiples(rng, n):
    """Doubles next to multiples of pi/2, small to huge."""
    out = []
    for _ in range(n):
        k = int(2 ** rng.uniform(0, 60))
        out.append(float(k * mp.pi / 2))
    return out


def trig_points(rng, n):
    near = near_multiples(rng, n // 3)
    return near + mixed((-10, 10), (-1e6, 1e6), low=-40)(rng, n - n // 3) + spread(rng, 5)


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def inverse_erf(x):
    c = 1 - abs(x)
    y = mpmath.sqrt(-mpmath.log(c)) if c < mpf("0.1") else abs(x)
    with mp.workprec(400):
        for _ in range(100):
            rest = mpmath.erfc(y) - c if c < 0.5 else abs(x) - mpmath.erf(y)
            step = rest * mpmath.exp(y * y) * mpmath.sqrt(mp.pi) / 2
            y += step / (1 - y * step) if abs(y * step) < 0.5 else step / 2
            if abs(step) < mpf(2) ** -200 * abs(y):
                break
    return y if x > 0 else -y


def log_gamma(x):
    return mpmath.log(abs(mpmath.gamma(x))) if abs(x) < 1e4 else mpmath.loggamma(x).real


def zeta(s, x):
    """Hurwitz's zeta function, summed until Euler and Maclaurin's terms (x >= 60) are exact."""
    head = mpf(0)
    while x < 60 + s / 2:
        head += x ** -s
        x += 1
    tail = x ** (1 - s) / (s - 1) + x ** -s / 2
    rising = mpf(s)
    for k in range(1, 40):
        tail += mpmath.bernoulli(2 * k) / mpmath.factorial(2 * k) * rising * x ** (1 - s - 2 * k)
        rising *= (s + 2 * k - 1) * (s + 2 * k)
    return head + tail


def poly_gamma(n, x):
    n = int(n)
    return (-1) ** (n + 1) * mpmath.factorial(n) * zeta(n + 1, x)


exp_points = mixed((-745.5, 709.7), (-2, 2), low=-60, high=9)
unit_points = mixed((-1, 1), (0.9, 1), (-1, -0.4), low=-60, high=-1)
positive = mixed((0.5, 2), (0, 30), signed=False)

UNARY = {
    "exp": (mpmath.exp, exp_points),
    "exp2": (lambda x: mpf(2) ** x, mixed((-1074.5, 1023.9), (-2, 2), low=-60, high=9)),
    "expm1": (mpmath.expm1, mixed((-40, 709.7), (-2, 2), (20, 60), high=9)),
    "log": (mpmath.log, positive),
    "log2": (lambda x: mpmath.log(x) / mpmath.log(2), positive),
    "log10": (lambda x: mpmath.log(x) / mpmath.log(10), positive),
    "log1p": (mpmath.log1p, lambda r, n: mixed((-0.999, 2), (-0.5, 1), high=-1)(r, n // 2) + positive(r, n // 2)),
    "sin": (mpmath.sin, trig_points),
    "cos": (mpmath.cos, trig_points),
    "tan": (mpmath.tan, trig_points),
    "asin": (mpmath.asin, unit_points),
    "acos": (mpmath.acos, unit_points),
    "atan": (mpmath.atan, mixed((-4, 4), (0.3, 0.5))),
    "sinh": (mpmath.sinh, mixed((-710, 710), (-3, 3), high=9)),
    "cosh": (mpmath.cosh, mixed((-710, 710), (-3, 3), high=9)),
    "tanh": (mpmath.tanh, mixed((-3, 3), (-1, 1), (-20, 20), high=5)),
    "asinh": (mpmath.asinh, mixed((-4, 4))),
    "acosh": (mpmath.acosh, lambda r, n: spread(r, n // 2, 0, 1023, False) + [1 + abs(x) for x in spread(r, n // 2, -52, 1)]),
    "atanh": (mpmath.atanh, unit_points),
    "sigmoid": (sigmoid, mixed((-745, 40), (-3, 3), (-40, 40), low=-60, high=9)),
    "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), mixed((-745, 40), (-3, 3), (-40, 40), low=-60, high=9)),
    "sqrt": (mpmath.sqrt, positive),
    "erf": (mpmath.erf, mixed((-1.1, 1.1), (-6, 6), high=2)),
    "erfc": (mpmath.erfc, mixed((-1.1, 1.1), (-6, 6), (0, 27.2), low=-60, high=4)),
    "ndtr": (mpmath.ncdf, mixed((-1.2, 1.2), (-6, 6), (-38.4, 0), low=-60, high=5)),
    "gelu": (lambda x: x * mpmath.ncdf(x), mixed((-1.2, 1.2), (-6, 6), (-38.4, 0), low=-1070, high=5)),
    "erfinv": (inverse_erf, mixed((-1, 1), (0.9, 1), high=-1)),
    "lgamma": (log_gamma, lambda r, n: mixed((-12, 12), (0.5, 3), (-2.75, -2.4), high=9)(r, n - 20) + spread(r, 20, 9, 1014, False)),
    "digamma": (mpmath.digamma, lambda r, n: mixed((-12, 12), (1, 2), high=9)(r, n - 20) + spread(r, 20, 9, 1014, False)),
}


def pow_points(rng, n):
    out = []
    for i in range(n):
        if i % 3 == 0:
            x, y = spread(rng, 1, signed=False)[0], rng.uniform(-1, 1)
        elif i % 3 == 1:
            x, y = rng.uniform(0.5, 2), rng.uniform(-700, 700)
        else:
            x, y = -rng.uniform(0, 40), float(rng.randrange(-180, 180))
        if rng.random() < 0.2:
            x = 1 + rng.uniform(-1, 1) * 2.0 ** rng.randrange(-50, -5)
            y = rng.uniform(-700, 700) / math.log(x) if x != 1 else y
        out.append((x, y))
    return [(x, y) for x, y in out if y == int(y) or x > 0]


def pairs(rng, n):
    half = [(a, b) for a, b in zip(spread(rng, n // 2), spread(rng, n // 2)[::-1])]
    for _ in range(n - n // 2):
        x = spread(rng, 1, -1022, 1022)[0]
        half.append((x * rng.uniform(-0.99, 0.99), x * rng.uniform(0, 1)))
    rng.shuffle(half)
    return half


def polygamma_points(rng, n):
    orders = [1, 1, 2, 2, 3, 4, 5, 8, 13, 30, 100, 169, 170, 171, 400]
    out = []
    for i in range(n):
        order = orders[i % len(orders)]
        x = 2 ** rng.uniform(-4, 9) if i % 4 else rng.uniform(0.001, 2)
        if i % 5 == 4:
            x = -rng.uniform(0, 9)
        out.append((float(order), x))
    return out


def poly_gamma_any(n, x):
    if x > 0:
        return poly_gamma(n, x)
    # downward: n-th derivative of digamma(x) = digamma(x + 1) - 1 / x
    n, total = int(n), mpf(0)
    while x < 0:
        total -= (-1) ** n * mpmath.factorial(n) / x ** (n + 1)
        x += 1
    return total + poly_gamma(n, x)


BINARY = {
    "pow": (lambda x, y: mpmath.power(x, int(y)) if x < 0 else mpmath.power(x, y), pow_points),
    "atan2": (mpmath.atan2, pairs),
    "hypot": (mpmath.hypot, pairs),
    "polygamma": (poly_gamma_any, polygamma_points),
}


def main():
    for table in (UNARY, BINARY):
        for name, (f, points) in table.items():
            rng = random.Random(name)
            for args in points(rng, COUNT):
                args = args if isinstance(args, tuple) else (args,)
                out, rest = rounded(mpmath.re(f(*map(mpf, args))))
                print(name, *(f"{bits(a):x}" for a in args), f"{bits(out):x}", rest)


if __name__ == "__main__":
    main()

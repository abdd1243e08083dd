# SPDX-License-Identifier: BSD-2-Clause
"""How lines look in every plot: distinguishable by colour, in grey, and for the colour-blind.

The colours are Okabe's and Ito's; each has a pattern of dashes and a marker of its own as well, so that none has to be
known by its colour alone. `LINES` is the beginning of a gnuplot script; after it the n-th line looks like STYLES[n - 1].
Boxes, which have neither dashes nor markers, are filled with patterns too: `BOXES`.
"""

# Colour, dashes of gnuplot, marker of gnuplot. Ordered so that neighbours differ in lightness.
STYLES = [
    ("#000000", "1", 7),
    ("#e69f00", "2", 5),
    ("#d55e00", "4", 9),
    ("#56b4e9", "3", 11),
    ("#0072b2", "5", 4),
    ("#009e73", "(18,6)", 6),
    ("#cc79a7", "(4,4)", 8),
    ("#6b4c9a", "(2,6)", 12),
    ("#8a8a8a", "(24,4,4,4)", 10),
]

LINES = "".join(
    f"set linetype {number} linecolor rgb '{colour}' dashtype {dashes} pointtype {marker} pointsize 0.6 linewidth 1.5\n"
    for number, (colour, dashes, marker) in enumerate(STYLES, 1)) + f"set linetype cycle {len(STYLES)}\n"

BOXES = LINES + "set style fill pattern 1 border\n"

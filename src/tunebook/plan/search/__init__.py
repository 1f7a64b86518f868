"""Search algorithms: one file each, reached through the table.

An algorithm is a function ``points(axes, start, stop, key)`` that returns the points ``start`` to
``stop`` of a sequence in the unit cube, shape (stop - start, len(axes)); fewer rows where a finite
sequence ends. The point at an index depends on nothing but its arguments: not on the points asked
for before, the number of workers or the machine (R7).
"""

"""Simplifies with fast-simplification: POSITIONS TRIANGLES SHARE AGGRESSIVENESS OUT-POSITIONS OUT-TRIANGLES.

Prints the fastest of three runs in seconds.
"""
import sys
import time

import fast_simplification
import numpy as np

positions = np.fromfile(sys.argv[1], "f4").reshape(-1, 3)
triangles = np.fromfile(sys.argv[2], "u4").astype("i4").reshape(-1, 3)
share, aggressiveness = float(sys.argv[3]), float(sys.argv[4])
least = float("inf")
for _ in range(3):
    start = time.perf_counter()
    points, faces = fast_simplification.simplify(positions, triangles, 1 - share, agg=aggressiveness)
    least = min(least, time.perf_counter() - start)
np.asarray(points, "f4").tofile(sys.argv[5])
np.asarray(faces, "u4").tofile(sys.argv[6])
print(least)

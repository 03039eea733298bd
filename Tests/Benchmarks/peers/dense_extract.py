"""Marching cubes of scikit-image and flying edges of VTK on the dense box around a band.

dense_extract.py skimage|vtk VOXELS VOXEL-SIZE HALF-WIDTH POSITIONS TRIANGLES: prints one line of JSON and writes the
mesh as raw numbers. Both need every voxel of the box; outside the band it holds the truncation with the sign of the
nearest band voxel along z.
"""

import json
import resource
import sys
import time

import numpy

name, path, size, half_width, positions, triangles = sys.argv[1:]
size, half_width = float(size), float(half_width)
voxels = numpy.fromfile(path, dtype=numpy.dtype([("at", "<i4", 3), ("value", "<f4")]))
low = voxels["at"].min(axis=0)
shape = voxels["at"].max(axis=0) - low + 1
box = numpy.full(shape, numpy.nan, dtype=numpy.float32)
x, y, z = (voxels["at"] - low).T
box[x, y, z] = voxels["value"]
limit = numpy.float32(size * half_width)
for plane in box:  # the sign carries on upwards from the last voxel that has one; below the first it is outside
    missing = numpy.isnan(plane)
    last = numpy.maximum.accumulate(numpy.where(missing, -1, numpy.arange(plane.shape[1])), axis=1)
    carried = numpy.take_along_axis(plane, numpy.maximum(last, 0), axis=1)
    sign = numpy.where((last >= 0) & (carried < 0), -limit, limit)
    plane[missing] = sign[missing]

start = time.perf_counter()
if name == "skimage":
    from skimage.measure import marching_cubes

    start = time.perf_counter()
    points, faces, _, _ = marching_cubes(box, 0.0)
    seconds = time.perf_counter() - start
else:
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

    image = vtk.vtkImageData()
    image.SetDimensions(*(int(n) for n in box.shape[::-1]))
    image.GetPointData().SetScalars(numpy_to_vtk(box.ravel(), deep=False))
    edges = vtk.vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 0.0)
    edges.ComputeNormalsOff()
    start = time.perf_counter()
    edges.Update()
    seconds = time.perf_counter() - start
    output = edges.GetOutput()
    points = vtk_to_numpy(output.GetPoints().GetData())
    faces = vtk_to_numpy(output.GetPolys().GetConnectivityArray()).reshape(-1, 3)
points.astype("<f4").tofile(positions)
faces.astype("<u4").tofile(triangles)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
program = {"skimage": "scikit-image marching_cubes", "vtk": "VTK flying edges"}[name]
print(json.dumps({"program": program, "threads": 1, "voxels": len(voxels), "seconds": seconds, "peakBytes": peak}))

import SSDFCore

extension TriangleMesh {
    /// The mesh moved so that its box is centred on 0 and scaled so that the box's longest side is `side`.
    package func normalized(to side: Float = 1.9) -> TriangleMesh {
        let box = boundingBox
        guard box.longestSide > 0 else { return self }
        let (center, scale) = (box.center, side / box.longestSide)
        var copy = self
        for vertex in 0..<vertexCount {
            let p = (position(vertex) - center) * scale
            copy.positions[3 * vertex] = p.x
            copy.positions[3 * vertex + 1] = p.y
            copy.positions[3 * vertex + 2] = p.z
        }
        return copy
    }

    /// The cells of `factor`³ grid points that hold one nearer to the surface than four steps: the places of latents.
    ///
    /// Grid point i lies at 2i/(size − 1) − 1 of the mesh's coordinates. The reference measures each triangle within
    /// its own box grown by five steps; distances count as whole multiples of 1e-7 (SPEC §12).
    /// - Parameter size: grid points along a side; the last cell of a side may have fewer than `factor`.
    /// - Returns: cells, ascending by x, y, z.
    package func structure(size: Int, factor: Int = 8) -> [SIMD3<Int32>] {
        let side = (size + factor - 1) / factor
        var isActive = [Bool](repeating: false, count: side * side * side)
        let threshold = 4 / Double(size)
        let steps = Double(size - 1)
        for triangle in 0..<triangleCount {
            let (i, j, k) = corners(triangle)
            let points = [i, j, k].map { vertex -> Vector3d in
                let p = position(vertex)
                return Vector3d(Double(p.x), Double(p.y), Double(p.z)) * 0.5
            }
            var (low, high) = (SIMD3<Int>(repeating: 0), SIMD3<Int>(repeating: 0))
            for axis in 0..<3 {
                let places = points.map { Int((($0[axis] + 0.5) * steps).rounded(.down)) }
                low[axis] = max(places.min()! - 5, 0)
                high[axis] = min(places.max()! + 5, size - 1)
            }
            guard all(low .<= high) else { continue }
            for x in low.x / factor...high.x / factor {
                for y in low.y / factor...high.y / factor {
                    for z in low.z / factor...high.z / factor {
                        let index = (x * side + y) * side + z
                        guard !isActive[index] else { continue }
                        isActive[index] = reaches(
                            points, SIMD3(x, y, z), factor, low, high, steps: steps, threshold: threshold)
                    }
                }
            }
        }
        var cells: [SIMD3<Int32>] = []
        for index in isActive.indices where isActive[index] {
            cells.append(SIMD3(Int32(index / (side * side)), Int32(index / side % side), Int32(index % side)))
        }
        return cells
    }

    /// Whether a grid point of a cell, within the triangle's own box, is near enough to the triangle.
    private func reaches(
        _ points: [Vector3d], _ cell: SIMD3<Int>, _ factor: Int, _ low: SIMD3<Int>, _ high: SIMD3<Int>, steps: Double,
        threshold: Double
    ) -> Bool {
        func range(_ axis: Int) -> ClosedRange<Int> {
            max(cell[axis] * factor, low[axis])...min(cell[axis] * factor + factor - 1, high[axis])
        }
        // No point of the cell is nearer than its middle less half its diagonal.
        let middle = Vector3d(
            (Double(range(0).lowerBound + range(0).upperBound) / 2) / steps - 0.5,
            (Double(range(1).lowerBound + range(1).upperBound) / 2) / steps - 0.5,
            (Double(range(2).lowerBound + range(2).upperBound) / 2) / steps - 0.5)
        let reach = threshold + Double(factor) * 0.8660254 / steps
        guard squaredDistance(from: middle, toTriangle: points[0], points[1], points[2]) < reach * reach else {
            return false
        }
        for x in range(0) {
            for y in range(1) {
                for z in range(2) {
                    let p = Vector3d(Double(x) / steps - 0.5, Double(y) / steps - 0.5, Double(z) / steps - 0.5)
                    let d = squaredDistance(from: p, toTriangle: points[0], points[1], points[2]).squareRoot()
                    if (d * 1e7).rounded(.down) * 1e-7 < threshold { return true }
                }
            }
        }
        return false
    }
}

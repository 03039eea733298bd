import SSDFCore
import SSDFVolume
import Testing

import SSDFMesh

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Shapes whose surface is known in closed form.
@Suite struct AnalyticSurfaceTests {
    static func extract(
        _ volume: borrowing SparseVolume, _ method: ExtractMethod, _ coordinates: ExtractCoordinates = .cube,
        normals: Bool = false
    ) throws -> TriangleMesh {
        var options = ExtractOptions(method: method, coordinates: coordinates, threads: 2)
        options.normals = normals
        return try extractSurface(volume, options: options)
    }

    @Test(arguments: ExtractMethod.allCases, [16, 32, 64, 128, 256])
    func sphereIsClosedAtEveryResolution(_ method: ExtractMethod, _ resolution: Int) throws {
        let mesh = try Self.extract(
            AnalyticVolume.band(resolution: resolution, AnalyticVolume.sphere()), method)
        let report = MeshReport(mesh, threads: 2)
        #expect(report.isPerfect, "\(report)")
        #expect(report.genus == 0 && report.components == 1)
        let h = 2 / Double(resolution)
        #expect(abs(report.volume - 4 / 3 * Double.pi * 0.343) < 4 * h * h)
    }

    @Test(arguments: ExtractMethod.allCases, [32, 64, 128, 256])
    func torusHasOneHandle(_ method: ExtractMethod, _ resolution: Int) throws {
        let mesh = try Self.extract(AnalyticVolume.band(resolution: resolution, AnalyticVolume.torus()), method)
        let report = MeshReport(mesh, threads: 2)
        #expect(report.isPerfect, "\(report)")
        #expect(report.genus == 1 && report.components == 1)
    }

    /// Largest distance of a vertex from the surface, and area-weighted mean of the angle between a triangle and the
    /// surface, radians.
    static func errors(
        _ mesh: TriangleMesh, distance: (Vector3d) -> Double
    ) -> (distance: Double, angle: Double) {
        var worst = 0.0
        for vertex in 0..<mesh.vertexCount { worst = max(worst, abs(distance(Vector3d(mesh.position(vertex))))) }
        var angles = 0.0
        var area = 0.0
        for t in 0..<mesh.triangleCount {
            let (a, b, c) = mesh.corners(t)
            let (p, q, r) = (
                Vector3d(mesh.position(a)), Vector3d(mesh.position(b)), Vector3d(mesh.position(c))
            )
            let normal = (q - p).cross(r - p)
            let center = (p + q + r) / 3
            let e = 1e-5
            let gradient = Vector3d(
                distance(center + [e, 0, 0]) - distance(center - [e, 0, 0]),
                distance(center + [0, e, 0]) - distance(center - [0, e, 0]),
                distance(center + [0, 0, e]) - distance(center - [0, 0, e]))
            angles += gradient.normalized.cross(normal).length
            area += normal.length
        }
        return (worst, angles / area)
    }

    /// Twice the resolution, a quarter of the distance and half of the angle: measured 3.9…4.1 and 1.9…2.1.
    @Test(arguments: ExtractMethod.allCases, ["sphere", "torus"])
    func convergesToSecondOrder(_ method: ExtractMethod, _ shape: String) throws {
        let distance = shape == "sphere" ? AnalyticVolume.sphere() : AnalyticVolume.torus()
        var previous: (distance: Double, angle: Double)?
        for resolution in [64, 128, 256] {
            let mesh = try Self.extract(AnalyticVolume.band(resolution: resolution, distance), method)
            let found = Self.errors(mesh, distance: distance)
            if let previous {
                #expect(previous.distance / found.distance > 3, "\(resolution): \(previous) \(found)")
                #expect(previous.angle / found.angle > 1.7, "\(resolution): \(previous) \(found)")
            }
            previous = found
        }
    }

    /// Of turned boxes the corners that planes of some cell tell of are in place, also where they lie between grid points
    /// in a cell that the surface does not cross or whose own voxels know but two of the sides.
    @Test(arguments: [(0, 20.0), (1, 33.0), (0, 45.0)])
    func contouringFindsCornersOfTurnedBoxes(_ axis: Int, _ degrees: Double) throws {
        let half = Vector3d(0.5, 0.4, 0.3)
        let offset = Vector3d(0.0137, -0.0211, 0.0071)
        let (c, s) = (cos(degrees * .pi / 180), sin(degrees * .pi / 180))
        let rows: (Vector3d, Vector3d, Vector3d) =
            axis == 0 ? ([c, s, 0], [-s, c, 0], [0, 0, 1]) : ([1, 0, 0], [0, c, s], [0, -s, c])
        let distance = AnalyticVolume.box(half: half, rows: rows)
        let mesh = try Self.extract(AnalyticVolume.band(resolution: 64) { distance($0 - offset) }, .dc)
        #expect(MeshReport(mesh, threads: 2).isPerfect)
        let placed = (0..<8).count { corner in
            let sign = Vector3d(corner & 4 != 0 ? 1 : -1, corner & 2 != 0 ? 1 : -1, corner & 1 != 0 ? 1 : -1)
            return (0..<mesh.vertexCount).contains { vertex in
                let p = Vector3d(mesh.position(vertex)) - offset
                let q = Vector3d(rows.0.dot(p), rows.1.dot(p), rows.2.dot(p))
                return (q - half * sign).length < 0.05 / 32
            }
        }
        #expect(placed == 8)
    }

    /// Of boxes turned every way all corners are in place, and next to all vertices are on the box (measured on 40 boxes at
    /// 64: corners within 0.012 voxel, 1 vertex of 10,000 farther than 0.05 from the box).
    @Test(arguments: 0..<12)
    func contouringKeepsCornersOfBoxesTurnedAnyWay(_ seed: Int) throws {
        var random = Philox(seed: UInt64(seed), stream: 21)
        func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * random.uniform() }
        let x = Vector3d(uniform(-1, 1), uniform(-1, 1), uniform(-1, 1)).normalized
        let y = x.cross(Vector3d(uniform(-1, 1), uniform(-1, 1), uniform(-1, 1))).normalized
        let rows = (x, y, x.cross(y))
        let half = Vector3d(uniform(0.25, 0.5), uniform(0.25, 0.5), uniform(0.25, 0.5))
        let offset = Vector3d(uniform(-0.02, 0.02), uniform(-0.02, 0.02), uniform(-0.02, 0.02))
        let distance = AnalyticVolume.box(half: half, rows: rows)
        let h = 2 / 64.0
        let mesh = try Self.extract(AnalyticVolume.band(resolution: 64) { distance($0 - offset) }, .dc)
        #expect(MeshReport(mesh, threads: 2).isPerfect)
        var nearest = [Double](repeating: .infinity, count: 8)
        var off = 0
        for vertex in 0..<mesh.vertexCount {
            let p = Vector3d(mesh.position(vertex)) - offset
            let q = Vector3d(rows.0.dot(p), rows.1.dot(p), rows.2.dot(p))
            if abs(distance(p)) > 0.05 * h { off += 1 }
            for corner in 0..<8 {
                let sign = Vector3d(corner & 4 != 0 ? 1 : -1, corner & 2 != 0 ? 1 : -1, corner & 1 != 0 ? 1 : -1)
                nearest[corner] = min(nearest[corner], (q - half * sign).length)
            }
        }
        #expect(nearest.max()! < 0.05 * h, "\(nearest.map { $0 / h })")
        #expect(Double(off) < 0.001 * Double(mesh.vertexCount), "\(off) of \(mesh.vertexCount)")
    }

    /// Of a box along the axes every vertex, corner and edge is in place; of a turned one, whose edges pass cells in
    /// every way there is, 999 of 1000 vertices.
    @Test(arguments: [false, true])
    func contouringKeepsCornersAndEdges(_ turned: Bool) throws {
        let half = Vector3d(0.61, 0.47, 0.53)
        let (s, c) = (0.6, 0.8)
        let rows: (Vector3d, Vector3d, Vector3d) =
            turned ? ([c, s, 0], [-s * c, c * c, s], [s * s, -c * s, c]) : ([1, 0, 0], [0, 1, 0], [0, 0, 1])
        let distance = AnalyticVolume.box(half: half, rows: rows)
        for resolution in [32, 64, 128] {
            let h = 2 / Double(resolution)
            let mesh = try Self.extract(AnalyticVolume.band(resolution: resolution, distance), .dc)
            #expect(MeshReport(mesh, threads: 2).isPerfect)
            let off = (0..<mesh.vertexCount).count { abs(distance(Vector3d(mesh.position($0)))) > 0.05 * h }
            #expect(off == 0 || turned && Double(off) < 0.001 * Double(mesh.vertexCount), "\(off) at \(resolution)")
            guard !turned else { continue }
            var vertices: [Vector3d] = []
            for vertex in 0..<mesh.vertexCount {
                let p = Vector3d(mesh.position(vertex))
                let q = Vector3d(rows.0.dot(p), rows.1.dot(p), rows.2.dot(p))
                // Keep what lies near an edge: two coordinates near their ends.
                let gaps = [half.x - abs(q.x), half.y - abs(q.y), half.z - abs(q.z)].sorted()
                if gaps[1] < 2 * h { vertices.append(q) }
            }
            func nearest(_ p: Vector3d) -> Double { vertices.map { ($0 - p).lengthSquared }.min()!.squareRoot() }
            for corner in 0..<8 {
                let sign = Vector3d(corner & 4 != 0 ? 1 : -1, corner & 2 != 0 ? 1 : -1, corner & 1 != 0 ? 1 : -1)
                #expect(nearest(half * sign) < 0.05 * h, "corner \(corner) at \(resolution)")
            }
            // Every cell that an edge passes has a vertex on the edge: the distance from any point of the edge to the
            // nearest vertex is then a step along the edge, whose vertices must lie on it.
            for axis in 0..<3 {
                let (u, v) = ((axis + 1) % 3, (axis + 2) % 3)
                let near = vertices.filter {
                    abs(abs($0[u]) - half[u]) < 0.5 * h && abs(abs($0[v]) - half[v]) < 0.5 * h
                }
                for side in 0..<4 {
                    for step in stride(from: -0.9, through: 0.9, by: 0.05) {
                        var p = Vector3d.zero
                        p[axis] = step * half[axis]
                        p[u] = side & 1 != 0 ? half[u] : -half[u]
                        p[v] = side & 2 != 0 ? half[v] : -half[v]
                        let best = near.filter { abs($0[axis] - p[axis]) < 1.8 * h }.map {
                            let d = $0 - p
                            return (d[u] * d[u] + d[v] * d[v]).squareRoot()
                        }
                        #expect((best.min() ?? 9) < 0.05 * h, "edge along \(axis), \(resolution)")
                    }
                }
            }
        }
    }

    @Test(arguments: ExtractMethod.allCases)
    func placeOfTheGridDoesNotMatter(_ method: ExtractMethod) throws {
        let shape = AnalyticVolume.torus()
        let here = try Self.extract(AnalyticVolume.band(resolution: 64, shape), method, .cube)
        let shift = VoxelCoordinate(-9, 3, -5)
        let there = try Self.extract(AnalyticVolume.band(resolution: 64, shift: shift, shape), method, .cube)
        #expect(here.triangles == there.triangles)
        for (a, b) in zip(here.positions, there.positions) { #expect(abs(a - b) < 1e-6) }
        let index = try Self.extract(AnalyticVolume.band(resolution: 64, shift: shift, shape), method, .index)
        #expect(index.boundingBox.maximum.x < 0)
    }

    @Test(arguments: ExtractMethod.allCases)
    func mirroringMapsKeepTrianglesOutwards(_ method: ExtractMethod) throws {
        var volume = AnalyticVolume.band(resolution: 48, AnalyticVolume.torus())
        volume.metadata.worldToSource = AffineTransform3(
            x: [-3, 0, 0], y: [0, 0, 2], z: [0, 2, 0.5], translation: [100, -20, 7])
        #expect(volume.metadata.worldToSource.determinant > 0)
        volume.metadata.worldToSource.y = -volume.metadata.worldToSource.y
        let mesh = try Self.extract(volume, method, .original, normals: true)
        let report = MeshReport(mesh, threads: 1)
        #expect(report.isPerfect && report.volume > 0)
        let box = AnalyticVolume.torus()
        let cube = try Self.extract(volume, method, .cube)
        #expect(cube.vertexCount == mesh.vertexCount)
        for vertex in 0..<cube.vertexCount {
            let p = Vector3d(cube.position(vertex))
            #expect(abs(box(p)) < 0.02)
            let expected = volume.metadata.worldToSource(p)
            #expect((Vector3d(mesh.position(vertex)) - expected).length < (method == .dc ? 0.05 : 1e-4))
        }
        var agreeing = 0
        for t in 0..<mesh.triangleCount {
            let (a, b, c) = mesh.corners(t)
            let normal = (mesh.position(b) - mesh.position(a)).cross(mesh.position(c) - mesh.position(a))
            let given = Vector3f(mesh.normals[3 * a], mesh.normals[3 * a + 1], mesh.normals[3 * a + 2])
            if normal.dot(given) > 0 { agreeing += 1 }
        }
        // Dual contouring moves a vertex to where its cell's planes meet, which can fold a triangle over its neighbour.
        #expect(agreeing >= (method == .dc ? mesh.triangleCount * 998 / 1000 : mesh.triangleCount))
    }

    @Test(arguments: ExtractMethod.allCases)
    func normalsAreTheGradient(_ method: ExtractMethod) throws {
        let center = Vector3d(0.013, -0.021, 0.008)
        let mesh = try Self.extract(
            AnalyticVolume.band(resolution: 96, AnalyticVolume.sphere(center: center)), method, normals: true)
        #expect(mesh.normals.count == mesh.positions.count)
        for vertex in 0..<mesh.vertexCount {
            let outward = (Vector3d(mesh.position(vertex)) - center).normalized
            let normal = Vector3d(
                Double(mesh.normals[3 * vertex]), Double(mesh.normals[3 * vertex + 1]),
                Double(mesh.normals[3 * vertex + 2]))
            #expect(abs(normal.length - 1) < 1e-5)
            #expect(normal.dot(outward) > 1 - 1e-4)
        }
    }

    @Test(arguments: ExtractMethod.allCases)
    func anotherLevelIsAnOffsetSurface(_ method: ExtractMethod) throws {
        var options = ExtractOptions(method: method, coordinates: .cube, threads: 1)
        options.iso = 0.03
        let mesh = try extractSurface(AnalyticVolume.band(resolution: 64, AnalyticVolume.sphere()), options: options)
        #expect(MeshReport(mesh, threads: 1).isPerfect)
        #expect(Self.errors(mesh, distance: AnalyticVolume.sphere(radius: 0.73)).distance < 1e-3)
    }
}

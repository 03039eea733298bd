import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What each triangle of a mesh adds on its own: area, volume, angles and box.
struct TriangleMeasures: ~Copyable {
    /// The part a triangle can take.
    enum Standing: UInt8, BitwiseCopyable {
        /// Three different vertices.
        case whole = 0
        /// Not part of the topology: names a vertex twice, or one that is missing or not finite.
        case outside = 1
    }

    private(set) var area = 0.0
    private(set) var volume = 0.0
    private(set) var box = Box3f.empty
    private(set) var minimumAngle = 60.0
    private(set) var degenerate = 0
    private(set) var invalid = 0
    /// `[triangleCount]`.
    let standings: Buffer<Standing>

    private struct Sums {
        var area = 0.0, volume = 0.0
        var greatestCosine = 0.5
        var degenerate = 0, invalid = 0
    }

    init(_ mesh: TriangleMesh, threads: Int) {
        let count = mesh.triangleCount
        standings = Buffer(uninitialized: count)
        box = Self.box(mesh)
        let center = box.isEmpty ? .zero : (Vector3d(box.minimum) + Vector3d(box.maximum)) / 2
        let grain = 1 << 14
        let vertexCount = mesh.vertexCount
        let standing = Unchecked(standings.pointer)
        let parts: [Sums] = mesh.positions.withUnsafeBufferPointer { positions in
            mesh.triangles.withUnsafeBufferPointer { triangles in
                let (positions, triangles) = (Unchecked(positions), Unchecked(triangles))
                return parallelMap((count + grain - 1) / grain, threads: threads) { tile in
                    var sums = Sums()
                    for t in tile * grain..<min((tile + 1) * grain, count) {
                        standing.value[t] = Self.measure(
                            triangles.value, t, positions.value, vertexCount, center, &sums)
                    }
                    return sums
                }
            }
        }
        var greatest = 0.5
        for part in parts {
            area += part.area
            volume += part.volume
            degenerate += part.degenerate
            invalid += part.invalid
            greatest = max(greatest, part.greatestCosine)
        }
        minimumAngle = acos(min(greatest, 1)) * 180 / .pi
    }

    /// Box of the finite vertices that triangles name.
    private static func box(_ mesh: TriangleMesh) -> Box3f {
        var low = Vector3f(repeating: .infinity)
        var high = Vector3f(repeating: -.infinity)
        let vertexCount = mesh.vertexCount
        mesh.positions.withUnsafeBufferPointer { p in
            mesh.triangles.withUnsafeBufferPointer { triangles in
                for index in triangles where Int(index) < vertexCount {
                    let i = 3 * Int(index)
                    let v = Vector3f(p[i], p[i + 1], p[i + 2])
                    guard v.isFinite else { continue }
                    low = pointwiseMin(low, v)
                    high = pointwiseMax(high, v)
                }
            }
        }
        return low.x <= high.x ? Box3f(minimum: low, maximum: high) : .empty
    }

    @inline(__always)
    private static func measure(
        _ triangles: UnsafeBufferPointer<UInt32>, _ t: Int, _ positions: UnsafeBufferPointer<Float>,
        _ vertexCount: Int, _ center: Vector3d, _ sums: inout Sums
    ) -> Standing {
        let (a, b, c) = (Int(triangles[3 * t]), Int(triangles[3 * t + 1]), Int(triangles[3 * t + 2]))
        guard max(a, b, c) < vertexCount else {
            sums.invalid += 1
            return .outside
        }
        func point(_ v: Int) -> Vector3d {
            Vector3d(Double(positions[3 * v]), Double(positions[3 * v + 1]), Double(positions[3 * v + 2])) - center
        }
        let (p, q, r) = (point(a), point(b), point(c))
        let (u, v) = (q - p, r - p)
        let normal = u.cross(v)
        let double = normal.length
        guard (p + q + r).isFinite else {
            sums.invalid += 1
            return .outside
        }
        guard a != b, b != c, c != a else {
            sums.degenerate += 1
            return .outside
        }
        guard double > 0 else {
            sums.degenerate += 1
            return .whole
        }
        sums.area += double / 2
        sums.volume += p.dot(normal) / 6
        let w = r - q
        let (uu, vv, ww) = (u.lengthSquared, v.lengthSquared, w.lengthSquared)
        // The smallest angle lies opposite the shortest side; its cosine is the greatest of the three.
        let cosine =
            uu <= vv && uu <= ww
            ? v.dot(w) / (vv * ww).squareRoot()
            : vv <= ww ? -u.dot(w) / (uu * ww).squareRoot() : u.dot(v) / (uu * vv).squareRoot()
        sums.greatestCosine = max(sums.greatestCosine, cosine)
        return .whole
    }

    /// Vertices that only triangles outside the topology use.
    func verticesOfDegenerateOnly(_ mesh: TriangleMesh) -> Int {
        guard standings.unsafeElements.contains(.outside) else { return 0 }
        var use = [UInt8](repeating: 0, count: mesh.vertexCount)
        for t in 0..<mesh.triangleCount {
            let flag: UInt8 = standings.pointer[t] == .whole ? 2 : 1
            for k in 0..<3 where Int(mesh.triangles[3 * t + k]) < use.count {
                use[Int(mesh.triangles[3 * t + k])] |= flag
            }
        }
        return use.count { $0 == 1 }
    }
}

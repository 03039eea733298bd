import SSDFCore
import SSDFMesh

extension TriangleMesh {
    /// A geodesic sphere: each face of an icosahedron in `frequency`² faces, 20·frequency² in all.
    package static func icosphere(
        radius: Float = 1, center: Vector3f = .zero, frequency: Int = 8
    ) -> TriangleMesh {
        let g: Float = 1.618_034
        let corners: [Vector3f] = [
            [-1, g, 0], [1, g, 0], [-1, -g, 0], [1, -g, 0], [0, -1, g], [0, 1, g],
            [0, -1, -g], [0, 1, -g], [g, 0, -1], [g, 0, 1], [-g, 0, -1], [-g, 0, 1],
        ]
        let faces = [
            (0, 11, 5), (0, 5, 1), (0, 1, 7), (0, 7, 10), (0, 10, 11), (1, 5, 9), (5, 11, 4),
            (11, 10, 2), (10, 7, 6), (7, 1, 8), (3, 9, 4), (3, 4, 2), (3, 2, 6), (3, 6, 8),
            (3, 8, 9), (4, 9, 5), (2, 4, 11), (6, 2, 10), (8, 6, 7), (9, 8, 1),
        ]
        var mesh = TriangleMesh()
        // A lattice point is known by its corners and weights, so that neighbouring faces share it exactly.
        var known: [SIMD8<Int32>: UInt32] = [:]
        func vertex(_ weights: [(corner: Int, weight: Int)]) -> UInt32 {
            let used = weights.filter { $0.weight > 0 }.sorted { $0.corner < $1.corner }
            var key = SIMD8<Int32>(repeating: -1)
            var p = Vector3f.zero
            for (slot, part) in used.enumerated() {
                key[2 * slot] = Int32(part.corner)
                key[2 * slot + 1] = Int32(part.weight)
                p += corners[part.corner] * Float(part.weight)
            }
            if let index = known[key] { return index }
            let index = mesh.addVertex(center + p.normalized * radius)
            known[key] = index
            return index
        }
        for (a, b, c) in faces {
            func node(_ i: Int, _ j: Int) -> UInt32 { vertex([(a, frequency - i - j), (b, i), (c, j)]) }
            for i in 0..<frequency {
                for j in 0..<(frequency - i) {
                    mesh.addTriangle(node(i, j), node(i + 1, j), node(i, j + 1))
                    if i + j + 1 < frequency { mesh.addTriangle(node(i + 1, j), node(i + 1, j + 1), node(i, j + 1)) }
                }
            }
        }
        return mesh
    }

    /// A sphere of meridians and parallels; its poles are on the z axis.
    package static func uvSphere(
        radius: Float = 1, center: Vector3f = .zero, slices: Int = 32, stacks: Int = 16
    ) -> TriangleMesh {
        var profile: [SIMD2<Float>] = [[0, -radius]]
        for s in 1..<stacks {
            let angle = Float.pi * (Float(s) / Float(stacks) - 0.5)
            profile.append([radius * cosine(angle), radius * sine(angle)])
        }
        profile.append([0, radius])
        return revolved(profile, segments: slices).moved(by: center)
    }

    /// A closed cylinder about the z axis, its caps fanned from a centre.
    package static func cylinder(radius: Float = 0.5, height: Float = 1, segments: Int = 48) -> TriangleMesh {
        revolved(
            [[0, -height / 2], [radius, -height / 2], [radius, height / 2], [0, height / 2]], segments: segments)
    }

    /// Turns an open profile of (radius, z) points, from bottom to top, about the z axis.
    /// A point with radius 0 becomes one vertex; a profile that ends away from the axis leaves a hole there.
    package static func revolved(_ profile: [SIMD2<Float>], segments: Int) -> TriangleMesh {
        var mesh = TriangleMesh()
        let rings = profile.map { point -> [UInt32] in
            if point.x == 0 { return [mesh.addVertex([0, 0, point.y])] }
            return (0..<segments).map { s in
                let angle = 2 * Float.pi * Float(s) / Float(segments)
                return mesh.addVertex([point.x * cosine(angle), point.x * sine(angle), point.y])
            }
        }
        for (low, high) in zip(rings, rings.dropFirst()) {
            for s in 0..<segments {
                let t = (s + 1) % segments
                let (a, b) = (low[s % low.count], low[t % low.count])
                let (c, d) = (high[t % high.count], high[s % high.count])
                if a != b { mesh.addTriangle(a, b, c) }
                if c != d { mesh.addTriangle(a, c, d) }
            }
        }
        return mesh
    }

    /// A sphere of radius 0.8 with a cavity of radius `inner`; `innerOutward` turns the cavity's wall the wrong way.
    package static func hollowBall(inner: Float = 0.5, innerOutward: Bool = false) -> TriangleMesh {
        var mesh = icosphere(radius: 0.8, frequency: 16)
        let cavity = icosphere(radius: inner, center: [0.1, 0, 0.05], frequency: 10)
        mesh.append(innerOutward ? cavity : cavity.insideOut())
        return mesh
    }

    /// Three spheres that overlap, as components of one mesh.
    package static func overlappingSpheres() -> TriangleMesh {
        var mesh = icosphere(radius: 0.5, center: [-0.3, 0, 0], frequency: 12)
        mesh.append(icosphere(radius: 0.45, center: [0.3, 0.1, 0], frequency: 12))
        mesh.append(icosphere(radius: 0.4, center: [0, -0.1, 0.35], frequency: 11))
        return mesh
    }
}

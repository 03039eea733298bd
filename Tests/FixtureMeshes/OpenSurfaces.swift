import SSDFCore
import SSDFMesh

extension TriangleMesh {
    /// An open, wavy sheet over [-0.8, 0.8]², facing +z.
    package static func sheet(cells: Int = 32) -> TriangleMesh {
        var mesh = TriangleMesh()
        for i in 0...cells {
            for j in 0...cells {
                let x = 1.6 * Float(i) / Float(cells) - 0.8
                let y = 1.6 * Float(j) / Float(cells) - 0.8
                _ = mesh.addVertex([x, y, 0.15 * sine(4 * x) * cosine(3 * y)])
            }
        }
        for i in 0..<cells {
            for j in 0..<cells {
                let a = UInt32(i * (cells + 1) + j)
                let b = a + UInt32(cells + 1)
                mesh.addTriangle(a, b, b + 1)
                mesh.addTriangle(a, b + 1, a + 1)
            }
        }
        return mesh
    }

    private static var potProfile: [SIMD2<Float>] {
        (0...20).map { step in
            let t = Float(step) / 20
            let radius = 0.45 + 0.3 * sine(Float.pi * t)
            return [step == 20 ? 0 : radius * (1 - t * t * t * t), -0.6 + 1.2 * t]
        }
    }

    /// A pot standing on z = -0.6, closed on top and open below, as scans of things on tables are.
    package static func bowl() -> TriangleMesh { revolved(potProfile, segments: 64) }

    /// The same pot with its base closed: the reference for `bowl`.
    package static func filledBowl() -> TriangleMesh { revolved([[0, -0.6]] + potProfile, segments: 64) }

    /// A Möbius strip about the z axis, 0.4 wide.
    package static func moebiusStrip(along: Int = 96, across: Int = 8) -> TriangleMesh {
        var mesh = TriangleMesh()
        for i in 0..<along {
            for j in 0...across {
                let u = 2 * Float.pi * Float(i) / Float(along)
                let w = 0.4 * (Float(j) / Float(across) - 0.5)
                let reach = 0.6 + w * cosine(u / 2)
                _ = mesh.addVertex([reach * cosine(u), reach * sine(u), w * sine(u / 2)])
            }
        }
        func vertex(_ i: Int, _ j: Int) -> UInt32 {
            // After one turn the strip meets itself upside down.
            i < along ? UInt32(i * (across + 1) + j) : UInt32(across - j)
        }
        for i in 0..<along {
            for j in 0..<across {
                let (a, b) = (vertex(i, j), vertex(i + 1, j))
                let (c, d) = (vertex(i + 1, j + 1), vertex(i, j + 1))
                mesh.addTriangle(a, b, c)
                mesh.addTriangle(a, c, d)
            }
        }
        return mesh
    }
}

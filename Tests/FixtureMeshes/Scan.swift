import SSDFCore
import SSDFMesh

extension TriangleMesh {
    /// A boulder of 20·frequency² faces (50,000 by default): a sphere with six octaves of relief, closed and without
    /// self-intersections because every point stays on its ray from the centre.
    package static func scan(frequency: Int = 50, seed: UInt64 = 7) -> TriangleMesh {
        var mesh = icosphere(frequency: frequency)
        let noise = GradientNoise(seed: seed)
        for v in 0..<mesh.vertexCount {
            let direction = mesh.position(v)
            var relief: Float = 0
            var amplitude: Float = 0.22
            var scale: Float = 1.7
            for _ in 0..<6 {
                relief += amplitude * noise(direction * scale)
                amplitude *= 0.48
                scale *= 2.1
            }
            let p = direction * (0.72 * (1 + relief))
            for axis in 0..<3 { mesh.positions[3 * v + axis] = p[axis] }
        }
        return mesh
    }
}

/// Smooth noise in about [-1, 1]: gradients at integer points, blended by quintic weights.
///
/// Source: Perlin, "Improving Noise", 2002; the gradients are drawn from Philox instead of a table.
package struct GradientNoise: Sendable {
    private let source: Philox

    package init(seed: UInt64) { source = Philox(seed: seed, stream: 0x6e6f_6973_65) }

    private func gradient(_ x: Int, _ y: Int, _ z: Int) -> Vector3f {
        let key = UInt64(bitPattern: Int64((x & 0xfffff) | (y & 0xfffff) << 20 | (z & 0xfffff) << 40))
        let bits = source.block(key)
        let scale: Float = 0x1p-31
        return Vector3f(Float(bits.x) * scale - 1, Float(bits.y) * scale - 1, Float(bits.z) * scale - 1)
    }

    package func callAsFunction(_ p: Vector3f) -> Float {
        let cell = p.rounded(.down)
        let f = p - cell
        let w = f * f * f * (f * (f * 6 - 15) + 10)
        let (x, y, z) = (Int(cell.x), Int(cell.y), Int(cell.z))
        var sum: Float = 0
        for corner in 0..<8 {
            let (i, j, k) = (corner & 1, corner >> 1 & 1, corner >> 2)
            let offset = Vector3f(f.x - Float(i), f.y - Float(j), f.z - Float(k))
            let weight = (i == 1 ? w.x : 1 - w.x) * (j == 1 ? w.y : 1 - w.y) * (k == 1 ? w.z : 1 - w.z)
            sum += weight * gradient(x + i, y + j, z + k).dot(offset)
        }
        return sum
    }
}

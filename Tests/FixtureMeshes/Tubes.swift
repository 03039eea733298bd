import SSDFCore
import SSDFMesh

extension TriangleMesh {
    /// A torus about the z axis: `major` from the axis to the tube's centre, `minor` the tube's radius.
    package static func torus(
        major: Float = 0.6, minor: Float = 0.25, majorSegments: Int = 64, minorSegments: Int = 32
    ) -> TriangleMesh {
        tube(along: majorSegments, around: minorSegments) { u, v in
            let reach = major + minor * cosine(v)
            return [reach * cosine(u), reach * sine(u), minor * sine(v)]
        }
    }

    /// A closed surface over two angles in [0, 2π): `u` runs along the tube, `v` around it.
    package static func tube(along: Int, around: Int, _ point: (Float, Float) -> Vector3f) -> TriangleMesh {
        var mesh = TriangleMesh()
        for i in 0..<along {
            for j in 0..<around {
                let u = 2 * Float.pi * Float(i) / Float(along)
                let v = 2 * Float.pi * Float(j) / Float(around)
                _ = mesh.addVertex(point(u, v))
            }
        }
        func vertex(_ i: Int, _ j: Int) -> UInt32 { UInt32((i % along) * around + j % around) }
        for i in 0..<along {
            for j in 0..<around {
                let (a, b) = (vertex(i, j), vertex(i + 1, j))
                let (c, d) = (vertex(i + 1, j + 1), vertex(i, j + 1))
                mesh.addTriangle(a, b, c)
                mesh.addTriangle(a, c, d)
            }
        }
        return mesh
    }

    /// A trefoil tube of the given radius. The strands of the curve come within about 0.42 of each other.
    package static func trefoil(
        along: Int, around: Int, radius: (_ u: Float, _ v: Float) -> Float
    ) -> TriangleMesh {
        func curve(_ u: Float) -> Vector3f {
            let reach = 0.55 + 0.22 * cosine(3 * u)
            return [reach * cosine(2 * u), reach * sine(2 * u), 0.28 * sine(3 * u)]
        }
        return tube(along: along, around: around) { u, v in
            let center = curve(u)
            let tangent = (curve(u + 0.01) - curve(u - 0.01)).normalized
            // The centre is never on the z axis, so this frame never degenerates and closes without a twist.
            let outward = Vector3f(center.x, center.y, 0)
            let across = (outward - tangent * outward.dot(tangent)).normalized
            let up = tangent.cross(across)
            let r = radius(u, v)
            return center + across * (r * cosine(v)) - up * (r * sine(v))
        }
        .outward()
    }

    /// A trefoil with twisting ribs: the mesh of the examples.
    package static func ribbedKnot(along: Int = 192, around: Int = 24) -> TriangleMesh {
        trefoil(along: along, around: around) { u, v in 0.14 + 0.018 * cosine(6 * v + 12 * u) }
    }

    /// A trefoil tube thicker than the gap between its strands.
    package static func fatKnot() -> TriangleMesh {
        trefoil(along: 160, around: 24) { _, _ in 0.27 }
    }
}

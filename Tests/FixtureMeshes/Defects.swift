import SSDFCore
import SSDFMesh

extension TriangleMesh {
    /// A unit cube with, besides its 12 faces: a face with a corner twice, two faces with three collinear corners, two
    /// faces given twice (back to back), vertices given twice, and a vertex that no face uses.
    package static func degenerateCube() -> TriangleMesh {
        var mesh = box()
        mesh.addTriangle(mesh.triangles[0], mesh.triangles[0], mesh.triangles[1])
        let (a, b, c) = mesh.corners(0)
        let middle = mesh.addVertex((mesh.position(a) + mesh.position(b)) * 0.5)
        mesh.addTriangle(UInt32(a), middle, UInt32(b))
        mesh.addTriangle(UInt32(b), middle, UInt32(a))
        let copies = [a, b, c].map { mesh.addVertex(mesh.position($0)) }
        mesh.addTriangle(copies[0], copies[1], copies[2])
        mesh.addTriangle(copies[0], copies[2], copies[1])
        _ = mesh.addVertex([0.1, 0.2, 0.3])
        return mesh
    }

    /// A unit cube whose +z face is a fan over points inserted in its rim, while its neighbours know nothing of them.
    package static func tJunctions() -> TriangleMesh {
        var mesh = box()
        let keep = (0..<mesh.triangleCount).filter { t in
            let (a, b, c) = mesh.corners(t)
            return ![a, b, c].allSatisfy { mesh.position($0).z == 0.5 }
        }
        mesh.triangles = keep.flatMap { Array(mesh.triangles[3 * $0..<3 * $0 + 3]) }
        let rim: [Vector3f] = [
            [-0.5, -0.5, 0.5], [0.1, -0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.2, 0.5], [0.5, 0.5, 0.5], [-0.2, 0.5, 0.5],
            [-0.5, 0.5, 0.5], [-0.5, 0, 0.5],
        ]
        let center = mesh.addVertex([0, 0, 0.5])
        let first = UInt32(mesh.vertexCount)
        for p in rim { _ = mesh.addVertex(p) }
        for s in 0..<rim.count {
            mesh.addTriangle(center, first + UInt32(s), first + UInt32((s + 1) % rim.count))
        }
        return mesh
    }

    /// 7³ small solids on a jittered grid, none touching another.
    package static func scatter() -> TriangleMesh {
        var random = Philox(seed: 11)
        var mesh = TriangleMesh()
        for cell in 0..<343 {
            let node = Vector3f(Float(cell % 7), Float(cell / 7 % 7), Float(cell / 49))
            let jitter = Vector3f(Float(random.uniform()), Float(random.uniform()), Float(random.uniform()))
            let center = (node - 3) * 0.25 + (jitter - 0.5) * 0.06
            let size = 0.05 + 0.04 * Float(random.uniform())
            switch random.next() % 3 {
            case 0: mesh.append(box(size: [size, size, size] * 1.6, center: center))
            case 1: mesh.append(octahedron(radius: size, center: center))
            default: mesh.append(tetrahedron(radius: size, center: center))
            }
        }
        return mesh
    }

    /// A regular octahedron.
    package static func octahedron(radius: Float = 1, center: Vector3f = .zero) -> TriangleMesh {
        var mesh = TriangleMesh()
        let directions: [Vector3f] = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]
        for d in directions { _ = mesh.addVertex(center + d * radius) }
        for (x, y, z) in [(0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4), (2, 0, 5), (1, 2, 5), (3, 1, 5), (0, 3, 5)] {
            mesh.addTriangle(UInt32(x), UInt32(y), UInt32(z))
        }
        return mesh
    }

    /// A regular tetrahedron.
    package static func tetrahedron(radius: Float = 1, center: Vector3f = .zero) -> TriangleMesh {
        var mesh = TriangleMesh()
        let directions: [Vector3f] = [[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]]
        for d in directions { _ = mesh.addVertex(center + d.normalized * radius) }
        for (a, b, c) in [(0, 1, 3), (0, 2, 1), (0, 3, 2), (1, 2, 3)] {
            mesh.addTriangle(UInt32(a), UInt32(b), UInt32(c))
        }
        return mesh
    }
}

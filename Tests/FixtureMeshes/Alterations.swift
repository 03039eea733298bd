import SSDFCore
import SSDFMesh

/// Ways to break a mesh, for tests of what survives them.
extension TriangleMesh {
    /// Without a random share (0…1) of its faces; vertices stay.
    package func removingFaces(share: Double, seed: UInt64) -> TriangleMesh {
        var random = Philox(seed: seed, stream: 1)
        return keepingFaces { _ in random.uniform() >= share }
    }

    /// With a random share (0…1) of its faces turned round.
    package func flippingFaces(share: Double, seed: UInt64) -> TriangleMesh {
        var random = Philox(seed: seed, stream: 2)
        var copy = self
        for t in 0..<triangleCount where random.uniform() < share {
            copy.triangles.swapAt(3 * t + 1, 3 * t + 2)
        }
        return copy
    }

    /// With every face turned round; normals turn too.
    package func insideOut() -> TriangleMesh {
        var copy = self
        for t in 0..<triangleCount { copy.triangles.swapAt(3 * t + 1, 3 * t + 2) }
        copy.normals = normals.map { -$0 }
        return copy
    }

    /// Turned so that its signed volume is positive.
    package func outward() -> TriangleMesh { signedVolume < 0 ? insideOut() : self }

    /// Without the faces whose centre is in the lowest `share` of the mesh's extent along an axis (2 is z): what a
    /// scanner never saw.
    package func withoutBase(share: Float = 0.06, axis: Int = 2) -> TriangleMesh {
        let box = boundingBox
        let cut = box.minimum[axis] + box.size[axis] * share
        return keepingFaces { t in
            let (a, b, c) = corners(t)
            return (position(a)[axis] + position(b)[axis] + position(c)[axis]) / 3 >= cut
        }
    }

    /// Without the faces at its lowest in z: what it stands on.
    package func withoutBottom() -> TriangleMesh {
        let box = boundingBox
        let floor = box.minimum.z + 1e-5 * box.size.z
        return keepingFaces { t in
            let (a, b, c) = corners(t)
            return max(position(a).z, position(b).z, position(c).z) > floor
        }
    }

    /// With a copy of itself, moved, as further faces: the solid is then the union of the two.
    package func selfIntersecting(by displacement: Vector3f) -> TriangleMesh {
        var copy = self
        copy.append(moved(by: displacement))
        return copy
    }

    /// With a random share of its vertices pushed by up to `distance` in random directions, so that near faces cut
    /// through each other.
    package func crumpled(by distance: Float, share: Double = 0.3, seed: UInt64) -> TriangleMesh {
        var random = Philox(seed: seed, stream: 3)
        var copy = self
        for v in 0..<vertexCount where random.uniform() < share {
            for axis in 0..<3 { copy.positions[3 * v + axis] += distance * Float(2 * random.uniform() - 1) }
        }
        copy.normals = []
        return copy
    }

    /// As unconnected triangles, three vertices each.
    package func unwelded() -> TriangleMesh {
        var soup = TriangleMesh()
        for t in 0..<triangleCount {
            let (a, b, c) = corners(t)
            let first = soup.addVertex(position(a))
            _ = soup.addVertex(position(b))
            _ = soup.addVertex(position(c))
            soup.addTriangle(first, first + 1, first + 2)
        }
        return soup
    }

    package func moved(by offset: Vector3f) -> TriangleMesh {
        var copy = self
        for v in 0..<vertexCount {
            for axis in 0..<3 { copy.positions[3 * v + axis] += offset[axis] }
        }
        return copy
    }

    /// With coordinates rounded to multiples of `step`, so that text files of it are short.
    package func snapped(to step: Float) -> TriangleMesh {
        var copy = self
        // Adding zero turns -0 into +0.
        copy.positions = positions.map { ($0 / step).rounded() * step + 0 }
        return copy
    }

    /// With the vertex normals that the faces around each vertex give, weighted by their areas.
    package func withNormals() -> TriangleMesh {
        var sums = [Vector3d](repeating: .zero, count: vertexCount)
        for t in 0..<triangleCount {
            let (a, b, c) = corners(t)
            let (p, q, r) = cornerPositions(t)
            let n = (q - p).cross(r - p)
            for v in [a, b, c] { sums[v] += n }
        }
        var copy = self
        copy.normals = sums.flatMap { sum -> [Float] in
            let n = sum.normalized
            return [Float(n.x), Float(n.y), Float(n.z)]
        }
        return copy
    }

    private func keepingFaces(_ keeps: (Int) -> Bool) -> TriangleMesh {
        var copy = self
        copy.triangles = []
        for t in 0..<triangleCount where keeps(t) { copy.triangles += triangles[3 * t..<3 * t + 3] }
        return copy
    }
}

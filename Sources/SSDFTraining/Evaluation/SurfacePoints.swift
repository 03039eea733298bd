import SSDFCore
import SSDFMesh

extension TriangleMesh {
    /// About `count` points, even over the area: triangles at even steps of the area passed, a point of each drawn with a
    /// fixed seed. None without area.
    func surfacePoints(_ count: Int) -> [Vector3f] {
        let areas = (0..<triangleCount).map { index -> Double in
            let (a, b, c) = corners(index)
            let origin = position(a)
            return Double((position(b) - origin).cross(position(c) - origin).length) / 2
        }
        let step = areas.reduce(0, +) / Double(count)
        guard step > 0 else { return [] }
        var points: [Vector3f] = []
        points.reserveCapacity(count + 1)
        var generator = Philox(seed: 1)
        var passed = 0.0
        var next = step / 2
        for (index, area) in areas.enumerated() {
            passed += area
            while next < passed {
                next += step
                let (a, b, c) = corners(index)
                var (u, v) = (Float(generator.uniform()), Float(generator.uniform()))
                if u + v > 1 { (u, v) = (1 - u, 1 - v) }
                let origin = position(a)
                points.append(origin + (position(b) - origin) * u + (position(c) - origin) * v)
            }
        }
        return points
    }
}

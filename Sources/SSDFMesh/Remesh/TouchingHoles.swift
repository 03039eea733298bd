/// Border loops parted where they come back to a place: holes that touch in a vertex.
///
/// Separating fans gives such a vertex several copies and makes one long loop of the holes around it. Filling each hole for
/// itself joins the fans again, so that the copies become one vertex.
struct TouchingHoles {
    /// The loops, each through no place twice where that can be.
    private(set) var loops: [[Int]] = []
    /// The vertex that each vertex becomes part of, or itself.
    private(set) var vertices: [UInt32]

    /// - Parameters:
    ///   - loops: border half-edges, each beginning where the one before ends.
    ///   - origins: the vertex that each vertex is a copy of.
    ///   - neighbours: of each border vertex.
    init(_ loops: [[Int]], triangles: [UInt32], origins: [UInt32], neighbours: [UInt32: [UInt32]]) {
        vertices = (0..<UInt32(origins.count)).map { $0 }
        var around: [UInt32: Set<UInt32>] = [:]
        for loop in loops {
            var path: [Int] = []
            var places: [UInt32: Int] = [:]
            var left = loop.count
            for half in loop {
                let copy = triangles[half]
                let origin = origins[Int(copy)]
                if let place = places[origin], path.count - place >= 3, left - (path.count - place) >= 3 {
                    let first = vertices[Int(triangles[path[place]])]
                    let known = around[first] ?? Set(neighbours[first] ?? [])
                    let own = Set(neighbours[copy] ?? [])
                    // An edge that both copies have to one vertex would get four faces.
                    if known.isDisjoint(with: own) {
                        vertices[Int(copy)] = first
                        around[first] = known.union(own)
                        self.loops.append(Array(path[place...]))
                        left -= path.count - place
                        path.removeSubrange(place...)
                        places = places.filter { $0.value < place }
                    }
                }
                if places[origin] == nil { places[origin] = path.count }
                path.append(half)
            }
            self.loops.append(path)
        }
    }
}

import SSDFCore

/// Corners, edges and faces of a cell, and how a surface meets its faces.
///
/// Corner `k` is at `(k >> 2, k >> 1 & 1, k & 1)`. Edge `4·d + j` runs along axis `d` from the corner whose other two
/// offsets are the bits of `j`, the earlier axis first. Face `2·a + s` lies across axis `a` at side `s`. A pattern has
/// bit `k` set when corner `k` is inside.
enum CellTopology {
    /// Lower and upper corner of an edge.
    static func ends(_ edge: Int) -> (low: Int, high: Int) {
        let j = edge & 3
        switch edge >> 2 {
        case 0: return (j, j | 4)
        case 1: return ((j & 2) << 1 | j & 1, (j & 2) << 1 | j & 1 | 2)
        default: return (j << 1, j << 1 | 1)
        }
    }

    static func position(corner: Int) -> Vector3d {
        Vector3d(Double(corner >> 2), Double(corner >> 1 & 1), Double(corner & 1))
    }

    static func midpoint(edge: Int) -> Vector3d {
        let (low, high) = ends(edge)
        return (position(corner: low) + position(corner: high)) / 2
    }

    /// The edge between two neighbouring corners.
    static func edge(_ a: Int, _ b: Int) -> Int {
        let low = min(a, b)
        switch a ^ b {
        case 4: return low
        case 2: return 4 | (low & 4) >> 1 | low & 1
        default: return 8 | low >> 1
        }
    }

    /// The four corners of every face, counter-clockwise seen from outside the cell.
    static let rings: [[Int]] = (0..<6).map { face in
        let axis = face >> 1
        let side = face & 1
        let normal = 4 >> axis
        // The other two axes in cyclic order after the face's own: counter-clockwise about the positive direction.
        let u = 4 >> ((axis + 1) % 3)
        let v = 4 >> ((axis + 2) % 3)
        let base = side * normal
        let ring = [base, base | u, base | u | v, base | v]
        return side == 1 ? ring : ring.reversed()
    }

    /// For every edge, bit `f` set for each of the two faces it belongs to.
    static let edgeFaces: [Int] = (0..<12).map { edge in
        let (low, high) = ends(edge)
        return (0..<6).reduce(0) { mask, face in
            rings[face].contains(low) && rings[face].contains(high) ? mask | 1 << face : mask
        }
    }

    static func isInside(_ corner: Int, _ pattern: Int) -> Bool { pattern >> corner & 1 == 1 }

    /// Bit `f` set for every face whose inside corners are two opposite ones: the surface may cross it in two ways.
    static func ambiguousFaces(_ pattern: Int) -> Int {
        var mask = 0
        for face in 0..<6 {
            let ring = rings[face]
            let inside = isInside(ring[0], pattern)
            if isInside(ring[1], pattern) != inside, isInside(ring[2], pattern) == inside,
                isInside(ring[3], pattern) != inside
            {
                mask |= 1 << face
            }
        }
        return mask
    }

    /// The closed polygons in which the surface meets the boundary of the cell, as the edges they visit.
    ///
    /// Each runs so that a disk spanned in it is counter-clockwise seen from the positive side. On a face walked
    /// counter-clockwise from outside the cell, an edge where the walk enters the inside is joined with the one where
    /// it leaves: that puts the inside to the left of every piece, whatever the face, so pieces chain up head to tail.
    ///
    /// - Parameter joined: bit `f` set when the inside corners of the ambiguous face `f` are joined across it.
    static func loops(pattern: Int, joined: Int) -> [[Int]] {
        let ambiguous = ambiguousFaces(pattern)
        var following = [Int](repeating: -1, count: 12)
        for face in 0..<6 {
            let ring = rings[face]
            func inside(_ i: Int) -> Bool { isInside(ring[i & 3], pattern) }
            for i in 0..<4 where !inside(i) && inside(i + 1) {
                let entrance = edge(ring[i], ring[(i + 1) & 3])
                // Go round the inside corners to the exit; where they are joined across an ambiguous face, to the
                // exit before the entrance instead, so that the piece goes round the outside corner.
                var k = (ambiguous & joined) >> face & 1 == 1 ? i + 3 : i + 1
                while !inside(k) || inside(k + 1) { k += 1 }
                following[entrance] = edge(ring[k & 3], ring[(k + 1) & 3])
            }
        }
        var loops: [[Int]] = []
        for start in 0..<12 where following[start] >= 0 {
            var loop: [Int] = []
            var at = start
            while following[at] >= 0 {
                loop.append(at)
                let next = following[at]
                following[at] = -1
                at = next
            }
            loops.append(loop)
        }
        return loops
    }

    /// A number for each corner, equal for corners of one connected inside or outside region of the cell's boundary.
    static func regions(pattern: Int, joined: Int) -> [Int] {
        let ambiguous = ambiguousFaces(pattern)
        var region = Array(0..<8)
        func merge(_ a: Int, _ b: Int) {
            let (old, new) = (region[a], region[b])
            for corner in 0..<8 where region[corner] == old { region[corner] = new }
        }
        for edge in 0..<12 {
            let (low, high) = ends(edge)
            if isInside(low, pattern) == isInside(high, pattern) { merge(low, high) }
        }
        for face in 0..<6 where ambiguous >> face & 1 == 1 {
            let ring = rings[face]
            let joinsFirst = isInside(ring[0], pattern) == (joined >> face & 1 == 1)
            merge(ring[joinsFirst ? 0 : 1], ring[joinsFirst ? 2 : 3])
        }
        return region
    }
}

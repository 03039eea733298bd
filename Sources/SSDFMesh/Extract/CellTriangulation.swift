import SSDFCore

/// Covers polygons on the boundary of a cell, and pairs of them, with triangles.
///
/// A diagonal between two points of one face of the cell is never used: the neighbour across that face might use the
/// same one, and four triangles would meet there. A diagonal whose ends share no face belongs to this cell alone, so
/// any choice made here is as good as any other for all cells around.
///
/// Points stand for the middles of their edges when triangles are compared for shape.
enum CellTriangulation {
    private static let middles = (0..<12).map { CellTopology.midpoint(edge: $0) }

    private static func isFree(_ a: Int, _ b: Int) -> Bool {
        CellTopology.edgeFaces[a] & CellTopology.edgeFaces[b] == 0
    }

    /// Sum of the squared sides over the area: 4√3 for an equilateral triangle, large for a sliver.
    private static func cost(_ a: Int, _ b: Int, _ c: Int) -> Double {
        let (p, q, r) = (middles[a], middles[b], middles[c])
        let area = (q - p).cross(r - p).length / 2
        return ((q - p).lengthSquared + (r - q).lengthSquared + (p - r).lengthSquared) / max(area, 1e-3)
    }

    /// The best shaped triangulation of a polygon of edges, or nil when none avoids the faces.
    /// - Complexity: O(n³).
    static func disk(_ loop: [Int]) -> [[Int]]? {
        let n = loop.count
        var best = [[Double]](repeating: [Double](repeating: .infinity, count: n), count: n)
        var middle = [[Int]](repeating: [Int](repeating: -1, count: n), count: n)
        for i in 0..<n - 1 { best[i][i + 1] = 0 }
        for span in 2..<n {
            for i in 0..<n - span {
                let j = i + span
                guard span == n - 1 || isFree(loop[i], loop[j]) else { continue }
                for k in i + 1..<j {
                    let total = best[i][k] + best[k][j] + cost(loop[i], loop[k], loop[j])
                    if total < best[i][j] - 1e-9 { (best[i][j], middle[i][j]) = (total, k) }
                }
            }
        }
        guard best[0][n - 1] < .infinity else { return nil }
        var triangles: [[Int]] = []
        func collect(_ i: Int, _ j: Int) {
            guard j - i > 1 else { return }
            let k = middle[i][j]
            triangles.append([loop[i], loop[k], loop[j]])
            collect(i, k)
            collect(k, j)
        }
        collect(0, n - 1)
        return triangles
    }

    /// A tube's cover: triangles, and quadrilaterals that need a vertex of their own because neither of their diagonals
    /// keeps off the faces.
    struct Tube {
        var cost: Double
        var triangles: [[Int]] = []
        var quadrilaterals: [[Int]] = []
    }

    /// Far above any triangle's cost, so that quadrilaterals stand only where nothing else can.
    private static let quadrilateralCost = 1e4

    /// The best shaped cover of the tube between two polygons, or nil when none avoids the faces.
    ///
    /// Both polygons run as the tube's boundary does, so while one is followed forwards the other goes backwards.
    static func tube(_ a: [Int], _ b: [Int]) -> Tube? {
        var best: Tube?
        for start in b.indices {
            let turned = b.indices.map { b[(start + b.count - $0) % b.count] }
            guard let tube = strip(a, turned), tube.cost < (best?.cost ?? .infinity) - 1e-9 else { continue }
            best = tube
        }
        return best
    }

    /// How a strip came to a rung: by a run of triangles along one polygon, or by a quadrilateral (or not at all).
    private enum Arrival: Int, CaseIterable { case alongFirst, alongSecond, across }

    /// The best cover that starts and ends at the rung a[0]–b[0], both polygons followed forwards.
    ///
    /// A run along one polygon ends before it has gone round: the rung after a whole turn would be the rung before it,
    /// and four triangles would meet there.
    /// - Complexity: O(n·m·(n + m)).
    private static func strip(_ a: [Int], _ b: [Int]) -> Tube? {
        let (n, m) = (a.count, b.count)
        guard isFree(a[0], b[0]) else { return nil }
        struct State {
            var cost = Double.infinity
            var run = 0
            var from = Arrival.across
        }
        var states = [[[State]]](
            repeating: [[State]](repeating: [State](repeating: State(), count: 3), count: m + 1), count: n + 1)
        states[0][0][Arrival.across.rawValue].cost = 0
        for i in 0...n {
            for j in 0...m where i + j > 0 && isFree(a[i % n], b[j % m]) {
                func consider(_ arrival: Arrival, run: Int, i fromI: Int, j fromJ: Int, cost: Double) {
                    for from in Arrival.allCases where from != arrival || arrival == .across {
                        let total = states[fromI][fromJ][from.rawValue].cost + cost
                        if total < states[i][j][arrival.rawValue].cost - 1e-9 {
                            states[i][j][arrival.rawValue] = State(cost: total, run: run, from: from)
                        }
                    }
                }
                var along = 0.0
                for run in 1..<max(min(i, n - 1) + 1, 1) {
                    guard run == 1 || isFree(a[(i - run + 1) % n], b[j % m]) else { break }
                    along += cost(a[i - run], a[(i - run + 1) % n], b[j % m])
                    consider(.alongFirst, run: run, i: i - run, j: j, cost: along)
                }
                along = 0
                for run in 1..<max(min(j, m - 1) + 1, 1) {
                    guard run == 1 || isFree(a[i % n], b[(j - run + 1) % m]) else { break }
                    along += cost(b[j - run], b[(j - run + 1) % m], a[i % n])
                    consider(.alongSecond, run: run, i: i, j: j - run, cost: along)
                }
                if i > 0, j > 0 { consider(.across, run: 1, i: i - 1, j: j - 1, cost: quadrilateralCost) }
            }
        }
        let last = states[n][m].indices.min { states[n][m][$0].cost < states[n][m][$1].cost } ?? 0
        var tube = Tube(cost: states[n][m][last].cost)
        guard tube.cost < .infinity else { return nil }
        var (i, j, arrival) = (n, m, Arrival(rawValue: last) ?? .across)
        while i + j > 0 {
            let state = states[i][j][arrival.rawValue]
            for _ in 0..<state.run {
                switch arrival {
                case .alongFirst:
                    tube.triangles.append([a[i - 1], a[i % n], b[j % m]])
                    i -= 1
                case .alongSecond:
                    tube.triangles.append([b[j % m], b[j - 1], a[i % n]])
                    j -= 1
                case .across:
                    tube.quadrilaterals.append([a[i - 1], a[i % n], b[j % m], b[j - 1]])
                    (i, j) = (i - 1, j - 1)
                }
            }
            arrival = state.from
        }
        return isManifold(tube) ? tube : nil
    }

    /// Whether no two triangles or quadrilaterals run along an edge in the same direction.
    private static func isManifold(_ tube: Tube) -> Bool {
        var seen = Set<Int>()
        return (tube.triangles + tube.quadrilaterals).allSatisfy { polygon in
            polygon.indices.allSatisfy { seen.insert(polygon[$0] * 12 + polygon[($0 + 1) % polygon.count]).inserted }
        }
    }
}

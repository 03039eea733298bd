/// A network of capacities between nodes, and the cut of least capacity between a source and a sink.
///
/// Source: Dinitz, "Algorithm for Solution of a Problem of Maximum Flow in Networks with Power Estimation", 1970.
package struct FlowNetwork {
    private struct Arc {
        var to: Int32
        var next: Int32
        /// What still fits through.
        var room: Int64
    }

    private var arcs: [Arc] = []
    private var first: [Int32]

    /// A network of so many nodes that nothing joins.
    package init(nodes: Int) { first = Array(repeating: -1, count: nodes) }

    /// Joins two nodes, the same capacity both ways.
    package mutating func join(_ a: Int, _ b: Int, capacity: Int64) {
        for (from, to) in [(a, b), (b, a)] {
            arcs.append(Arc(to: Int32(to), next: first[from], room: capacity))
            first[from] = Int32(arcs.count - 1)
        }
    }

    /// Finds the cut of least capacity. Returns which nodes are on the source's side; of several such cuts the one that
    /// leaves most there.
    /// - Complexity: O(nodes² · arcs) at worst; near linear where the cut is short.
    package mutating func cut(source: Int, sink: Int) -> [Bool] {
        var level = levels(from: source)
        while level[sink] >= 0 {
            augment(source, sink, &level)
            level = levels(from: source)
        }
        // Everything from which the sink can no longer be reached stays.
        var reaches = [Bool](repeating: false, count: first.count)
        reaches[sink] = true
        var queue = [Int32(sink)]
        while let node = queue.popLast() {
            var arc = first[Int(node)]
            while arc >= 0 {
                let from = Int(arcs[Int(arc)].to)
                if !reaches[from], arcs[Int(arc) ^ 1].room > 0 {
                    reaches[from] = true
                    queue.append(Int32(from))
                }
                arc = arcs[Int(arc)].next
            }
        }
        return reaches.map { !$0 }
    }

    private func levels(from source: Int) -> [Int32] {
        var level = [Int32](repeating: -1, count: first.count)
        level[source] = 0
        var queue = [Int32(source)]
        var head = 0
        while head < queue.count {
            let node = Int(queue[head])
            head += 1
            var arc = first[node]
            while arc >= 0 {
                let to = Int(arcs[Int(arc)].to)
                if level[to] < 0, arcs[Int(arc)].room > 0 {
                    level[to] = level[node] + 1
                    queue.append(Int32(to))
                }
                arc = arcs[Int(arc)].next
            }
        }
        return level
    }

    /// Sends flow along paths that go up a level with each arc, until none is left.
    private mutating func augment(_ source: Int, _ sink: Int, _ level: inout [Int32]) {
        var current = first
        var path: [Int] = []
        var node = source
        while true {
            if node == sink {
                let flow = path.reduce(Int64.max) { min($0, arcs[$1].room) }
                var narrow = path.count
                for (place, arc) in path.enumerated().reversed() {
                    arcs[arc].room -= flow
                    arcs[arc ^ 1].room += flow
                    if arcs[arc].room == 0 { narrow = place }
                }
                // Back to where the path is full now.
                node = Int(arcs[path[narrow] ^ 1].to)
                path.removeSubrange(narrow...)
                continue
            }
            var arc = current[node]
            while arc >= 0 {
                let entry = arcs[Int(arc)]
                if entry.room > 0, level[Int(entry.to)] == level[node] + 1 { break }
                arc = entry.next
            }
            current[node] = arc
            if arc >= 0 {
                path.append(Int(arc))
                node = Int(arcs[Int(arc)].to)
            } else {
                guard let back = path.popLast() else { return }
                level[node] = -1
                node = Int(arcs[back ^ 1].to)
            }
        }
    }
}

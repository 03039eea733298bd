import CSSDFKernels
import SSDFCore

/// A bounding volume hierarchy over the triangles of a mesh: closest points and rays.
///
/// The tree keeps copies of the triangles' corners and does not need the mesh again. It is immutable; copies share it.
/// Distances are in the mesh's units.
///
/// - Complexity: building is O(n log n), about 0.5 µs a triangle on one thread; a query about O(log n).
///
/// Source: Wald, "On fast Construction of SAH-based Bounding Volume Hierarchies", 2007; the kernels name theirs.
package struct TriangleBVH: Sendable {
    /// Node 0 is the root. Never mutated after `init`.
    private final class Storage: Sendable {
        let nodes: Buffer<ssdf_bvh_node>
        let leaves: Buffer<ssdf_bvh_leaf>

        init(nodes: consuming Buffer<ssdf_bvh_node>, leaves: consuming Buffer<ssdf_bvh_leaf>) {
            self.nodes = nodes
            self.leaves = leaves
        }
    }

    private let storage: Storage

    /// The number of triangles the tree was built over.
    package let triangleCount: Int

    /// Builds the tree. The same mesh gives the same tree on any number of threads.
    /// - Precondition: coordinates are finite, indices are in range.
    package init(_ mesh: TriangleMesh, threads: Int = 1) {
        triangleCount = mesh.triangleCount
        storage = mesh.positions.withUnsafeBufferPointer { positions in
            mesh.triangles.withUnsafeBufferPointer { triangles in
                Self.build(positions, triangles, threads: threads)
            }
        }
    }

    /// A part of the tree: what a worker builds alone.
    private struct Task {
        var range: ssdf_bvh_range
        /// The node and lane that wait for the part's root.
        var parent: Int
        var lane: Int
    }

    private static func build(
        _ positions: UnsafeBufferPointer<Float>, _ triangles: UnsafeBufferPointer<UInt32>, threads: Int
    ) -> Storage {
        let count = triangles.count / 3
        guard count > 0, let p = positions.baseAddress, let t = triangles.baseAddress else {
            // A root without children: no query finds anything.
            return Storage(nodes: Buffer(zeros: 1), leaves: Buffer(zeros: 1))
        }
        let points = Unchecked(p)
        let corners = Unchecked(t)
        let referenceBuffer = Buffer<ssdf_bvh_reference>(uninitialized: count)
        let references = Unchecked(referenceBuffer.pointer)
        let grain = 1 << 15
        let parts = parallelMap((count + grain - 1) / grain, threads: threads) { part in
            let first = part * grain
            return ssdf_bvh_prepare(
                points.value, corners.value, first, min(grain, count - first), references.value + first)
        }
        var whole = parts.dropFirst().reduce(parts[0], union)
        whole.begin = 0
        whole.end = UInt32(count)

        // Open nodes breadth first until the parts are small enough to share out. The bound depends on the mesh alone.
        let taskSize = UInt32(max(count / 24, 4096))
        var tops: [ssdf_bvh_node] = []
        var tasks: [Task] = []
        var frontier = [Task(range: whole, parent: -1, lane: 0)]
        while !frontier.isEmpty {
            let large = frontier.filter { $0.range.end - $0.range.begin > taskSize }
            tasks += frontier.filter { $0.range.end - $0.range.begin <= taskSize }
            let opened = parallelMap(large.count, threads: threads) { index in
                [ssdf_bvh_range](unsafeUninitializedCapacity: Int(SSDF_BVH_WIDTH)) { children, used in
                    used = Int(
                        ssdf_bvh_expand(references.value, large[index].range, children.baseAddress!))
                }
            }
            frontier = []
            for (task, children) in zip(large, opened) {
                let node = tops.count
                var top = ssdf_bvh_node()
                let none = [Int32](repeating: 0, count: children.count)
                ssdf_bvh_write_node(children, none, Int32(children.count), &top)
                tops.append(top)
                if task.parent >= 0 { setChild(&tops[task.parent], task.lane, Int32(node)) }
                for (lane, child) in children.enumerated() {
                    frontier.append(Task(range: child, parent: node, lane: lane))
                }
            }
        }
        return assemble(points, corners, references, tops: tops, tasks: tasks, threads: threads)
    }

    /// Builds the parts and puts them behind the opened nodes, in order.
    private static func assemble(
        _ points: Unchecked<UnsafePointer<Float>>, _ corners: Unchecked<UnsafePointer<UInt32>>,
        _ references: Unchecked<UnsafeMutablePointer<ssdf_bvh_reference>>, tops: [ssdf_bvh_node], tasks: [Task],
        threads: Int
    ) -> Storage {
        // Every leaf but a lone one holds at least four triangles, which bounds the room.
        var rooms = [0]
        for task in tasks { rooms.append(rooms.last! + Int(task.range.end - task.range.begin) / 4 + 1) }
        let roomyNodes = Buffer<ssdf_bvh_node>(uninitialized: rooms.last!)
        let roomyLeaves = Buffer<ssdf_bvh_leaf>(uninitialized: rooms.last!)
        let nodeRoom = Unchecked(roomyNodes.pointer)
        let leafRoom = Unchecked(roomyLeaves.pointer)
        let sizes = parallelMap(tasks.count, threads: threads) { [rooms] index in
            var nodes: UInt32 = 0
            var leaves: UInt32 = 0
            ssdf_bvh_subtree(
                points.value, corners.value, references.value, tasks[index].range,
                nodeRoom.value + rooms[index], &nodes, leafRoom.value + rooms[index], &leaves)
            return (nodes: Int(nodes), leaves: Int(leaves))
        }
        var nodeStarts = [tops.count]
        var leafStarts = [0]
        for size in sizes {
            nodeStarts.append(nodeStarts.last! + size.nodes)
            leafStarts.append(leafStarts.last! + size.leaves)
        }
        let nodes = Buffer<ssdf_bvh_node>(uninitialized: nodeStarts.last!)
        let leaves = Buffer<ssdf_bvh_leaf>(uninitialized: leafStarts.last!)
        for (index, top) in tops.enumerated() { (nodes.pointer + index).initialize(to: top) }
        for (index, task) in tasks.enumerated() where task.parent >= 0 {
            setChild(&nodes.pointer[task.parent], task.lane, Int32(nodeStarts[index]))
        }
        let nodeTarget = Unchecked(nodes.pointer)
        let leafTarget = Unchecked(leaves.pointer)
        parallelFor(tasks.count, threads: threads) { [rooms, nodeStarts, leafStarts] range in
            for index in range {
                let node = nodeTarget.value + nodeStarts[index]
                node.update(from: nodeRoom.value + rooms[index], count: sizes[index].nodes)
                for i in 0..<sizes[index].nodes {
                    for lane in 0..<Int(SSDF_BVH_WIDTH) {
                        let child = Self.child(node[i], lane)
                        // A leaf is stored as its complement.
                        let moved = child >= 0 ? child + Int32(nodeStarts[index]) : child - Int32(leafStarts[index])
                        setChild(&node[i], lane, moved)
                    }
                }
                (leafTarget.value + leafStarts[index]).update(
                    from: leafRoom.value + rooms[index], count: sizes[index].leaves)
            }
        }
        return Storage(nodes: nodes, leaves: leaves)
    }

    private static func union(_ a: ssdf_bvh_range, _ b: ssdf_bvh_range) -> ssdf_bvh_range {
        var r = a
        r.low = (min(a.low.0, b.low.0), min(a.low.1, b.low.1), min(a.low.2, b.low.2))
        r.high = (max(a.high.0, b.high.0), max(a.high.1, b.high.1), max(a.high.2, b.high.2))
        let (c, d) = (a.centroid_low, b.centroid_low)
        r.centroid_low = (min(c.0, d.0), min(c.1, d.1), min(c.2, d.2))
        let (e, f) = (a.centroid_high, b.centroid_high)
        r.centroid_high = (max(e.0, f.0), max(e.1, f.1), max(e.2, f.2))
        return r
    }

    private static func child(_ node: ssdf_bvh_node, _ lane: Int) -> Int32 {
        withUnsafeBytes(of: node.child) { $0.load(fromByteOffset: 4 * lane, as: Int32.self) }
    }

    private static func setChild(_ node: inout ssdf_bvh_node, _ lane: Int, _ child: Int32) {
        withUnsafeMutableBytes(of: &node.child) { $0.storeBytes(of: child, toByteOffset: 4 * lane, as: Int32.self) }
    }

    /// Hands the tree to a kernel.
    package func withTree<Result>(_ body: (UnsafePointer<ssdf_bvh>) -> Result) -> Result {
        var tree = ssdf_bvh(nodes: storage.nodes.pointer, leaves: storage.leaves.pointer)
        return withExtendedLifetime(storage) { withUnsafePointer(to: &tree, body) }
    }
}

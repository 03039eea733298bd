import SSDFCore
import SSDFMesh
import Testing

@Suite struct FlowNetworkTests {
    /// Against every cut there is, on small networks drawn at random.
    @Test(arguments: 0..<40) func findsTheLeastCut(seed: UInt64) {
        var random = Philox(seed: seed)
        let nodes = 8
        var capacities: [(a: Int, b: Int, capacity: Int64)] = []
        var network = FlowNetwork(nodes: nodes)
        for a in 0..<nodes {
            for b in a + 1..<nodes where random.uniform() < 0.5 {
                let capacity = Int64(random.next() % 20)
                capacities.append((a, b, capacity))
                network.join(a, b, capacity: capacity)
            }
        }
        func weight(_ isOnSide: (Int) -> Bool) -> Int64 {
            capacities.reduce(0) { $0 + (isOnSide($1.a) != isOnSide($1.b) ? $1.capacity : 0) }
        }
        let side = network.cut(source: 0, sink: 1)
        #expect(side[0] && !side[1])
        var least = Int64.max
        for choice in 0..<1 << (nodes - 2) {
            least = min(least, weight { $0 == 0 || ($0 > 1 && choice >> ($0 - 2) & 1 == 1) })
        }
        #expect(weight { side[$0] } == least)
    }
}

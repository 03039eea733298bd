import SSDFCore
import Synchronization
import Testing

@Suite struct ParallelLoopTests {
    @Test(arguments: [0, 1, 2, 63, 64, 65, 1000], [1, 2, 3, 16])
    func visitsEveryIndexOnce(count: Int, threads: Int) {
        for grain in [1, 7, 64, 2000] {
            let visits = Buffer<Int32>(zeros: max(count, 1))
            let target = Unchecked(visits.pointer)
            parallelFor(count, threads: threads, grain: grain) { range in
                #expect(range.count <= grain && range.lowerBound % grain == 0)
                for i in range { target.value[i] += 1 }
            }
            #expect((0..<count).allSatisfy { visits[$0] == 1 })
        }
    }

    @Test func workersAreBelowTheThreadCount() {
        let highest = Atomic<Int>(0)
        parallelFor(
            1000, threads: 3, grain: 1,
            worker: { worker, _ in
                #expect(worker >= 0 && worker < 3)
                highest.max(worker, ordering: .relaxed)
            })
        #expect(highest.load(ordering: .relaxed) < 3)
    }

    @Test(arguments: [1, 2, 5])
    func mapsInOrder(threads: Int) {
        let strings = parallelMap(257, threads: threads, grain: 10) { "\($0)" }
        #expect(strings == (0..<257).map { "\($0)" })
        #expect(parallelMap(0, threads: threads) { $0 }.isEmpty)
    }
}

import Dispatch
import Synchronization

/// Runs `body` over `0..<count` in ranges of at most `grain` indices on up to `threads` threads, and returns when all
/// are done.
///
/// Which thread takes which range is not specified, so a body must write only to places that belong to its own
/// indices; then the result is the same for any number of threads. Ranges depend on `grain` alone.
///
/// - Parameters:
///   - count: number of indices.
///   - threads: upper bound on the threads used, the caller included; 1 runs everything on the caller's thread.
///   - grain: indices per range; small enough that there are many more ranges than threads.
package func parallelFor(
    _ count: Int, threads: Int, grain: Int = 1, _ body: @Sendable (Range<Int>) -> Void
) {
    parallelFor(count, threads: threads, grain: grain) { _, range in body(range) }
}

/// As `parallelFor(_:threads:grain:_:)`, telling the body which worker (`0..<threads`) it runs on, so that a worker
/// can keep scratch memory. A result must not depend on the worker.
package func parallelFor(
    _ count: Int, threads: Int, grain: Int = 1, worker body: @Sendable (_ worker: Int, Range<Int>) -> Void
) {
    precondition(grain > 0 && threads > 0)
    guard count > 0 else { return }
    let ranges = (count + grain - 1) / grain
    let workers = min(threads, ranges)
    guard workers > 1 else {
        var start = 0
        while start < count {
            body(0, start..<min(start + grain, count))
            start += grain
        }
        return
    }
    let next = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: workers) { worker in
        while true {
            let range = next.wrappingAdd(1, ordering: .relaxed).oldValue
            guard range < ranges else { return }
            let start = range * grain
            body(worker, start..<min(start + grain, count))
        }
    }
}

/// The results of `body` for `0..<count`, in order, computed on up to `threads` threads.
package func parallelMap<Result: Sendable>(
    _ count: Int, threads: Int, grain: Int = 1, _ body: @Sendable (Int) -> Result
) -> [Result] {
    [Result](unsafeUninitializedCapacity: count) { storage, initialized in
        let results = Unchecked(storage.baseAddress)
        parallelFor(count, threads: threads, grain: grain) { range in
            for index in range { (results.value! + index).initialize(to: body(index)) }
        }
        initialized = count
    }
}

/// Carries a value into a parallel loop whose iterations are known to touch disjoint parts of it.
package struct Unchecked<Value>: @unchecked Sendable {
    package let value: Value
    @inlinable package init(_ value: Value) { self.value = value }
}

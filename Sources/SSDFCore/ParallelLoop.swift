import CSSDFKernels
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
    runWorkers(workers) { worker in
        while true {
            let range = next.wrappingAdd(1, ordering: .relaxed).oldValue
            guard range < ranges else { return }
            let start = range * grain
            body(worker, start..<min(start + grain, count))
        }
    }
}

/// Both results; the second is computed on another thread where one is free while this one computes the first.
package func concurrently<First, Second: Sendable>(
    threads: Int, _ first: () -> First, _ second: @Sendable () -> Second
) -> (First, Second) {
    withoutActuallyEscaping(first) { first in
        var results: (First?, Second?)
        withUnsafeMutablePointer(to: &results) { results in
            let room = Unchecked((results, first))
            runWorkers(min(threads, 2)) { worker in
                let (results, first) = room.value
                if worker == 0 { results.pointee.0 = first() } else { results.pointee.1 = second() }
            }
        }
        return (results.0!, results.1 ?? second())
    }
}

/// Starts the threads that loops of up to `threads` threads use, so that what they take is taken now.
package func startWorkers(_ threads: Int) { ssdf_start_workers(threads) }

/// Runs `work` for worker 0 on this thread, and for others below `count` on threads that are free.
private func runWorkers(_ count: Int, _ work: @Sendable (Int) -> Void) {
    withoutActuallyEscaping(work) { work in
        var crew = Crew(work: work)
        withUnsafeMutablePointer(to: &crew) { crew in
            ssdf_run_workers(
                count, { $0!.assumingMemoryBound(to: Crew.self).pointee.work($1) }, UnsafeMutableRawPointer(crew))
        }
    }
}

/// A closure where C can hand it on.
private struct Crew {
    let work: @Sendable (Int) -> Void
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
@usableFromInline package struct Unchecked<Value>: @unchecked Sendable {
    /// What is carried.
    @usableFromInline package let value: Value
    /// Vouches that iterations touch disjoint parts of what `value` leads to.
    @inlinable package init(_ value: Value) { self.value = value }
}

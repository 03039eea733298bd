import Synchronization

/// Counts from several threads.
final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    /// The number after this one.
    func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
}

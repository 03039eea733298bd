import Dispatch
import SSDFCore

/// Makes values ahead of their use: while one is in use, the next is made on another thread.
///
/// Used by one thread.
final class Lookahead<Key: Hashable & Sendable, Value: Sendable> {
    private final class Pending: @unchecked Sendable {
        let done = DispatchSemaphore(value: 0)
        var result: Result<Value, any Error>?
    }

    private let make: @Sendable (Key) throws -> Value
    private let queue = DispatchQueue(label: "lookahead")
    private var pending: (key: Key, value: Pending)?

    /// - Parameter make: the value of a key; equal keys make equal values.
    init(_ make: @escaping @Sendable (Key) throws -> Value) { self.make = make }

    /// The value of `key`; begins to make that of `next`.
    func value(_ key: Key, next: Key?) throws -> Value {
        let found: Value
        if let pending, pending.key == key {
            pending.value.done.wait()
            found = try pending.value.result!.get()
        } else {
            found = try make(key)
        }
        pending = nil
        if let next {
            let waiting = Pending()
            let make = make
            queue.async {
                waiting.result = Result { try make(next) }
                waiting.done.signal()
            }
            pending = (next, waiting)
        }
        return found
    }
}

import Foundation
import SSDFCore
import SSDFTraining

/// Threads that talk as the processes of a run do.
final class ThreadProcesses: @unchecked Sendable {
    let count: Int
    private let condition = NSCondition()
    private var arrived = 0
    private var round = 0
    fileprivate var sent: [(base: UnsafeRawPointer?, starts: [Int])]

    init(count: Int) {
        self.count = count
        sent = [(UnsafeRawPointer?, [Int])](repeating: (nil, []), count: count)
    }

    fileprivate func barrier() {
        condition.lock()
        defer { condition.unlock() }
        arrived += 1
        let mine = round
        if arrived == count {
            arrived = 0
            round += 1
            condition.broadcast()
        }
        while round == mine { condition.wait() }
    }

    /// What `body` makes on every one of them.
    func run<Result: Sendable>(_ body: @escaping @Sendable (any ProcessMessages) throws -> Result) throws -> [Result] {
        let results = Results<Result>(count: count)
        var threads: [Thread] = []
        for rank in 0..<count {
            let thread = Thread { results.set(rank, Swift.Result { try body(Messages(processes: self, rank: rank)) }) }
            thread.stackSize = 8 << 20
            thread.start()
            threads.append(thread)
        }
        return try results.wait().map { try $0.get() }
    }

    private struct Messages: ProcessMessages {
        let processes: ThreadProcesses
        let rank: Int
        var count: Int { processes.count }

        func exchange(
            _ send: UnsafeBufferPointer<Float>, sendCounts: [Int], into receive: UnsafeMutableBufferPointer<Float>,
            receiveCounts: [Int]
        ) {
            precondition(sendCounts.reduce(0, +) == send.count && receiveCounts.reduce(0, +) == receive.count)
            processes.sent[rank] = (UnsafeRawPointer(send.baseAddress), sendCounts)
            processes.barrier()
            var next = 0
            for other in 0..<count {
                let counts = processes.sent[other].starts
                precondition(counts[rank] == receiveCounts[other], "both sides count alike")
                let start = counts[..<rank].reduce(0, +)
                if counts[rank] > 0 {
                    let from = processes.sent[other].base! + 4 * start
                    UnsafeMutableRawPointer(receive.baseAddress! + next).copyMemory(
                        from: from, byteCount: 4 * counts[rank])
                }
                next += counts[rank]
            }
            processes.barrier()
        }

        func collect(_ own: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int]) {
            precondition(counts[rank] == own.count && counts.reduce(0, +) == all.count)
            processes.sent[rank] = (own.baseAddress, [])
            processes.barrier()
            var next = 0
            for other in 0..<count {
                if counts[other] > 0 {
                    (all.baseAddress! + next).copyMemory(
                        from: processes.sent[other].base!, byteCount: counts[other])
                }
                next += counts[other]
            }
            processes.barrier()
        }

        func broadcast(_ bytes: UnsafeMutableRawBufferPointer) {
            processes.sent[rank] = (UnsafeRawPointer(bytes.baseAddress), [bytes.count])
            processes.barrier()
            precondition(processes.sent[0].starts == [bytes.count], "as many bytes everywhere")
            if rank > 0, bytes.count > 0 {
                bytes.copyMemory(from: UnsafeRawBufferPointer(start: processes.sent[0].base, count: bytes.count))
            }
            processes.barrier()
        }
    }

    private final class Results<Value: Sendable>: @unchecked Sendable {
        private let condition = NSCondition()
        private var values: [Swift.Result<Value, any Error>?]

        init(count: Int) { values = .init(repeating: nil, count: count) }

        func set(_ index: Int, _ value: Swift.Result<Value, any Error>) {
            condition.lock()
            values[index] = value
            condition.signal()
            condition.unlock()
        }

        func wait() -> [Swift.Result<Value, any Error>] {
            condition.lock()
            defer { condition.unlock() }
            while values.contains(where: { $0 == nil }) { condition.wait() }
            return values.map { $0! }
        }
    }
}

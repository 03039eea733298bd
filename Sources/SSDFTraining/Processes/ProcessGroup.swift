import SSDFCore

/// Several processes that train as one.
///
/// The gradient is added up in the order of ranks, each process adding one slice of it for all: numbers are added in the
/// same order as one process adds those of its micro-batches, whatever the network between the machines does.
package struct ProcessGroup: GradientReduction {
    private let messages: any ProcessMessages

    /// Numbers of a message at most; longer gradients go in pieces, which changes no sum.
    private let pieceLength: Int

    /// The processes that messages go between.
    package init(_ messages: any ProcessMessages, pieceLength: Int = 1 << 24) {
        self.messages = messages
        self.pieceLength = pieceLength
    }

    /// The number of this process, from 0.
    package var rank: Int { messages.rank }
    /// The number of processes.
    package var count: Int { messages.count }

    /// See `GradientReduction`. Memory is that of one more piece.
    package func add(
        _ own: UnsafeBufferPointer<Float>, to total: UnsafeMutableBufferPointer<Float>, isFirst: Bool
    ) {
        precondition(own.count == total.count, "a total of as many numbers")
        for start in stride(from: 0, to: own.count, by: pieceLength) {
            let range = start..<min(start + pieceLength, own.count)
            addPiece(
                UnsafeBufferPointer(rebasing: own[range]), to: UnsafeMutableBufferPointer(rebasing: total[range]),
                isFirst: isFirst)
        }
    }

    private func addPiece(
        _ own: UnsafeBufferPointer<Float>, to total: UnsafeMutableBufferPointer<Float>, isFirst: Bool
    ) {
        // Process p adds up slice p.
        let starts = (0...count).map { own.count * $0 / count }
        let lengths = (0..<count).map { starts[$0 + 1] - starts[$0] }
        let mine = lengths[rank]
        let received = Buffer<Float>(uninitialized: count * mine)
        messages.exchange(
            own, sendCounts: lengths, into: received.unsafeElements,
            receiveCounts: [Int](repeating: mine, count: count))
        let slice = Buffer<Float>(uninitialized: mine)
        let first = total.baseAddress! + starts[rank]
        for process in 0..<count {
            let part = received.pointer + process * mine
            if process == 0, isFirst {
                slice.pointer.update(from: part, count: mine)
            } else {
                let before = process == 0 ? first : slice.pointer
                for index in 0..<mine { slice.pointer[index] = before[index] + part[index] }
            }
        }
        messages.collect(
            UnsafeRawBufferPointer(slice.unsafeElements), into: UnsafeMutableRawBufferPointer(total),
            counts: lengths.map { 4 * $0 })
    }

    /// See `GradientReduction`.
    package func gather(_ own: [Double]) -> [Double] {
        var all = [Double](repeating: 0, count: count * own.count)
        own.withUnsafeBytes { own in
            all.withUnsafeMutableBytes {
                messages.collect(own, into: $0, counts: [Int](repeating: own.count, count: count))
            }
        }
        return all
    }

    /// See `GradientReduction`.
    package func together<Result>(_ body: () throws -> Result) throws -> Result {
        var result: Result?
        var failure: Failure?
        do {
            result = try body()
        } catch let error as Failure {
            failure = error
        } catch {
            failure = Failure(.internal, "\(error)")
        }
        let found = gather([failure.map { Double($0.cause.rawValue) } ?? 0])
        guard let first = found.firstIndex(where: { $0 != 0 }) else { return result! }
        var told = failure ?? Failure(.internal, "")
        let parts = share([told.file, told.place, told.message].joined(separator: "\u{0}"), of: first)
            .split(separator: "\u{0}", omittingEmptySubsequences: false).map(String.init)
        told = Failure(
            Failure.Cause(rawValue: Int32(found[first])) ?? .internal, file: parts[0], place: parts[1], parts[2])
        if count > 1, found.contains(0) { told.message += " (process \(first) of \(count))" }
        throw told
    }

    /// The text of one process, on all.
    private func share(_ text: String, of process: Int) -> String {
        let own = process == rank ? Array(text.utf8) : []
        let lengths = gather([Double(own.count)]).map { Int($0) }
        var all = [UInt8](repeating: 0, count: lengths.reduce(0, +))
        own.withUnsafeBytes { own in
            all.withUnsafeMutableBytes { messages.collect(own, into: $0, counts: lengths) }
        }
        return String(decoding: all, as: UTF8.self)
    }

    /// Refuses processes that differ in something that they must share.
    /// - Parameters:
    ///   - text: of this process.
    ///   - what: it is, for the message.
    package func agree(on text: String, _ what: String) throws {
        let first = share(text, of: 0)
        try together {
            guard text == first else {
                throw Failure.badData("\(what) \(text)", expected: "\(first) as on process 0")
            }
        }
    }

    /// Gives every process the state of process 0.
    package func broadcast(_ state: TrainingState) { state.overwrite(messages.broadcast) }
}

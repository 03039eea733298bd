import SSDFCore
import Synchronization

/// Reuses the storage of tensors, and counts it.
///
/// A tensor's storage comes back when the last tensor that shows it goes away, so a network that runs forward without
/// recording lives in the few buffers that are needed at once. Bytes held never exceed the most that were in use at
/// one time, of a device twice that: before the pool asks the system for more, idle blocks are given back until that
/// holds.
package final class MemoryPool: Sendable {
    private struct State {
        /// Idle blocks by capacity in floats, smallest first; a capacity stays when its last block goes.
        var idle: [(capacity: Int, blocks: [Block])] = []
        var idleBytes = 0
        var usedBytes = 0
        var peakBytes = 0

        /// The first place of a capacity of at least `capacity`.
        func place(of capacity: Int) -> Int {
            var (first, last) = (0, idle.count)
            while first < last {
                let middle = (first + last) / 2
                if idle[middle].capacity < capacity { first = middle + 1 } else { last = middle }
            }
            return first
        }

        /// The smallest idle block of a capacity in the range.
        mutating func take(_ capacities: ClosedRange<Int>) -> Block? {
            var place = place(of: capacities.lowerBound)
            while place < idle.count, idle[place].capacity <= capacities.upperBound {
                if let block = idle[place].blocks.popLast() {
                    idleBytes -= idle[place].capacity * MemoryLayout<Float>.stride
                    return block
                }
                place += 1
            }
            return nil
        }

        /// The largest idle block.
        mutating func takeLargest() -> Block? {
            for place in idle.indices.reversed() {
                guard let block = idle[place].blocks.popLast() else { continue }
                idleBytes -= idle[place].capacity * MemoryLayout<Float>.stride
                return block
            }
            return nil
        }

        mutating func put(_ block: Block) {
            let capacity = block.buffer.count
            let place = place(of: capacity)
            if place == idle.count || idle[place].capacity != capacity { idle.insert((capacity, []), at: place) }
            idle[place].blocks.append(block)
            idleBytes += capacity * MemoryLayout<Float>.stride
        }
    }

    private let state = Mutex(State())
    private let lending: Int
    private let device: DevicePlugin?

    /// A pool without memory.
    /// - Parameter lending: how many times as large as a request a block may be that is lent to it while less is in use
    ///   than was before: so that scratch memory and a smaller sample take what is idle, which costs no fresh pages.
    package init(lending: Int = 1) { (self.lending, device) = (lending, nil) }

    /// A pool without memory, each of whose blocks has its copy on a device from the start: what the device alone works
    /// on is neither sent nor fetched.
    init(of device: DevicePlugin) { (lending, self.device) = (1, device) }

    /// Bytes of the storage that tensors hold now.
    package var usedBytes: Int { state.withLock { $0.usedBytes } }

    /// The most bytes of storage that were in use at one time since the pool was made or `resetPeak` was called.
    package var peakBytes: Int { state.withLock { $0.peakBytes } }

    /// Bytes taken from the system: in use and idle.
    package var heldBytes: Int { state.withLock { $0.usedBytes + $0.idleBytes } }

    /// Starts a new measurement of `peakBytes`.
    package func resetPeak() { state.withLock { $0.peakBytes = $0.usedBytes } }

    /// Gives all idle blocks back to the system.
    package func trim() {
        state.withLock {
            $0.idle = []
            $0.idleBytes = 0
        }
    }

    /// Storage for at least `count` floats with unspecified contents.
    package func take(_ count: Int) -> Storage {
        let block = block(Self.capacity(of: count))
        if let device { _ = block.mirrored(by: device) }
        block.mirror?.forget()
        return Storage(block: block, count: count, pool: self)
    }

    /// The most bytes to hold where `peak` were in use at one time. Steps of a training run ask for the same sizes again
    /// and again, the last ones not those of the first: a device with room keeps them all.
    private func limit(_ peak: Int) -> Int {
        guard let device else { return peak }
        return max(peak, min(2 * peak, device.memory / 2))
    }

    /// Sizes are rounded up to eighths of a power of two, so that nearly equal requests share blocks.
    private static func capacity(of count: Int) -> Int {
        guard count > 64 else { return 64 }
        let step = 1 << max(Int.bitWidth - (count - 1).leadingZeroBitCount - 4, 4)
        return (count + step - 1) / step * step
    }

    private func block(_ capacity: Int) -> Block {
        let bytes = capacity * MemoryLayout<Float>.stride
        let reused = state.withLock { state -> Block? in
            state.usedBytes += bytes
            state.peakBytes = max(state.peakBytes, state.usedBytes)
            // A block half as large again is lent rather than given back: fresh pages must be cleared first.
            if let block = state.take(capacity...max(capacity, capacity / 2 * 3)) {
                state.usedBytes += block.buffer.count * MemoryLayout<Float>.stride - bytes
                state.peakBytes = max(state.peakBytes, state.usedBytes)
                return block
            }
            let spare = (state.peakBytes - state.usedBytes + bytes) / MemoryLayout<Float>.stride
            let most = min(capacity * lending, spare)
            if most > capacity, let block = state.take(capacity...most) {
                state.usedBytes += block.buffer.count * MemoryLayout<Float>.stride - bytes
                return block
            }
            // The smallest idle block that makes room enough goes, so that a small request does not cost a large block;
            // the largest where none does.
            let limit = limit(state.peakBytes)
            while state.usedBytes + state.idleBytes > limit {
                let excess = state.usedBytes + state.idleBytes - limit
                let count = (excess + MemoryLayout<Float>.stride - 1) / MemoryLayout<Float>.stride
                guard (state.take(count...Int.max) ?? state.takeLargest()) != nil else { break }
            }
            return nil
        }
        return reused ?? Block(capacity)
    }

    fileprivate func takeBack(_ block: Block) {
        let bytes = block.buffer.count * MemoryLayout<Float>.stride
        state.withLock {
            $0.usedBytes -= bytes
            $0.put(block)
        }
    }
}

/// Memory that moves between a pool and the tensors that use it.
///
/// The copy on a device is made by the thread that runs operations there, before other threads see the block.
final class Block: @unchecked Sendable {
    let buffer: Buffer<Float>
    /// The same elements in a device's memory, once an operation there has used them.
    private(set) var mirror: DeviceMirror?

    init(_ count: Int) { buffer = Buffer(uninitialized: count) }

    /// The copy on the device, made when first asked for.
    func mirrored(by plugin: DevicePlugin) -> DeviceMirror {
        if let mirror { return mirror }
        let made = DeviceMirror(of: self, plugin)
        mirror = made
        return made
    }
}

/// The memory behind one or more tensors; it returns to its pool when the last of them goes away.
///
/// Its contents are written by the operation that made it, before anyone else sees it, and only read afterwards;
/// an optimiser's step is the exception, and runs while no operation does.
package final class Storage: @unchecked Sendable {
    let block: Block
    /// Elements that were asked for.
    let count: Int
    private let pool: MemoryPool?
    /// A form of these weights that a product library works with, made when first needed.
    private let derived = Mutex<(any Sendable)?>(nil)

    fileprivate init(block: Block, count: Int, pool: MemoryPool) {
        self.block = block
        self.count = count
        self.pool = pool
    }

    /// Storage of its own, for weights and inputs, which no pool should count.
    package init(unpooled count: Int) {
        block = Block(max(count, 1))
        self.count = count
        pool = nil
    }

    /// The memory of another storage that no pool counts, with derived forms of its own.
    init(sharing other: Storage) {
        precondition(other.pool == nil, "a pool would lend the memory again")
        block = other.block
        count = other.count
        pool = nil
    }

    /// The elements, to read and write. Where a device has newer ones they are fetched first.
    package var pointer: UnsafeMutablePointer<Float> {
        if let mirror = block.mirror { mirror.lend(block, toWrite: true) }
        return block.buffer.pointer
    }

    /// The elements, to read.
    var constantPointer: UnsafePointer<Float> {
        if let mirror = block.mirror { mirror.lend(block, toWrite: false) }
        return UnsafePointer(block.buffer.pointer)
    }

    /// What `make` makes from the contents, kept until they change.
    func derived<Form: Sendable>(_ make: () -> Form) -> Form {
        derived.withLock {
            if let form = $0 as? Form { return form }
            let form = make()
            $0 = form
            return form
        }
    }

    /// Says that the contents have been written again.
    package func noteChange() { derived.withLock { $0 = nil } }

    deinit { pool?.takeBack(block) }
}

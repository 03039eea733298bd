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
        /// Idle blocks by capacity, in floats.
        var idle: [Int: [Block]] = [:]
        var idleBytes = 0
        var usedBytes = 0
        var peakBytes = 0
    }

    private let state = Mutex(State())
    private let device: DevicePlugin?

    /// A pool without memory.
    package init() { device = nil }

    /// A pool without memory, each of whose blocks has its copy on a device from the start: what the device alone works
    /// on is neither sent nor fetched.
    init(of device: DevicePlugin) { self.device = device }

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
            $0.idle = [:]
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
            if let block = state.idle[capacity]?.popLast() {
                state.idleBytes -= bytes
                return block
            }
            // A block half as large again is lent rather than given back: fresh pages must be cleared first.
            let fitting = state.idle.lazy.filter {
                $0.key > capacity && $0.key <= capacity / 2 * 3 && !$0.value.isEmpty
            }
            if let size = fitting.map(\.key).min(), let block = state.idle[size]!.popLast() {
                let larger = size * MemoryLayout<Float>.stride
                state.idleBytes -= larger
                state.usedBytes += larger - bytes
                state.peakBytes = max(state.peakBytes, state.usedBytes)
                return block
            }
            // The smallest idle block that makes room enough goes, so that a small request does not cost a large block;
            // the largest where none does.
            let limit = limit(state.peakBytes)
            while state.usedBytes + state.idleBytes > limit {
                let excess = state.usedBytes + state.idleBytes - limit
                let sizes = state.idle.lazy.filter { !$0.value.isEmpty }.map(\.key)
                let enough = sizes.filter { $0 * MemoryLayout<Float>.stride >= excess }.min()
                guard let size = enough ?? sizes.max() else { break }
                state.idle[size]!.removeLast()
                state.idleBytes -= size * MemoryLayout<Float>.stride
            }
            return nil
        }
        return reused ?? Block(capacity)
    }

    fileprivate func takeBack(_ block: Block) {
        let bytes = block.buffer.count * MemoryLayout<Float>.stride
        state.withLock {
            $0.usedBytes -= bytes
            $0.idleBytes += bytes
            $0.idle[block.buffer.count, default: []].append(block)
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

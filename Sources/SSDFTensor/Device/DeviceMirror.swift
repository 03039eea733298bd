import SSDFCore
import Synchronization

/// The copy of a block in a device's memory, and which of the two holds the elements.
///
/// Host and device never work on a block at the same time: an operation has returned before its results are read. So it
/// is enough that each access first brings its side up to date. Transfers are rare: results stay where they were made
/// until the other side asks for them.
final class DeviceMirror: DeviceMemory, @unchecked Sendable {
    private enum Holder: UInt8 {
        /// The block has been taken and not written.
        case none
        case host
        case device
        case both
    }

    private let holder: Atomic<UInt8>
    private let changes = Mutex<Void>(())

    init(of block: Block, _ plugin: DevicePlugin) {
        holder = Atomic(Holder.host.rawValue)
        super.init(plugin, bytes: block.buffer.count * MemoryLayout<Float>.stride)
    }

    private var state: Holder {
        get { Holder(rawValue: holder.load(ordering: .acquiring))! }
        set { holder.store(newValue.rawValue, ordering: .releasing) }
    }

    /// The elements no longer matter: the block goes to another tensor.
    func forget() { state = .none }

    /// Makes the host's elements the current ones, and with `toWrite` the only ones.
    func lend(_ block: Block, toWrite: Bool) {
        let now = state
        if now == .host || now == .both && !toWrite { return }
        changes.withLock { _ in
            if state == .device { plugin.download(address, to: block.buffer.pointer, bytes: bytes) }
            state = toWrite || state == .none ? .host : state == .host ? .host : .both
        }
    }

    /// The device's elements, up to date.
    func read(_ block: Block) -> UnsafeMutablePointer<Float> {
        if state == .host {
            plugin.upload(block.buffer.pointer, to: address, bytes: bytes)
            state = .both
        }
        return address.assumingMemoryBound(to: Float.self)
    }

    /// The device's elements, about to be written: all of them, or some, so that the others must be there.
    func write(_ block: Block, all: Bool) -> UnsafeMutablePointer<Float> {
        if !all, state == .host { plugin.upload(block.buffer.pointer, to: address, bytes: bytes) }
        state = .device
        return address.assumingMemoryBound(to: Float.self)
    }
}

extension Tensor {
    /// Sends the elements to a device now, rather than when an operation there first reads them; on any thread.
    package func send(to device: DevicePlugin) { _ = read(by: device) }

    /// The elements in the device's memory, to be read there.
    func read(by plugin: DevicePlugin) -> UnsafePointer<Float> {
        UnsafePointer(storage.block.mirrored(by: plugin).read(storage.block) + offset)
    }

    /// The elements in the device's memory, to be written there.
    /// - Parameter keeping: they are read too.
    func write(by plugin: DevicePlugin, keeping: Bool = false) -> UnsafeMutablePointer<Float> {
        let mirror = storage.block.mirrored(by: plugin)
        if keeping { _ = mirror.read(storage.block) }
        return mirror.write(storage.block, all: offset == 0 && count >= storage.count) + offset
    }
}

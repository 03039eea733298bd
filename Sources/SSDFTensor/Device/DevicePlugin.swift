import CSSDFKernels
import SSDFCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A shared library that runs operations on another processor, by the interface of ssdf_device.h.
///
/// Its operations are called from one thread at a time. Memory and transfers may be asked for by any.
package final class DevicePlugin: Sendable {
    private let shared: Unchecked<UnsafePointer<ssdf_device>>
    private let transfers = Mutex<Void>(())

    /// Loads the library; it stays loaded.
    /// - Throws: `unavailable` when it cannot be loaded, is of another interface, or finds no device.
    package init(path: String) throws(Failure) {
        // dlopen searches for a name without a slash in the system's folders, but a path is meant.
        let file = path.contains("/") ? path : "./\(path)"
        guard let library = dlopen(file, RTLD_NOW | RTLD_LOCAL) else {
            throw Failure(.unavailable, file: path, "cannot load the plug-in: \(String(cString: dlerror()))")
        }
        guard let symbol = dlsym(library, "ssdf_device_open") else {
            throw Failure(.unavailable, file: path, "is no plug-in: it has no function ssdf_device_open")
        }
        let open = unsafeBitCast(symbol, to: ssdf_device_opener.self)
        var message = [CChar](repeating: 0, count: 512)
        guard
            let table = open(SSDF_DEVICE_INTERFACE, { ssdf_end_with_device($0) }, &message, message.count)
        else {
            let reason = message.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
            throw Failure(.unavailable, file: path, "cannot use the device: \(reason)")
        }
        shared = Unchecked(table)
    }

    /// The functions.
    var table: UnsafePointer<ssdf_device> { shared.value }

    /// What the device calls itself.
    package var name: String {
        withUnsafePointer(to: table.pointee.name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
    }

    /// Bytes of its memory that were free when it was opened.
    package var memory: Int { table.pointee.memory }

    /// What has been done: launches of work, transfers to and from the device, and their bytes.
    package struct Counts: Sendable {
        package var launches = 0, uploads = 0, uploaded = 0, downloads = 0, downloaded = 0

        package init() {}

        package func since(_ start: Counts) -> Counts {
            var result = self
            result.launches -= start.launches
            result.uploads -= start.uploads
            result.uploaded -= start.uploaded
            result.downloads -= start.downloads
            result.downloaded -= start.downloaded
            return result
        }
    }

    package var counts: Counts {
        var counts = Counts()
        counts.launches = table.pointee.launches
        counts.uploads = table.pointee.uploads
        counts.uploaded = table.pointee.uploaded
        counts.downloads = table.pointee.downloads
        counts.downloaded = table.pointee.downloaded
        return counts
    }

    /// Whether products may round their operands to TF32: ten bits of fraction, on the fast units.
    package func allowRounding(_ allowed: Bool) { table.pointee.set_rounding(allowed ? 1 : 0) }

    /// Waits until all operations are done.
    package func finish() { transfers.withLock { _ in table.pointee.finish() } }

    func upload(_ host: UnsafeRawPointer, to device: UnsafeMutableRawPointer, bytes: Int) {
        transfers.withLock { _ in table.pointee.upload(device, host, bytes) }
    }

    func download(_ device: UnsafeRawPointer, to host: UnsafeMutableRawPointer, bytes: Int) {
        transfers.withLock { _ in table.pointee.download(host, device, bytes) }
    }
}

/// Memory of a device, given back with its owner.
class DeviceMemory: @unchecked Sendable {
    let plugin: DevicePlugin
    let bytes: Int
    let address: UnsafeMutableRawPointer

    init(_ plugin: DevicePlugin, bytes: Int) {
        self.plugin = plugin
        self.bytes = bytes
        address = plugin.table.pointee.allocate(bytes)
    }

    deinit { plugin.table.pointee.release(address, bytes) }
}

/// Numbers that operations on a device look rows up in.
final class DeviceArray: DeviceMemory, @unchecked Sendable {
    /// A copy of `count` elements.
    convenience init<Element: BitwiseCopyable>(
        _ plugin: DevicePlugin, _ elements: UnsafePointer<Element>, count: Int
    ) {
        self.init(plugin, bytes: count * MemoryLayout<Element>.stride)
        if count > 0 { plugin.upload(elements, to: address, bytes: bytes) }
    }

    convenience init<Element: BitwiseCopyable>(_ plugin: DevicePlugin, _ elements: [Element]) {
        self.init(plugin, bytes: elements.count * MemoryLayout<Element>.stride)
        elements.withUnsafeBytes {
            if let base = $0.baseAddress, $0.count > 0 { plugin.upload(base, to: address, bytes: bytes) }
        }
    }

    func pointer<Element>(_ type: Element.Type = Element.self) -> UnsafeMutablePointer<Element> {
        address.assumingMemoryBound(to: type)
    }

    func read(into target: UnsafeMutablePointer<Int32>, count: Int) {
        plugin.download(address, to: target, bytes: count * MemoryLayout<Int32>.stride)
    }
}

/// What a device needs of an object that does not change, made when first needed and kept as long as the object.
final class DeviceForm: Sendable {
    private let value = Mutex<(any Sendable)?>(nil)

    func get<Form: Sendable>(_ make: () -> Form) -> Form {
        value.withLock {
            if let form = $0 as? Form { return form }
            let form = make()
            $0 = form
            return form
        }
    }

    func known<Form: Sendable>() -> Form? { value.withLock { $0 as? Form } }
}

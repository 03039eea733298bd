import SSDFCore
import SSDFTensor

/// One tensor of a checkpoint: its name, and which bytes of which storage it is a view of.
package struct CheckpointTensor: Sendable {
    /// The keys that lead to it, outermost first.
    package var path: [String]
    /// Type of its elements.
    package var type: ElementType
    /// Sides, outermost first; none for a single number.
    package var shape: [Int]
    /// Which of the checkpoint's storages; several tensors may share one.
    var storage: Int
    /// First element, in elements from the start of the storage.
    var offset: Int
    /// Distance between neighbours along each side, in elements; 0 repeats one.
    var strides: [Int]

    /// The keys joined by dots.
    package var name: String { path.joined(separator: ".") }

    /// Number of elements.
    package var elementCount: Int { shape.reduce(1, *) }
}

/// A checkpoint as `torch.save` writes it, mapped: a zip archive of a pickle, which names and shapes the tensors, and
/// of their bytes.
///
/// Opening it reads the directory and the pickle and checks that every tensor lies within its storage. Nothing in the
/// file is executed.
///
/// Source: the serialisation notes of PyTorch; SPEC §15 for the layout of released models.
package final class CheckpointFile {
    private let file: FileBytes
    private let storages: [ZipArchive.Entry]
    /// All tensors, in the order of the pickle.
    package let tensors: [CheckpointTensor]
    /// What else the pickle holds: the path and what is there, as in "epoch: an int".
    package let others: [String]
    private var inflated = Buffer<UInt8>(uninitialized: 0)
    private var inflatedStorage = -1
    private var checked: Set<Int> = []

    /// Opens a checkpoint.
    /// - Throws: `noInput` when it cannot be opened; `badData` when it is damaged, of another format (said by name), or
    ///   holds what this reader refuses.
    package convenience init(path: String) throws(Failure) {
        try self.init(FileBytes(path: path))
    }

    /// As `init(path:)`, for a file that is open already.
    package init(_ file: consuming FileBytes) throws(Failure) {
        let content = try contentOfCheckpoint(file.bytes, name: file.name)
        self.file = file
        storages = content.storages
        tensors = content.tensors
        others = content.others
    }

    /// The file as the person named it.
    package var name: String { file.name }

    /// Length of the file in bytes.
    package var byteCount: Int { file.bytes.count }

    /// Bytes of the largest storage that is compressed: one at a time is in memory.
    package var unpackedBytes: Int { storages.reduce(0) { max($0, $1.method == .stored ? 0 : $1.size) } }

    /// Hands a tensor's bytes to `body`, row-major and contiguous, in pieces of whole elements.
    ///
    /// The first use of a storage checks its checksum. Contiguous tensors are handed over where they lie in the file;
    /// others are gathered through a buffer of `pieceSize` bytes. Pages that were handed over are given back, so memory
    /// does not grow with the file.
    /// - Throws: `badData` when the storage is damaged; what `body` throws.
    package func forEachPiece(
        of tensor: CheckpointTensor, pieceSize: Int = 1 << 20, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let entry = storages[tensor.storage]
        do {
            if entry.method == .stored {
                let bytes = ZipArchive.storedBytes(of: entry, in: file.bytes)
                if checked.insert(tensor.storage).inserted { try check(entry, bytes) }
                try gather(tensor, from: bytes, pieceSize: pieceSize) { (piece) throws(Failure) in
                    try body(piece)
                    forget(piece)
                }
                forget(bytes)
            } else {
                if inflatedStorage != tensor.storage {
                    inflatedStorage = -1
                    inflated = try ZipArchive.inflate(entry, in: file.bytes)
                    inflatedStorage = tensor.storage
                }
                let bytes = UnsafeRawBufferPointer(inflated.unsafeElements)
                try gather(tensor, from: bytes, pieceSize: pieceSize, body)
            }
        } catch {
            throw error.inFile(name)
        }
    }

    /// Compares a stored member with its checksum, part by part.
    private func check(_ entry: ZipArchive.Entry, _ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var checksum = ZipChecksum()
        var position = 0
        while position < bytes.count {
            let end = min(position + largestPiece, bytes.count)
            let part = UnsafeRawBufferPointer(rebasing: bytes[position..<end])
            checksum.update(part)
            forget(part)
            position = end
        }
        try checksum.compare(with: entry)
    }

    /// Gives back the pages of a part of the file; a part of something else is left alone.
    private func forget(_ part: UnsafeRawBufferPointer) {
        guard let base = file.bytes.baseAddress, let start = part.baseAddress, start >= base,
            start + part.count <= base + file.bytes.count
        else { return }
        file.forget(start - base..<start - base + part.count)
    }
}

private typealias CheckpointContent = (storages: [ZipArchive.Entry], tensors: [CheckpointTensor], others: [String])

private func contentOfCheckpoint(
    _ bytes: UnsafeRawBufferPointer, name: String
) throws(Failure) -> CheckpointContent {
    do {
        return try parseCheckpoint(bytes)
    } catch {
        throw error.inFile(name)
    }
}

private func parseCheckpoint(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> CheckpointContent {
    try refuseOtherFormats(bytes)
    let archive = try ZipArchive(bytes)
    let prefix = try prefixOfCheckpoint(archive)
    try checkByteOrder(archive, prefix: prefix, in: bytes)
    guard let pickle = archive[prefix + "data.pkl"], pickle.size <= PickleInterpreter.maximumLength else {
        throw .badData("a pickle of too many bytes", expected: "at most \(PickleInterpreter.maximumLength)")
    }
    let unpacked: Buffer<UInt8>
    let program: UnsafeRawBufferPointer
    if pickle.method == .deflated {
        unpacked = try ZipArchive.inflate(pickle, in: bytes, limit: PickleInterpreter.maximumLength)
        program = UnsafeRawBufferPointer(unpacked.unsafeElements)
    } else {
        unpacked = Buffer(uninitialized: 0)
        program = ZipArchive.storedBytes(of: pickle, in: bytes)
        try ZipArchive.check(pickle, program)
    }
    var interpreter = try PickleInterpreter(program)
    let root = try interpreter.run()
    _ = consume unpacked
    var storages: [ZipArchive.Entry] = []
    for storage in interpreter.storages { storages.append(try entry(of: storage, archive, prefix: prefix)) }
    var collector = CheckpointCollector(interpreter)
    try collector.collect(root)
    for tensor in collector.tensors { try checkBounds(tensor, storageSize: storages[tensor.storage].size) }
    return (storages, collector.tensors, collector.others)
}

/// Names the formats that people mistake for a checkpoint of today.
private func refuseOtherFormats(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    let hint = "expected the zip format that torch.save writes since PyTorch 1.6: load it there and save it again"
    let legacy: [UInt8] = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]
    if bytes.starts(with: legacy) {
        throw Failure(.badData, "a checkpoint in the format of PyTorch before 1.6 (a bare pickle), \(hint)")
    }
    if bytes.count > 262, bytes[257..<262].elementsEqual("ustar".utf8) {
        throw Failure(.badData, "a tar archive, the format of PyTorch before 0.2, \(hint)")
    }
    if bytes.count > 8, bytes[8] == UInt8(ascii: "{"), (try? SafetensorsHeader(bytes)) != nil {
        throw Failure(.badData, "a safetensors file, expected a checkpoint of torch.save")
    }
    guard bytes.starts(with: "PK".utf8) else {
        throw Failure(.badData, "not a zip archive, \(hint)")
    }
}

/// The folder inside the archive, with its slash. Its name is whatever the file was called when it was saved.
private func prefixOfCheckpoint(_ archive: ZipArchive) throws(Failure) -> String {
    var prefixes: [String] = []
    for entry in archive.entries {
        if entry.name.hasSuffix("/constants.pkl") || entry.name == "constants.pkl" {
            throw Failure(
                .badData,
                "a TorchScript archive, which holds a program; expected a state dictionary saved by torch.save")
        }
        if entry.name.hasSuffix("/data.pkl") || entry.name == "data.pkl" {
            prefixes.append(String(entry.name.dropLast("data.pkl".count)))
        }
    }
    guard prefixes.count == 1 else {
        throw .badData(
            "\(prefixes.count) members named data.pkl in the archive", expected: "one: a checkpoint of torch.save")
    }
    return prefixes[0]
}

private func checkByteOrder(
    _ archive: ZipArchive, prefix: String, in bytes: UnsafeRawBufferPointer
) throws(Failure) {
    guard let entry = archive[prefix + "byteorder"] else { return }
    let isLittle: Bool
    if entry.method == .deflated {
        let content = try ZipArchive.inflate(entry, in: bytes, limit: 64)
        isLittle = content.unsafeElements.elementsEqual("little".utf8)
    } else {
        isLittle = ZipArchive.storedBytes(of: entry, in: bytes).elementsEqual("little".utf8)
    }
    guard isLittle else {
        throw .badData(
            place: "zip member \"\(entry.name)\"", "a checkpoint of a big-endian machine", expected: "little-endian")
    }
}

/// The archive's member of a storage, which must be exactly as long as the pickle says.
private func entry(
    of storage: PickleStorage, _ archive: ZipArchive, prefix: String
) throws(Failure) -> ZipArchive.Entry {
    guard let entry = archive["\(prefix)data/\(storage.key)"] else {
        throw .badData(
            "no member \"\(prefix)data/\(storage.key)\" in the archive", expected: "the storage the pickle names")
    }
    let (size, overflow) = storage.count.multipliedReportingOverflow(by: storage.type?.byteCount ?? 1)
    guard !overflow, size == entry.size else {
        throw .badData(
            place: "zip member \"\(entry.name)\"", "\(entry.size) bytes",
            expected: "\(storage.count) elements of \(storage.type?.rawValue ?? "one byte"), as the pickle says")
    }
    return entry
}

/// A tensor's last element must lie within its storage.
private func checkBounds(_ tensor: CheckpointTensor, storageSize: Int) throws(Failure) {
    guard let count = tensor.type.elementCount(of: tensor.shape) else {
        throw .badData(
            place: "tensor \"\(tensor.name)\"", "shape \(tensor.shape) is larger than any file",
            expected: "a size below 2^63 bytes")
    }
    if count == 0 { return }
    let available = storageSize / tensor.type.byteCount
    var last = tensor.offset
    var fits = last < available
    for (side, stride) in zip(tensor.shape, tensor.strides) {
        let (reach, overflow) = (side - 1).multipliedReportingOverflow(by: stride)
        let (sum, carry) = last.addingReportingOverflow(reach)
        fits = fits && !overflow && !carry && sum < available
        last = sum
    }
    guard fits else {
        throw .badData(
            place: "tensor \"\(tensor.name)\"",
            "size \(tensor.shape), stride \(tensor.strides), offset \(tensor.offset)",
            expected: "a view of its storage of \(available) elements")
    }
}

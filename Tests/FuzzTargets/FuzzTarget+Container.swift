import CSSDFKernels
import SSDFCore
import SSDFVolume

/// Reads the file as one that can seek and as a stream; what both accept they must read alike, and must read again after
/// being written. Once as it is, once with its checksums put right, so that mutations reach what checksums guard.
func fuzzContainer(_ bytes: UnsafeRawBufferPointer) {
    readContainer(bytes)
    var mended = Array(bytes)
    mendChecksums(&mended)
    if !mended.elementsEqual(bytes) { mended.withUnsafeBytes(readContainer) }
}

private func readContainer(_ bytes: UnsafeRawBufferPointer) {
    readStream(bytes)
    guard let file = try? VolumeFile(FileBytes(copying: bytes, name: "input")) else { return }
    for grid in file.grids {
        guard let volume = try? file.read(grid, threads: 1) else { continue }
        guard let other = try? file.read(grid, threads: 2), other.activeCount == volume.activeCount,
            other.brickCount == volume.brickCount
        else { preconditionFailure("two threads read another volume than one") }
        var copy: [UInt8] = []
        do {
            try writeVolume(volume, options: VolumeWriteOptions(codec: .none)) { piece throws(Failure) in copy += piece
            }
        } catch {
            preconditionFailure("what was read cannot be written: \(error)")
        }
        copy.withUnsafeBytes { bytes in
            guard let again = try? VolumeFile(FileBytes(copying: bytes, name: "copy")), let first = again.grids.first,
                let same = try? again.read(first, threads: 1)
            else { preconditionFailure("what was written cannot be read") }
            precondition(same.activeCount == volume.activeCount && first.metadata == grid.metadata)
        }
    }
}

private func readStream(_ bytes: UnsafeRawBufferPointer) {
    var position = 0
    let source: ByteSource = { room in
        // Odd amounts, as from a pipe.
        let count = min(room.count, bytes.count - position, 1000)
        room.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[position..<position + count]))
        position += count
        return count
    }
    guard var stream = try? VolumeStream(source) else { return }
    while true {
        do throws(Failure) {
            guard let event = try stream.next() else { return }
            switch event {
            case .bricks(let volume): precondition(volume.activeCount >= volume.brickCount)
            case .gridStart(let header): precondition(header.metadata.channels > 0)
            case .gridEnd: continue
            case .ancillary(let chunk): precondition(!chunk.type.isCritical)
            }
        } catch {
            return
        }
    }
}

/// Follows the chunks from the front and corrects the checksum of each.
private func mendChecksums(_ file: inout [UInt8]) {
    var offset = ContainerFormat.signature.count
    while offset + ContainerFormat.chunkOverhead <= file.count {
        let size = file.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self) }
        let end = offset + ContainerFormat.chunkHeaderSize
        guard let count = Int(exactly: size), count <= file.count - offset - ContainerFormat.chunkOverhead else {
            return
        }
        let sum = file.withUnsafeBufferPointer { ssdf_crc32(0, $0.baseAddress! + offset, end + count - offset) }
        withUnsafeBytes(of: sum.littleEndian) { file.replaceSubrange(end + count..<end + count + 4, with: $0) }
        offset += count + ContainerFormat.chunkOverhead
    }
}

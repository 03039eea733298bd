import SSDFCore

/// What a container holds and which rules it breaks.
package struct VolumeReport: Sendable, Equatable {
    /// One grid, as counted rather than as claimed.
    package struct Grid: Sendable, Equatable {
        /// What the grid says of itself, and how it is stored.
        package var header: GridHeader
        /// What was counted in its groups.
        package var totals: GridTotals
        /// The chunks inside the grid that this version does not know.
        package var ancillaryChunks: [AncillaryChunk]

        /// What the grid says of itself.
        package var metadata: GridMetadata { header.metadata }
        /// Bytes that positions, masks and values take without any coding.
        package var rawBytes: Int {
            totals.brickCount * (12 + 64) + totals.activeCount * metadata.channels * header.dtype.size
        }
        /// Bytes in the file.
        package var storedBytes: Int { totals.storedBytes }
        /// Bytes in the file for each active voxel; 0 when there is none.
        package var bytesPerActiveVoxel: Double {
            totals.activeCount == 0 ? 0 : Double(storedBytes) / Double(totals.activeCount)
        }
    }

    /// Length of the file in bytes.
    package var byteCount = 0
    /// The grids that could be told apart, in the file's order.
    package var grids: [Grid] = []
    /// The chunks outside of grids that this version does not know.
    package var ancillaryChunks: [AncillaryChunk] = []
    /// Every rule that was found broken, in the order of the file.
    package var problems: [Failure] = []

    /// Holds the whole of a container to every rule of ssdf(5): each checksum, each group decoded, the totals and the
    /// index against what is there. Goes on after a broken rule where the rest can still be told apart.
    /// - Throws: `noInput` or `inputOutput` when the file cannot be read; broken rules are no failure here.
    /// - Complexity: O(file and active voxels); memory of one group besides the file.
    package init(checking file: borrowing FileBytes) {
        byteCount = file.bytes.count
        do throws(Failure) {
            try checkSignature(file.bytes)
            walkChunks(of: file.bytes)
        } catch {
            problems.append(error)
        }
        problems = problems.map { $0.inFile(file.name) }
    }

    /// What the headers and totals of an open container say; its bricks are not read.
    package init(describing file: borrowing VolumeFile) {
        byteCount = file.byteCount
        ancillaryChunks = file.ancillaryChunks
        grids = file.grids.map { Grid(header: $0.header, totals: $0.totals, ancillaryChunks: $0.ancillaryChunks) }
    }

    private mutating func walkChunks(of bytes: UnsafeRawBufferPointer) {
        var walk = ContainerWalk()
        var current: Grid?
        while !walk.isComplete, walk.offset < bytes.count {
            let chunk: Chunk
            do throws(Failure) {
                chunk = try Chunk(of: bytes, at: walk.offset)
            } catch {
                problems.append(error)
                // With a sound length the next chunk can be found, whatever else is wrong with this one.
                guard let size = Self.chunkSize(of: bytes, at: walk.offset) else { return }
                walk.skip(size)
                continue
            }
            do throws(Failure) {
                switch try walk.take(chunk) {
                case .gridStart(let header):
                    current = Grid(header: header, totals: GridTotals(), ancillaryChunks: [])
                case .group(let entry):
                    guard let decoder = walk.decoder, let metadata = walk.header?.metadata else { break }
                    let volume = try decodeGroup(chunk, entry, decoder, metadata)
                    try walk.didDecode(volume, chunk: chunk)
                case .gridEnd(let totals):
                    current?.totals = totals
                    if let grid = current { grids.append(grid) }
                    current = nil
                case .ancillary(let ancillary):
                    if current == nil { ancillaryChunks.append(ancillary) }
                    current?.ancillaryChunks.append(ancillary)
                case .index, .fileEnd: break
                }
            } catch {
                problems.append(error)
            }
        }
        if !walk.isComplete {
            problems.append(
                .badData(place: "byte \(bytes.count)", "the file ends", expected: "a trailer: the file is cut short"))
        } else if walk.offset < bytes.count {
            problems.append(
                .badData(
                    place: "byte \(walk.offset)", "\(bytes.count - walk.offset) bytes follow the trailer",
                    expected: "none"))
        }
    }

    private static func chunkSize(of bytes: UnsafeRawBufferPointer, at offset: Int) -> Int? {
        guard offset + ContainerFormat.chunkOverhead <= bytes.count else { return nil }
        let start = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + ContainerFormat.chunkHeaderSize])
        var header: ChunkHeader?
        do throws(Failure) { header = try ChunkHeader(decoding: start, place: "") } catch { return nil }
        guard let size = header?.payloadSize, size <= bytes.count - offset - ContainerFormat.chunkOverhead else {
            return nil
        }
        return size + ContainerFormat.chunkOverhead
    }
}

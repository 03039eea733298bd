import SSDFCore

/// One array of an .npy file, or of a member of an .npz archive.
struct NumpyArray: @unchecked Sendable {
    let name: String
    let header: NumpyHeader
    /// The numbers; in the file, or in memory that `owner` keeps.
    private let data: UnsafeRawBufferPointer
    private let owner: UnpackedBytes?

    /// - Parameter bytes: a whole .npy file; must outlive the array when there is no owner.
    /// - Throws: `badData` when it is none.
    init(_ bytes: UnsafeRawBufferPointer, name: String, owner: UnpackedBytes? = nil) throws(Failure) {
        self.name = name
        self.owner = owner
        var offset = 0
        do throws(Failure) {
            header = try NumpyHeader(bytes, dataOffset: &offset)
        } catch {
            throw Failure(error.cause, place: "array \"\(name)\"", "\(error)")
        }
        data = UnsafeRawBufferPointer(rebasing: bytes[offset...])
    }

    var shape: [Int] { header.shape }

    /// The numbers, or nil when it is text. Of an array without any, nothing may be read.
    var scalars: ScalarRun? {
        guard case .scalar(let type, let isBig) = header.element else { return nil }
        return ScalarRun(base: data.baseAddress ?? UnsafeRawPointer(bitPattern: 64)!, type: type, isBigEndian: isBig)
    }

    /// Numbers between neighbours along each index.
    var strides: [Int] {
        var strides = [Int](repeating: 1, count: shape.count)
        if header.isFortran {
            for index in shape.indices.dropFirst() { strides[index] = strides[index - 1] * shape[index - 1] }
        } else {
            for index in shape.indices.dropLast().reversed() { strides[index] = strides[index + 1] * shape[index + 1] }
        }
        return strides
    }

    /// The texts of an array of texts, in C order; nil when it is none.
    /// - Throws: `badData` when a code point is none.
    func texts() throws(Failure) -> [String]? {
        guard case .text(let length) = header.element, shape.count <= 1 else { return nil }
        var texts: [String] = []
        for index in 0..<header.count {
            var scalars = String.UnicodeScalarView()
            for position in 0..<length {
                let code = UInt32(
                    littleEndian: data.loadUnaligned(fromByteOffset: (index * length + position) * 4, as: UInt32.self))
                if code == 0 { break }
                guard let scalar = Unicode.Scalar(code) else {
                    throw .badData(place: "array \"\(name)\"", "code point \(code)", expected: "Unicode")
                }
                scalars.append(scalar)
            }
            texts.append(String(scalars))
        }
        return texts
    }

    /// The value as the metadata of a grid knows it, of the type that `wish` has; nil when it has another.
    func field(like wish: MetadataField) throws(Failure) -> MetadataField? {
        let texts = try texts()
        switch wish {
        case .text: return shape.isEmpty ? texts?.first.map { .text($0) } : nil
        case .list: return shape.count == 1 ? texts.map { .list($0) } : nil
        case .number:
            guard shape.isEmpty, let scalars else { return nil }
            return .number(scalars.double(at: 0))
        case .integer:
            guard shape.isEmpty, let scalars, scalars.type.isInteger else { return nil }
            return integer(scalars).map { .integer($0) }
        case .transform:
            guard shape == [3, 4] || shape == [4, 4], let scalars else { return nil }
            var rows: [Double] = []
            for row in 0..<3 {
                for column in 0..<4 { rows.append(scalars.double(at: row * strides[0] + column * strides[1])) }
            }
            return .transform(AffineTransform3(rows: rows))
        }
    }

    /// A whole number from 0, exactly: a double has too few digits for a seed.
    private func integer(_ scalars: ScalarRun) -> UInt64? {
        guard scalars.type.byteCount == 8 else { return UInt64(exactly: scalars.double(at: 0)) }
        let bits = scalars.base.loadUnaligned(as: UInt64.self)
        let word = scalars.isBigEndian ? UInt64(bigEndian: bits) : UInt64(littleEndian: bits)
        return scalars.type == .signed(bytes: 8) && word > Int64.max ? nil : word
    }
}

/// Bytes that were unpacked into memory, kept as long as something points to them.
final class UnpackedBytes: Sendable {
    let buffer: Buffer<UInt8>

    init(_ buffer: consuming Buffer<UInt8>) { self.buffer = buffer }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(buffer.unsafeElements) }
}

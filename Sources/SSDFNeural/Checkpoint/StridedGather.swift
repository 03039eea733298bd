import SSDFCore
import SSDFTensor

/// The most bytes of a contiguous tensor that are handed over at once.
let largestPiece = 16 << 20

/// Hands a view's elements to `body` in row-major order, in pieces of whole elements.
///
/// Sides that are contiguous together are merged first, so a contiguous tensor is handed over where it lies, in pieces
/// of at most `largestPiece` bytes, and a transposed one is gathered element by element.
/// - Parameters:
///   - bytes: the storage; the view lies within it.
///   - pieceSize: bytes gathered at a time.
/// - Complexity: O(elements).
func gather(
    _ tensor: CheckpointTensor, from bytes: UnsafeRawBufferPointer, pieceSize: Int,
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
) throws(Failure) {
    let size = tensor.type.byteCount
    guard tensor.elementCount > 0 else { return }
    let sides = mergedSides(tensor)
    let origin = bytes.baseAddress! + tensor.offset * size
    if sides.isEmpty || (sides.count == 1 && sides[0].stride == 1) {
        let total = tensor.elementCount * size
        var done = 0
        while done < total {
            let part = min(largestPiece, total - done)
            try body(UnsafeRawBufferPointer(start: origin + done, count: part))
            done += part
        }
        return
    }
    let piece = Buffer<UInt8>(uninitialized: max(size, min(pieceSize / size, tensor.elementCount) * size))
    let target = UnsafeMutableRawPointer(piece.pointer)
    let inner = sides[sides.count - 1]
    var filled = 0
    // An odometer over all sides but the innermost.
    var position = [Int](repeating: 0, count: sides.count - 1)
    var row = origin
    while true {
        var index = 0
        while index < inner.count {
            let part = min(inner.count - index, (piece.count - filled) / size)
            copyStrided(
                from: row + index * inner.stride * size, stride: inner.stride * size, count: part, size: size,
                to: target + filled)
            index += part
            filled += part * size
            if filled == piece.count {
                try body(UnsafeRawBufferPointer(start: target, count: filled))
                filled = 0
            }
        }
        var side = position.count - 1
        while side >= 0 {
            position[side] += 1
            row += sides[side].stride * size
            if position[side] < sides[side].count { break }
            row -= sides[side].count * sides[side].stride * size
            position[side] = 0
            side -= 1
        }
        if side < 0 { break }
    }
    if filled > 0 { try body(UnsafeRawBufferPointer(start: target, count: filled)) }
}

/// Sides with more than one element, neighbours merged where one continues the other.
private func mergedSides(_ tensor: CheckpointTensor) -> [(count: Int, stride: Int)] {
    var sides: [(count: Int, stride: Int)] = []
    for (count, stride) in zip(tensor.shape, tensor.strides) where count != 1 {
        if let last = sides.last, last.stride == count * stride {
            sides[sides.count - 1] = (last.count * count, stride)
        } else {
            sides.append((count, stride))
        }
    }
    return sides
}

private func copyStrided(
    from source: UnsafeRawPointer, stride: Int, count: Int, size: Int, to target: UnsafeMutableRawPointer
) {
    if stride == size {
        target.copyMemory(from: source, byteCount: count * size)
        return
    }
    switch size {
    case 1: copyEach(UInt8.self, source, stride, count, target)
    case 2: copyEach(UInt16.self, source, stride, count, target)
    case 4: copyEach(UInt32.self, source, stride, count, target)
    default: copyEach(UInt64.self, source, stride, count, target)
    }
}

@inline(__always)
private func copyEach<Element: BitwiseCopyable>(
    _ type: Element.Type, _ source: UnsafeRawPointer, _ stride: Int, _ count: Int, _ target: UnsafeMutableRawPointer
) {
    for index in 0..<count {
        let element = source.loadUnaligned(fromByteOffset: index * stride, as: Element.self)
        target.storeBytes(of: element, toByteOffset: index * MemoryLayout<Element>.size, as: Element.self)
    }
}

import SSDFCore

/// A row-major array of f32 in contiguous, 64-byte aligned memory.
///
/// Copies share the memory, which is not written after the operation that made the tensor has returned. A tensor that
/// gradients flow to carries a `Variable`.
package struct Tensor: Sendable {
    /// Extents, outermost first.
    package let shape: [Int]
    var storage: Storage
    let offset: Int
    /// Where the gradient of this tensor gathers while a tape records; nil for constants.
    package var variable: Variable?

    package init(shape: [Int], storage: Storage, offset: Int = 0, variable: Variable? = nil) {
        self.shape = shape
        self.storage = storage
        self.offset = offset
        self.variable = variable
    }

    /// A tensor of its own memory with the given elements.
    /// - Precondition: as many elements as the shape says.
    package init(_ elements: [Float], shape: [Int]) {
        let storage = Storage(unpooled: elements.count)
        precondition(elements.count == shape.reduce(1, *), "\(elements.count) elements do not fill \(shape)")
        elements.withUnsafeBufferPointer {
            if let base = $0.baseAddress { storage.pointer.update(from: base, count: elements.count) }
        }
        self.init(shape: shape, storage: storage)
    }

    /// A tensor of its own memory, all zeros or all `value`.
    package init(repeating value: Float, shape: [Int]) {
        let count = shape.reduce(1, *)
        let storage = Storage(unpooled: count)
        storage.pointer.update(repeating: value, count: count)
        self.init(shape: shape, storage: storage)
    }

    /// The first element. Valid while a tensor that shares the memory lives.
    package var pointer: UnsafeMutablePointer<Float> { storage.pointer + offset }

    /// Number of elements.
    package var count: Int { shape.reduce(1, *) }

    /// Extent of the first axis; 1 for a scalar.
    package var rows: Int { shape.first ?? 1 }

    /// Elements per row: the product of all extents but the first.
    package var columns: Int { shape.dropFirst().reduce(1, *) }

    /// Says that the elements have been written again, for forms of weights that are derived from them.
    package func noteChange() { storage.noteChange() }

    /// The elements as a buffer. Valid while a tensor that shares the memory lives.
    package var elements: UnsafeBufferPointer<Float> {
        UnsafeBufferPointer(start: storage.constantPointer + offset, count: count)
    }

    /// A copy of the elements.
    package var array: [Float] { Array(elements) }

    /// The same memory under another shape, outside any tape.
    func viewed(as shape: [Int]) -> Tensor {
        precondition(shape.reduce(1, *) == count, "\(self.shape) cannot be seen as \(shape)")
        return Tensor(shape: shape, storage: storage, offset: offset)
    }

    /// Rows `range` of the first axis in the same memory, outside any tape.
    func viewedRows(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(shape)")
        return Tensor(
            shape: [range.count] + shape.dropFirst(), storage: storage, offset: offset + range.lowerBound * columns)
    }

    /// A tensor of the elements from `start` on in the same memory: one of many that lie in a row, so that all can be
    /// worked on at once. Outside any tape.
    /// - Precondition: the tensor has memory of its own rather than a pool's.
    package func part(from start: Int, shape: [Int]) -> Tensor {
        precondition(start >= 0 && start + shape.reduce(1, *) <= count, "\(shape) from \(start) of \(self.shape)")
        return Tensor(shape: shape, storage: Storage(sharing: storage), offset: offset + start)
    }

    /// The same contents without a variable: gradients stop here.
    package var detached: Tensor {
        var copy = self
        copy.variable = nil
        return copy
    }
}

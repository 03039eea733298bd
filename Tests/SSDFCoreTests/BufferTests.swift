import SSDFCore
import Testing

@Suite struct BufferTests {
    /// Both sides of the size from which memory is mapped.
    @Test(arguments: [0, 1, 17, (1 << 18) - 1, 1 << 18, (1 << 20) + 3])
    func startsZeroedAndAligned(count: Int) {
        let buffer = Buffer<Float>(zeros: count)
        #expect(buffer.count == count)
        #expect(Int(bitPattern: buffer.pointer) % 64 == 0)
        let span = buffer.span
        #expect(span.count == count)
        var sum: Float = 0
        for i in 0..<count { sum += span[i] }
        #expect(sum == 0)
    }

    @Test func copiesAnArrayAndBack() {
        let numbers = (0..<1000).map(Int32.init)
        #expect(Buffer(numbers).array == numbers)
        #expect(Buffer([Int32]()).array.isEmpty)
    }

    @Test func shrinksInPlace() {
        var buffer = Buffer<UInt64>(uninitialized: 1 << 20)
        for i in 0..<buffer.count { buffer[i] = UInt64(i) }
        let address = buffer.pointer
        buffer.shrink(to: 1000)
        #expect(buffer.count == 1000 && buffer.pointer == address)
        #expect((0..<1000).allSatisfy { buffer[$0] == UInt64($0) })
        buffer.shrink(to: 0)
        #expect(buffer.array.isEmpty)
    }
}

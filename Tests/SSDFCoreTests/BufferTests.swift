import CSSDFKernels
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

    /// Memory that was used before comes back, and is cleared where zeros are asked for; what is mapped never exceeds the
    /// most that was in use at one time.
    @Test func keepsMemoryWithinThePeak() {
        keepMemory(heap: true)
        let count = 3 << 18
        var used = 0
        var kept = 0
        for round in 0..<3 {
            do {
                let first = Buffer<Float>(uninitialized: count)
                first.pointer.update(repeating: 7, count: count)
                let second = Buffer<Float>(zeros: 5 * count)
                #expect(second.pointer[round] == 0 && second.pointer[5 * count - 1] == 0)
                second.pointer.update(repeating: 7, count: 5 * count)
            }
            let zeros = Buffer<Float>(zeros: count)
            #expect((0..<count).allSatisfy { zeros.pointer[$0] == 0 })
        }
        ssdf_count_memory(&used, &kept)
        #expect(kept >= 6 * 4 * count)
        // Larger than anything kept: what is kept makes room.
        let before = used + kept
        let large = Buffer<Float>(uninitialized: before)
        ssdf_count_memory(&used, &kept)
        #expect(used >= 4 * large.count && used + kept <= 5 * before)
    }

    /// A buffer that grows keeps its elements, on the heap, from there to a block, and from block to block.
    @Test func growsWithItsElements() {
        var buffer = Buffer<Int32>((0..<1000).map(Int32.init))
        for count in [2000, 1 << 19, 9 << 19] {
            buffer.grow(to: count)
            #expect(buffer.count == count)
            #expect((0..<1000).allSatisfy { buffer[$0] == Int32($0) })
            buffer[count - 1] = 5
        }
    }
}

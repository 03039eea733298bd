import SSDFCore
import SSDFVolume
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The active voxels of one column, in the order they were found.
final class ColumnBand: @unchecked Sendable {
    // One worker fills a band, hands it over, and never looks back; the assembly's lock orders the two.
    struct Brick {
        var position: BrickCoordinate
        var firstValue: Int
        var valueCount: Int
    }
    var bricks: [Brick] = []
    var masks = ScratchBuffer<UInt64>(capacity: 8 * 256)
    var values = ScratchBuffer<Float>(capacity: 1 << 16)

    func clear() {
        bricks.removeAll(keepingCapacity: true)
        masks.count = 0
        values.count = 0
    }
}

/// Puts the bands of columns together into one volume, in brick order, while other columns are still being made.
///
/// Columns come in about their own order, and none is begun that is `lead` layers (columns of one x) ahead of the first
/// that is not complete, so only a few layers wait at any time, even for a thread that the system does not let run; their
/// memory is used again. The result does not depend on the order in which columns come.
final class BandAssembly: Sendable {
    private struct State: ~Copyable {
        var waiting: [Int: ColumnBand] = [:]
        var pool: [ColumnBand] = []
        var missing: [Int]
        var nextLayer = 0
        var isAppending = false
    }

    private struct Output: ~Copyable {
        var bricks: [BrickCoordinate] = []
        var masks: [UInt64] = []
        var values: Buffer<Float>
        var valueCount = 0
    }

    /// Layers that may wait.
    private static let lead = 2

    private let columnsInLayer: Int
    private let layers: Int
    private let state: Mutex<State>
    private let output: Mutex<Output>

    init(layers: Int, columnsInLayer: Int) {
        self.layers = layers
        self.columnsInLayer = columnsInLayer
        state = Mutex(State(missing: Array(repeating: columnsInLayer, count: layers)))
        output = Mutex(Output(values: Buffer(uninitialized: 4 << 20)))
    }

    /// An empty band to fill for a column, once it is that column's turn: those before it must have been begun by others
    /// or delivered.
    func band(column: Int) -> ColumnBand {
        let layer = column / columnsInLayer
        while true {
            let (isAhead, used) = state.withLock { state in
                layer > state.nextLayer + Self.lead ? (true, nil) : (false, state.pool.popLast())
            }
            guard isAhead else { return used ?? ColumnBand() }
            usleep(100)
        }
    }

    /// Hands over the band of column `layer·columnsInLayer + n`; nil when it is empty.
    func deliver(_ band: ColumnBand?, column: Int) {
        var ready: [ColumnBand]? = state.withLock { state in
            if let band { state.waiting[column] = band }
            state.missing[column / columnsInLayer] -= 1
            return state.isAppending ? nil : takeLayer(&state)
        }
        // Whoever completes the next layer appends it, and those completed meanwhile, without holding up the others.
        while let layer = ready {
            output.withLock { append(layer, to: &$0) }
            ready = state.withLock { state in
                for band in layer {
                    band.clear()
                    state.pool.append(band)
                }
                return takeLayer(&state)
            }
        }
    }

    private func takeLayer(_ state: inout State) -> [ColumnBand]? {
        guard state.nextLayer < layers, state.missing[state.nextLayer] == 0 else {
            state.isAppending = false
            return nil
        }
        let first = state.nextLayer * columnsInLayer
        state.nextLayer += 1
        state.isAppending = true
        return (first..<first + columnsInLayer).compactMap { state.waiting.removeValue(forKey: $0) }
    }

    private func append(_ layer: [ColumnBand], to output: inout Output) {
        var order: [(position: BrickCoordinate, band: Int, brick: Int)] = []
        var added = 0
        for (b, band) in layer.enumerated() {
            added += band.values.count
            for (n, brick) in band.bricks.enumerated() { order.append((brick.position, b, n)) }
        }
        order.sort { $0.position < $1.position }
        if output.valueCount + added > output.values.count {
            output.values.grow(to: max(output.valueCount + added, output.values.count + output.values.count / 2))
        }
        for (position, b, n) in order {
            let band = layer[b]
            let brick = band.bricks[n]
            output.bricks.append(position)
            output.masks.append(contentsOf: UnsafeBufferPointer(start: band.masks.pointer + 8 * n, count: 8))
            memcpy(
                output.values.pointer + output.valueCount, band.values.pointer + brick.firstValue,
                brick.valueCount * MemoryLayout<Float>.stride)
            output.valueCount += brick.valueCount
        }
    }

    /// The volume, once every column has been delivered.
    func finish(_ metadata: GridMetadata) -> SparseVolume {
        output.withLock { output in
            var values = Buffer<Float>(uninitialized: 0)
            swap(&values, &output.values)
            values.shrink(to: output.valueCount)
            return SparseVolume(
                metadata: metadata, bricks: Buffer(output.bricks), masks: Buffer(output.masks), values: values)
        }
    }
}

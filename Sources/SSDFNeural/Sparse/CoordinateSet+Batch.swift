import SSDFCore
import SSDFTensor

extension CoordinateSet {
    /// The batch item of every row.
    package func batchMap() -> RowMap {
        let index = Buffer<Int32>(uninitialized: count)
        for row in 0..<count { index.pointer[row] = rows.pointer[row].x }
        return RowMap(index, targets: layout.count)
    }
}

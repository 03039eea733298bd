import SSDFCore
import SSDFTensor

/// What the dense transformer learns to predict of a shape: a grid of `channels` numbers a cell.
package protocol StructureTargets: Sendable {
    var channels: Int { get }
    /// Cells along a side.
    var side: Int { get }

    /// Writes the grid of a shape of a set, `[channels, side, side, side]`.
    func write(_ shape: Int, of set: PictureSet, to target: UnsafeMutablePointer<Float>)
}

/// The cells themselves: 1 where there is surface, −1 where there is none.
package struct CellGrid: StructureTargets {
    /// One number a cell.
    package var channels: Int { 1 }
    /// Cells along a side.
    package let side: Int

    /// A grid of so many cells a side, as many as the sets have.
    package init(side: Int) { self.side = side }

    /// Writes 1 or −1 for each cell, z fastest.
    package func write(_ shape: Int, of set: PictureSet, to target: UnsafeMutablePointer<Float>) {
        for cell in 0..<side * side * side { target[cell] = set.isOccupied(shape, cell) ? 1 : -1 }
    }
}

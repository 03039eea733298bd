import SSDFCore
import SSDFVolume

/// How signed distances in a file and numbers in a network belong together: v = scale·clamp(d / truncation, −1, 1).
package struct DistanceScale: Sendable, Equatable {
    /// World units.
    package let truncation: Double
    /// What the network holds at the truncation.
    package let scale: Double
    /// Where the surface lies, as the network holds it.
    package let iso: Double

    /// - Parameter voxelSize: world units.
    package init(_ config: SparseSDFVAEConfig, voxelSize: Double) {
        truncation = config.truncationVoxels * voxelSize
        scale = config.valueScale
        iso = config.isoValue
    }

    /// World units for each unit of the network.
    package var unit: Double { truncation / scale }

    /// Says in the metadata of a decoded grid what its values mean.
    package func describe(_ metadata: inout GridMetadata) {
        // A hyperbolic tangent comes to ±1.
        metadata.truncation = unit
        metadata.background = unit
        metadata.isoValue = iso * unit
        metadata.signMethod = .given
        metadata.signConfidence = 1
    }
}

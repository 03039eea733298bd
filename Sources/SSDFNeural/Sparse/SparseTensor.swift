import SSDFCore
import SSDFTensor

/// Features at coordinates: row i of `features` belongs to row i of `coordinates`.
package struct SparseTensor: Sendable {
    /// `[N, C]`
    package var features: Tensor
    /// Where the features are.
    package let coordinates: CoordinateSet

    /// - Precondition: as many rows of features as coordinates.
    package init(features: Tensor, coordinates: CoordinateSet) {
        precondition(
            features.rows == coordinates.count, "\(features.rows) rows of features at \(coordinates.count) places")
        self.features = features
        self.coordinates = coordinates
    }

    /// Number of places.
    package var count: Int { coordinates.count }
    /// Features of a place.
    package var channels: Int { features.columns }

    /// Other features at the same places.
    package func with(_ features: Tensor) -> SparseTensor {
        SparseTensor(features: features, coordinates: coordinates)
    }
}

extension Compute {
    /// Every cell of side `factor` gets (sum of its members)/(members + 1): the zero that the reference's sum starts
    /// from is counted, and trained networks contain that factor (SPEC Q2).
    package func downsample(_ x: SparseTensor, by factor: Int) -> SparseTensor {
        let (coarse, map) = x.coordinates.coarser(by: factor)
        return SparseTensor(features: gatherMean(x.features, map, extra: 1), coordinates: coarse)
    }

    /// Every row becomes eight, with the same features (SPEC §2).
    package func subdivide(_ x: SparseTensor) -> SparseTensor {
        let (fine, map) = x.coordinates.finer()
        return SparseTensor(features: gather(x.features, map), coordinates: fine)
    }

    /// f of every feature.
    package func apply(_ function: PointwiseFunction, _ x: SparseTensor) -> SparseTensor {
        x.with(apply(function, x.features))
    }

    /// A part of a network that runs twice where memory is dearer than time; see `segment(_:_:)` of tensors.
    package func segment(_ x: SparseTensor, _ body: @escaping (SparseTensor) -> SparseTensor) -> SparseTensor {
        segment(x, with: []) { x, _ in body(x) }
    }

    /// The same for a part that is a function of other tensors too.
    package func segment(
        _ x: SparseTensor, with others: [Tensor], _ body: @escaping (SparseTensor, [Tensor]) -> SparseTensor
    ) -> SparseTensor {
        guard recomputesSegments, isRecording else { return body(x, others) }
        var coordinates: CoordinateSet?
        let features = segment([x.features] + others) { inputs in
            let y = body(x.with(inputs[0]), Array(inputs.dropFirst()))
            coordinates = y.coordinates
            return y.features
        }
        return SparseTensor(features: features, coordinates: coordinates!)
    }
}

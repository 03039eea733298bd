import Synchronization

/// The samples of a micro-batch, each handed out once: what a network finds out about a sample's voxels, which is four times
/// the sample, goes with it when its gradient is there.
final class AutoencoderBatch: Sendable {
    /// The samples, the long ones first, so that no thread is left with one at the end.
    let longestFirst: [Int]
    private let samples: Mutex<[AutoencoderSample?]>

    init(_ samples: consuming [AutoencoderSample]) {
        let sizes = samples.map(\.brickCount)
        longestFirst = sizes.indices.sorted { (sizes[$0], $1) > (sizes[$1], $0) }
        self.samples = Mutex(samples.map { $0 })
    }

    /// The sample of an index, which must not have been taken before.
    func take(_ index: Int) -> AutoencoderSample {
        let sample = samples.withLock { samples in
            let sample = samples[index]
            samples[index] = nil
            return sample
        }
        guard let sample else { preconditionFailure("sample \(index) was taken before") }
        return sample
    }
}

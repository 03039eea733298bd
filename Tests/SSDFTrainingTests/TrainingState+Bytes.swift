import SSDFCore
import SSDFTraining

extension TrainingState {
    /// The checkpoint that this state writes.
    func bytes() throws -> [UInt8] {
        var result: [UInt8] = []
        try write { piece throws(Failure) in result += piece }
        return result
    }
}

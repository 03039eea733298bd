import SSDFCore
import SSDFNeural

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension ModelDirectory {
    /// The model folder that holds a part which was trained before and is trained no more.
    /// - Parameters:
    ///   - name: of the part.
    ///   - command: that trains it.
    /// - Throws: `unavailable` when there is no such folder or part; `badData` when the folder is damaged.
    static func holding(_ name: String, in folder: String, from command: String) throws(Failure) -> ModelDirectory {
        let isModel = access("\(folder)/\(ReleasedModel.configurationName)", R_OK) == 0
        if isModel, case let model = try ModelDirectory(path: folder), model.config[name] != nil { return model }
        throw Failure(.unavailable, file: folder, "holds no \(name); train it first: \(command)")
    }

    /// The hash of a part's weights; empty without any. What is frozen counts as data: a run goes on only with the same.
    func identity(of component: String) throws(Failure) -> String {
        guard let weights = weightsPath(of: component) else { return "" }
        return try FileBytes(path: weights).withBytes { bytes throws(Failure) in contentHash(bytes) }
    }
}

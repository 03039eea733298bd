import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Finds the model that `-m` names.
package struct ModelSearch: Sendable {
    /// Folders that hold models, in the order in which they are searched.
    package var folders: [String]

    /// A search of these folders alone, in this order.
    package init(folders: [String]) { self.folders = folders }

    /// The name of the model that comes with the tools, which is used when none is named.
    package static let builtIn = "small"

    /// The folders of this process: those of `SSDF_MODEL_PATH`, the user's data directory, and the share folder beside
    /// the program's own; or of a program that was built and not installed, the models of its checkout.
    package static var standard: Self {
        var folders = (variable("SSDF_MODEL_PATH") ?? "").split(separator: ":").map(String.init)
        if let data = variable("XDG_DATA_HOME"), data.hasPrefix("/") {
            folders.append(data + "/ssdf/models")
        } else if let home = variable("HOME") {
            folders.append(home + "/.local/share/ssdf/models")
        }
        if let program = programFolder() {
            let parts = program.split(separator: "/", omittingEmptySubsequences: false)
            if let build = parts.lastIndex(of: ".build") {
                folders.append(parts[..<build].joined(separator: "/") + "/Fixtures/models")
            } else {
                folders.append(program + "/../share/ssdf/models")
            }
        }
        return Self(folders: folders)
    }

    /// The folder of a model: a path when there is one by that name or the text has a slash, else a name among `folders`.
    /// - Throws: `unavailable`, with where it was looked for and how to get it.
    package func locate(_ nameOrPath: String) throws(Failure) -> String {
        if nameOrPath.contains("/") || isModel(nameOrPath) { return nameOrPath }
        for folder in folders where isModel("\(folder)/\(nameOrPath)") { return "\(folder)/\(nameOrPath)" }
        let searched = folders.isEmpty ? "nowhere to look" : "looked in \(folders.joined(separator: ", "))"
        throw Failure(
            .unavailable, file: nameOrPath, "no such model: \(searched); \(ReleasedModel.instructions)")
    }

    /// Opens the model that a name or path stands for; without one, the built-in model.
    /// - Throws: as `locate(_:)` and `ModelDirectory(path:)`.
    package func open(_ nameOrPath: String?) throws(Failure) -> ModelDirectory {
        if let nameOrPath { return try ModelDirectory(path: try locate(nameOrPath)) }
        for folder in folders where isModel("\(folder)/\(Self.builtIn)") {
            return try ModelDirectory(path: "\(folder)/\(Self.builtIn)")
        }
        throw Failure(
            .unavailable, file: Self.builtIn,
            "the built-in model is not there: looked in \(folders.joined(separator: ", ")); name a model with -m")
    }

    private func isModel(_ path: String) -> Bool {
        !path.isEmpty && access("\(path)/\(ReleasedModel.configurationName)", F_OK) == 0
    }
}

private func variable(_ name: String) -> String? {
    guard let value = getenv(name), value[0] != 0 else { return nil }
    return String(cString: value)
}

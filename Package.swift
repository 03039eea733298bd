// swift-tools-version: 6.1
import PackageDescription

let swift6: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

/// An engine module.
func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swift6)
}

/// A tool: a thin file over the engine.
func tool(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name,
        dependencies: dependencies + [
            "SSDFCore", "SSDFCommand", .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        swiftSettings: swift6)
}

/// Code that only tests and benchmarks use.
func support(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: swift6)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["SSDFCore"], swiftSettings: swift6)
}

let package = Package(
    name: "ssdf",
    traits: [
        .trait(name: "MPI", description: "Training on several machines, by Open MPI (Debian: libopenmpi-dev)"),
        .trait(name: "OpenVDB", description: "ssdf-convert reads and writes .vdb files; needs libopenvdb-dev."),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        // C: the hot loops, and the faces of system libraries.
        .target(name: "CSSDFKernels"),
        .target(name: "CSSDFAllocation", dependencies: ["CSSDFKernels"]),
        .target(name: "CEigenSolvers"),
        .target(name: "CPNGCodec", dependencies: ["CPNG"]),
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
        .systemLibrary(name: "CNettle", pkgConfig: "nettle", providers: [.apt(["nettle-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
        .systemLibrary(name: "CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        // Empty without the trait, so that nothing needs OpenVDB.
        .target(
            name: "COpenVDB", cxxSettings: [.define("SSDF_OPENVDB", .when(traits: ["OpenVDB"]))],
            linkerSettings: [
                .linkedLibrary("openvdb", .when(traits: ["OpenVDB"])),
                .linkedLibrary("tbb", .when(traits: ["OpenVDB"])),
            ]),

        // The engine. Arrows go one way only.
        module("SSDFCore", ["CSSDFKernels", "CNettle", "CZlib"]),
        module("SSDFVolume", ["SSDFCore", "CZstd", "CSSDFKernels"]),
        module("SSDFOpenVDB", ["SSDFCore", "SSDFVolume", "COpenVDB"]),
        module("SSDFMesh", ["SSDFCore", "SSDFVolume", "CSSDFKernels", "CEigenSolvers"]),
        module("SSDFImage", ["SSDFCore", "CPNGCodec"]),
        module(
            "SSDFNeural",
            [
                "SSDFCore", "SSDFVolume", "SSDFImage", "SSDFTensor", "CSSDFKernels", "CYAML",
            ]),
        module(
            "SSDFGeneration",
            [
                "SSDFCore", "SSDFVolume", "SSDFMesh", "SSDFImage", "SSDFTensor", "SSDFNeural", "SSDFCommand",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        module("SSDFTensor", ["SSDFCore", "CSSDFKernels", "COneDNN"]),
        module(
            "SSDFTraining",
            [
                "SSDFCore", "SSDFTensor", "SSDFNeural", "SSDFVolume", "SSDFMesh", "SSDFImage", "CSSDFKernels",
                .target(name: "CMPI", condition: .when(traits: ["MPI"])),
            ]),
        module(
            "SSDFCommand",
            [
                "SSDFCore", "CSSDFAllocation", "CSSDFKernels",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),

        module(
            "SSDFMeshCommand",
            ["SSDFCore", "SSDFMesh", "SSDFCommand", .product(name: "ArgumentParser", package: "swift-argument-parser")]),

        // The tools, and the umbrella over them.
        .executableTarget(name: "ssdf", dependencies: ["SSDFCore", "SSDFCommand"], swiftSettings: swift6),
        tool("ssdf-voxelize", ["SSDFMesh", "SSDFVolume"]),
        tool("ssdf-extract", ["SSDFMesh", "SSDFVolume"]),
        tool("ssdf-remesh", ["SSDFMesh", "SSDFMeshCommand"]),
        tool("ssdf-convert", ["SSDFVolume", "SSDFOpenVDB"]),
        tool("ssdf-inspect", ["SSDFMesh", "SSDFVolume", "SSDFImage"]),

        tool("ssdf-diffuse", ["SSDFGeneration", "SSDFNeural", "SSDFTensor", "SSDFVolume", "SSDFImage"]),
        tool(
            "ssdf-generate",
            ["SSDFGeneration", "SSDFNeural", "SSDFTensor", "SSDFVolume", "SSDFImage", "SSDFMesh", "SSDFMeshCommand"]),
        tool("ssdf-encode", ["SSDFNeural", "SSDFTensor", "SSDFVolume"]),
        tool("ssdf-decode", ["SSDFNeural", "SSDFTensor", "SSDFVolume"]),
        tool("ssdf-model", ["SSDFNeural", "SSDFTensor"]),
        tool("ssdf-train", ["SSDFTraining", "SSDFNeural", "SSDFTensor", "SSDFMesh", "SSDFVolume", "SSDFImage"]),

        // The Assimp child: mesh formats that have no reader of our own, behind a process boundary.
        .systemLibrary(name: "CAssimp", pkgConfig: "assimp", providers: [.apt(["libassimp-dev"])]),
        tool("ssdf-import", ["CAssimp", "CSSDFKernels", "CSSDFAllocation"]),

        // Benchmarks that are programs of their own.
        .executableTarget(
            name: "container-benchmark", dependencies: ["SSDFCore", "SSDFVolume"], path: "Tests/Benchmarks/container",
            exclude: ["peers", "run"], swiftSettings: swift6),
        .executableTarget(
            name: "mesh-files-benchmark", dependencies: ["SSDFCore", "SSDFMesh"], path: "Tests/Benchmarks/mesh-files",
            exclude: ["run"], swiftSettings: swift6),

        // Measurements; each prints a table and JSON.
        .executableTarget(
            name: "ssdf-bench-neural",
            dependencies: [
                "SSDFCore", "SSDFVolume", "SSDFMesh", "SSDFTensor", "SSDFNeural", "BareProducts", "FixtureMeshes",
            ],
            path: "Tests/Benchmarks/neural", exclude: ["peers", "run"], swiftSettings: swift6),

        .executableTarget(
            name: "diffusion-benchmark",
            dependencies: [
                "SSDFCore", "SSDFVolume", "SSDFMesh", "SSDFTensor", "SSDFNeural", "BareProducts", "FixtureMeshes",
                "RandomModels",
            ],
            path: "Tests/Benchmarks/diffusion", exclude: ["run"], swiftSettings: swift6),

        .executableTarget(
            name: "training-benchmark",
            dependencies: ["SSDFCore", "SSDFTensor", "SSDFNeural", "SSDFTraining", "SSDFVolume", "BareProducts"],
            path: "Tests/Benchmarks/training", exclude: ["run"], swiftSettings: swift6),
        .executableTarget(
            name: "remesh-benchmark", dependencies: ["SSDFCore", "SSDFMesh"], path: "Tests/Benchmarks/remesh",
            exclude: ["run"], swiftSettings: swift6),
        .executableTarget(
            name: "extract-benchmark", dependencies: ["SSDFCore", "SSDFMesh", "SSDFVolume"],
            path: "Tests/Benchmarks/extract", exclude: ["run"], swiftSettings: swift6),

        .executableTarget(
            name: "random-model",
            dependencies: ["RandomModels", "SSDFCore", "SSDFTensor", "SSDFVolume", "BareProducts"],
            path: "Tests/Benchmarks/autoencoder", exclude: ["run"], swiftSettings: swift6),

        .executableTarget(
            name: "ratio-benchmark",
            dependencies: [
                "SSDFCore", "SSDFVolume", "SSDFMesh", "SSDFTensor", "SSDFNeural", "COneDNN", "FixtureMeshes",
            ],
            path: "Tests/Benchmarks/ratios", exclude: ["recorded.json", "run"], swiftSettings: swift6),

        .executableTarget(
            name: "sign-benchmark", dependencies: ["SSDFCore", "SSDFMesh", "FixtureMeshes"],
            path: "Tests/Benchmarks/signs", exclude: ["run"], swiftSettings: swift6),

        // Tests.
        support("RandomModels", ["SSDFCore", "SSDFNeural", "SSDFTensor"]),
        support("BareProducts", ["SSDFCore", "SSDFTensor", "COpenBLAS", "COneDNN"]),
        support("FixtureMeshes", ["SSDFCore", "SSDFMesh", "SSDFVolume"]),
        support(
            "FuzzTargets",
            ["SSDFCore", "SSDFVolume", "SSDFMesh", "SSDFImage", "SSDFTensor", "SSDFNeural", "CSSDFKernels", "CZlib"]),
        tests("FuzzTests", ["FuzzTargets"]),
        tests("SSDFCoreTests", ["CSSDFKernels", "RandomModels"]),
        support("ContainerCases", ["SSDFCore", "SSDFVolume"]),
        tests("SSDFVolumeTests", ["SSDFVolume", "ContainerCases", "CSSDFKernels"]),
        tests("SSDFImageTests", ["SSDFImage", "SSDFMesh", "FixtureMeshes"]),
        tests("SSDFMeshTests", ["SSDFMesh", "SSDFVolume", "FixtureMeshes", "CSSDFKernels"]),
        tests("SSDFTensorTests", ["SSDFTensor", "CSSDFKernels", "FixtureMeshes"]),
        tests(
            "CommandTests",
            [
                "SSDFCommand", "SSDFImage", "SSDFMesh", "SSDFVolume", "SSDFTensor", "SSDFNeural", "FixtureMeshes",
                "RandomModels",
            ]),
        tests(
            "SSDFTrainingTests",
            [
                "SSDFTraining", "SSDFImage", "SSDFNeural", "SSDFTensor", "SSDFVolume", "SSDFMesh", "CSSDFKernels",
                "FixtureMeshes", "RandomModels",
            ]),
        tests(
            "SSDFNeuralTests",
            [
                "SSDFNeural", "SSDFTensor", "SSDFVolume", "SSDFMesh", "SSDFImage", "CSSDFKernels", "CZlib",
                "FixtureMeshes",
                "RandomModels",
            ]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)

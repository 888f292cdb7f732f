# SPDX-License-Identifier: Apache-2.0
# All tests of the package: `Pkg.test("Flexor")`; with names of files as arguments, those alone.
using Test, Flexor
include("common.jl")
const chosen = isempty(ARGS) ? sort(filter(f -> startswith(f, "test_"), readdir(@__DIR__))) : ARGS
results = @testset "Flexor" begin
    for file in chosen
        @testset "$file" begin
            include(file)
        end
    end
end

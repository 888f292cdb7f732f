# SPDX-License-Identifier: Apache-2.0
# run_file.jl FOLDER FILE: one file of the package's tests; the last line counts its cases.
using Test, Flexor
const folder, file = ARGS
include(joinpath(folder, "common.jl"))
passed, failed = try
    set = @testset "$file" begin
        include(joinpath(folder, file))
    end
    counts = Test.get_test_counts(set)
    counts[1] + counts[5], 0
catch e
    e isa Test.TestSetException || rethrow()
    for f in e.errors_and_fails
        println("FAILED ", f)
    end
    e.pass, e.fail + e.error
end
println(passed, " passed, ", failed, " failed, 0 skipped")
exit(failed == 0 && passed > 0 ? 0 : 1)

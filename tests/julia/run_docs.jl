# SPDX-License-Identifier: Apache-2.0
# run_docs.jl FILE: its ```julia blocks, one after the other in one module; the last line counts them.
const blocks = [m[1] for m in eachmatch(r"^```julia\n(.*?)^```$"ms, read(ARGS[1], String))]
for (k, block) in enumerate(blocks)
    include_string(Main, block, "$(basename(ARGS[1])), block $k")
end
println(length(blocks), " passed, 0 failed, 0 skipped")
exit(isempty(blocks) ? 1 : 0)
